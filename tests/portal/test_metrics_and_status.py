"""What the first page says, for Prometheus and on a terminal: the three agree."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from prometheus_client.parser import text_string_to_metric_families

from ccatdc.common.states import Status
from tests.api.conftest import ApiClient, client_with
from tests.factories.datamgmt import BufferLocationFactory, RawDataPackageFactory
from tests.factories.transfer import RawDataPackageCreationFactory, ServiceHeartbeatFactory
from tests.metrics.emitted import emitted

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _backups_are_not_watched(settings: Any) -> None:
    settings.BACKUP_MAX_AGE_HOURS = 0


def metrics(api: ApiClient) -> dict[tuple[str, tuple[str, ...]], float]:
    answer = api.get("/metrics")
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def status() -> tuple[str, str]:
    said = StringIO()
    try:
        call_command("ops", "status", stdout=said)
    except CommandError as error:
        return said.getvalue(), str(error)
    return said.getvalue(), ""


def test_when_all_is_well_all_three_say_so() -> None:
    ServiceHeartbeatFactory.create(service_type="managers", name="managers")
    found = metrics(client_with("read:observations"))
    text, error = status()
    assert found["ccatdc_all_well", ()] == 1
    assert "All is well." in text
    assert error == ""


def test_what_failed_is_counted_and_named() -> None:
    ServiceHeartbeatFactory.create(service_type="managers", name="managers")
    buffer = BufferLocationFactory.create()
    type(buffer).objects.filter(pk=buffer.pk).update(used_bytes=70, capacity_bytes=100)
    operation = RawDataPackageCreationFactory.create(
        status=Status.FAILED, location=buffer, error_code="package.no_good_file", error_message="None is good."
    )
    RawDataPackageFactory.create(state="failed")

    found = metrics(client_with("read:observations"))
    text, error = status()

    stage = operation.get_operation_type_display()
    assert found["ccatdc_operations", (stage, "failed")] == 1
    assert found["ccatdc_all_well", ()] == 0
    assert found["ccatdc_packages", ("failed",)] == 1
    assert found["ccatdc_location_used_bytes", (buffer.full_name,)] == 70
    assert found["ccatdc_location_capacity_bytes", (buffer.full_name,)] == 100
    assert found["ccatdc_heartbeat_age_seconds", ("managers", "managers")] < 60
    kinds = {labels[0] for name, labels in found if name == "ccatdc_attention"}
    assert kinds
    assert all(f"{kind} (" in text for kind in kinds)
    assert "[package.no_good_file]" in text
    assert "A person is needed for" in text
    assert "A person is needed" in error


def test_metrics_need_a_token_that_reads() -> None:
    assert ApiClient().get("/metrics").status_code == 401
    assert client_with("stage:data").get("/metrics").status_code == 403


def test_the_page_for_operators_names_every_figure() -> None:
    page = Path(settings.BASE_DIR, "docs/operations/monitoring.md").read_text()
    assert set(re.findall(r"`(ccatdc_\w+)`", page)) == set(emitted())
