"""Figures of work, links, queues, stores, evidence and gateways: named by kind, location and destination."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.core import Metric

from ccatdc.metrics import gateway
from ccatdc.metrics.families import families
from ccatdc.metrics.line_protocol import lines_of
from gateway.models import Link
from tests.api.conftest import client_with
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    BufferLocationFactory,
    RawDataPackagePhysicalCopyFactory,
    SiteFactory,
    SourceLocationFactory,
)
from tests.factories.notifications import NotificationChannelFactory, OutgoingMessageFactory
from tests.factories.transfer import (
    LocationCheckFactory,
    LongTermArchiveTransferFactory,
    RawDataPackageCreationFactory,
    ServiceHeartbeatFactory,
    StagingFactory,
    WorkTotalFactory,
)
from transfer.models.totals import FILING
from transfer.pipeline import OperationType

pytestmark = pytest.mark.django_db
#: Twenty of the first page, and one or two for each further question.
MOST_QUERIES = 40


def figures(found: Any = None) -> dict[tuple[str, tuple[str, ...]], float]:
    """Values by name and labels."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in (families() if found is None else found)
        for sample in family.samples
    }


def test_what_was_done_today_is_counted_by_kind_and_link() -> None:
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    buffer = BufferLocationFactory.create()
    far = BufferLocationFactory.create(site=SiteFactory.create(short_name="cologne"), name="input_buffer")
    source = SourceLocationFactory.create()
    WorkTotalFactory.create(period="day", starts_at=today, kind=FILING, location=source, bytes=7, files=3, done=3)
    WorkTotalFactory.create(
        period="day", starts_at=today, kind=OperationType.DATA_TRANSFER, location=buffer, destination=far,
        bytes=5, seconds=2.5, done=2, failed=1,
    )  # fmt: skip
    yesterday = today - timedelta(days=1)
    WorkTotalFactory.create(period="day", starts_at=yesterday, location=far)
    WorkTotalFactory.create(period="day", starts_at=yesterday, kind=FILING, location=source, bytes=70)
    WorkTotalFactory.create(period="day", starts_at=yesterday - timedelta(days=1), location=source)
    found = figures()
    link = ("data_transfer", "ccat_output_buffer", "cologne_input_buffer")
    assert found["ccatdc_work_bytes_total", link] == 5
    assert found["ccatdc_work_seconds_total", link] == 2.5
    assert found["ccatdc_work_done_total", link] == 2
    assert found["ccatdc_work_failed_total", link] == 1
    assert found["ccatdc_work_files_total", (FILING, source.full_name, "")] == 3
    assert found["ccatdc_work_bytes_total", (FILING, source.full_name, "")] == 7
    archived = [
        (labels, value)
        for (name, labels), value in found.items()
        if name == "ccatdc_work_bytes_total" and labels[0] == "long_term_archive_transfer"
    ]
    assert archived == [(("long_term_archive_transfer", far.full_name, ""), 0)], "a counter begins anew at midnight"


def test_queues_are_told_by_kind_and_place_and_checks_are_none() -> None:
    RawDataPackageCreationFactory.create(created_at=timezone.now() - timedelta(hours=1))
    LocationCheckFactory.create()
    StagingFactory.create(in_progress=True)
    found = figures()
    work = ("raw_data_package_creation", "ccat_primecam_raw_data", "ccat_output_buffer")
    assert found["ccatdc_queue_operations", work] == 1
    assert found["ccatdc_queue_oldest_seconds", work] == pytest.approx(3600, abs=60)
    assert found["ccatdc_running_operations", ("staging", "cologne_ramses_processing")] == 1
    assert [labels for name, labels in found if name == "ccatdc_queue_operations"] == [work]


def test_stores_evidence_clocks_and_messages_are_told() -> None:
    now = timezone.now()
    archive, buffer = ArchiveLocationFactory.create(), BufferLocationFactory.create()
    type(archive).objects.update(certificate_expires_at=now + timedelta(days=10), check_error="It is not itself.")
    type(buffer).objects.filter(pk=buffer.pk).update(
        used_bytes=50, capacity_bytes=100, used_files=7, capacity_files=9, checked_at=now, fill_bytes_per_s=0.01,
        inventory_at=now - timedelta(hours=2),
    )  # fmt: skip
    for verdict, ago in (("ok", 40), ("damaged", 3)):
        RawDataPackagePhysicalCopyFactory.create(
            raw_data_package__name=verdict, data_location=archive, integrity=verdict,
            verified_at=now - timedelta(days=ago), verified_how="read_back",
        )  # fmt: skip
    ServiceHeartbeatFactory.create(service_type="location", name="w", clock_offset=timedelta(seconds=-2))
    OutgoingMessageFactory.create(channel=NotificationChannelFactory.create(name="chat", failures=3))
    found = figures()
    assert found["ccatdc_endpoint_certificate_seconds", (archive.full_name,)] == pytest.approx(864_000, abs=60)
    assert found["ccatdc_location_check_failed", (archive.full_name,)] == 1
    assert found["ccatdc_location_check_failed", (buffer.full_name,)] == 0
    assert found["ccatdc_location_used_files", (buffer.full_name,)] == 7
    assert found["ccatdc_location_full_seconds", (buffer.full_name,)] == pytest.approx(4500, abs=60)
    assert found["ccatdc_location_inventory_age_seconds", (buffer.full_name,)] == pytest.approx(7200, abs=60)
    assert found["ccatdc_evidence_oldest_seconds", (archive.full_name,)] == pytest.approx(40 * 86_400, abs=60)
    assert found["ccatdc_copies_set_aside", (archive.full_name, "damaged")] == 1
    assert found["ccatdc_clock_offset_seconds", ("location", "w")] == -2
    assert found["ccatdc_messages_waiting", ("chat",)] == 1
    assert found["ccatdc_channel_failures", ("chat",)] == 3
    assert found["ccatdc_database_bytes", ()] > 1e6


def test_figures_cost_as_many_queries_however_much_there_is() -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            figures()
        return len(queries)

    def some(n: int) -> None:
        site = SiteFactory.create(short_name=f"site{n}")
        buffer = BufferLocationFactory.create(site=site)
        WorkTotalFactory.create(location=buffer)
        LongTermArchiveTransferFactory.create(location=buffer, failed=bool(n % 2))
        NotificationChannelFactory.create(name=f"channel {n}")

    some(1)
    some(2)
    first = cost()
    for n in range(3, 8):
        some(n)
    assert cost() == first <= MOST_QUERIES


def test_a_gateway_tells_its_link_and_backlog() -> None:
    Link.write(down_since=timezone.now())
    found = figures(gateway.families())
    assert found["ccatdc_gateway_link_up", ()] == 0
    assert found["ccatdc_gateway_backlog_calls", ()] == 0
    assert found["ccatdc_gateway_dead_letters", ()] == 0
    Link.write(down_since=None, last_contact_at=timezone.now())
    assert figures(gateway.families())["ccatdc_gateway_link_up", ()] == 1


def test_a_gateway_answers_at_metrics_with_a_token_that_reads(at_gateway: None) -> None:
    answer = client_with("read:observations").get("/metrics")
    assert answer.status_code == 200
    assert b"ccatdc_gateway_backlog_calls 0.0" in answer.content
    assert b"ccatdc_all_well" not in answer.content
    assert client_with("stage:data").get("/metrics").status_code == 403


class TestLines:
    AT = datetime(2026, 3, 1, 4, tzinfo=UTC)

    def lines(self, labels: dict[str, str], *values: float) -> list[str]:
        metric = Metric("ccatdc_x", "An x.", "gauge")
        for value in values:
            metric.add_sample("ccatdc_x", labels, value)
        return list(lines_of([metric], self.AT))

    def test_a_sample_is_a_line_with_its_labels_in_order(self) -> None:
        assert self.lines({"location": "b", "kind": "a", "destination": ""}, 1.5) == [
            "ccatdc_x,kind=a,location=b value=1.5 1772337600"
        ]

    @pytest.mark.parametrize(
        ("value", "written"),
        [
            ("a b", r"a\ b"),
            ("a,b=c", r"a\,b\=c"),
            ("a\nccatdc_y value=1", r"a\ ccatdc_y\ value\=1"),
            ("ends\\", "ends"),
            ("Köln", "Köln"),
        ],
    )
    def test_what_has_a_meaning_is_escaped(self, value: str, written: str) -> None:
        assert self.lines({"k": value}, 0) == [f"ccatdc_x,k={written} value=0.0 1772337600"]

    def test_what_is_no_number_has_no_line(self) -> None:
        assert self.lines({}, float("nan"), float("inf")) == []
