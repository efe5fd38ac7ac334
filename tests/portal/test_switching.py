"""Operators switch locations and sites off and on: they are told first what that affects, and for how long it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Change, SystemLog
from ccatdc.common.states import Status
from ccatdc.portal.attention.lines import Seen
from ccatdc.portal.attention.places import switched_off
from datamgmt.models import DataLocation, Site
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    BufferLocationFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
)
from tests.factories.transfer import DataTransferFactory, LongTermArchiveTransferFactory, StagingJobFactory
from tests.portal.conftest import logged_in, person
from transfer.managers.loop import ManagerLoop
from transfer.models import Operation
from transfer.operators.switching import affected_by, end_maintenance
from transfer.operators.wait_reasons import Waiting

pytestmark = pytest.mark.django_db


@pytest.fixture
def observer() -> Client:
    """An operator at the observatory, who may not configure the system."""
    return logged_in(person("observer"))


def act(client: Client, action: str, *rows: Any, **more: str) -> Any:
    """Press a button of the list of locations, or of sites."""
    page = "site" if isinstance(rows[0], Site) else "datalocation"
    body = {"action": f"switch_{action}_selected", "index": "0", "_selected_action": [row.pk for row in rows], **more}
    return client.post(reverse(f"admin:datamgmt_{page}_changelist"), body)


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def now(row: Any) -> Any:
    """As the database has it."""
    return (Site.objects if isinstance(row, Site) else DataLocation.objects.non_polymorphic()).get(pk=row.pk)


def in_hours(hours: float) -> str:
    return f"{timezone.now() + timedelta(hours=hours):%Y-%m-%dT%H:%M}"


def test_what_is_affected_is_counted_before_it_is_confirmed(observer: Client) -> None:
    buffer = BufferLocationFactory.create()
    archive = ArchiveLocationFactory.create()
    RawDataPackagePhysicalCopyFactory.create(data_location=buffer)
    elsewhere = RawDataPackageFactory.create(built=True)
    RawDataPackagePhysicalCopyFactory.create(raw_data_package=elsewhere, data_location=buffer)
    RawDataPackagePhysicalCopyFactory.create(
        raw_data_package=elsewhere, data_location=BufferLocationFactory.create(name="other_buffer", active=True)
    )
    LongTermArchiveTransferFactory.create(location=buffer)
    DataTransferFactory.create(location=buffer, in_progress=True)

    question = act(observer, "off", buffer).content.decode()

    assert now(buffer).active
    assert "1 operation runs there: nothing is interrupted" in question
    assert "1 operation waits for it" in question
    assert "1 package that is not archived is only there" in question
    assert "is left at ccat" not in question
    (alone,) = affected_by(DataLocation.objects.non_polymorphic().filter(pk=archive.pk))
    assert alone == "No other active Long-term archive is left at cologne: what needs one there waits."
    job = StagingJobFactory.create()
    assert affected_by(DataLocation.objects.non_polymorphic().filter(pk=job.destination_location_id)) == [
        "1 staging job has data there: it stays, and what is not staged yet waits."
    ]
    assert any("other active" in line for line in affected_by(Site.objects.filter(pk=archive.site_id)))


def test_an_operator_switches_a_location_off_with_a_reason_and_on_again(observer: Client) -> None:
    buffer = BufferLocationFactory.create()

    act(observer, "off", buffer, confirmed="1", reason="new disks")

    assert (now(buffer).active, now(buffer).off_words) == (False, "switched off by observer: new disks")
    page = observer.get(reverse("admin:datamgmt_datalocation_change", args=[buffer.pk])).content.decode()
    assert "It is switched off by observer: new disks." in page
    (entry,) = SystemLog.objects.filter(user__username="observer")
    assert entry.message == "Switched off: 1 location. Reason: new disks"
    assert entry.object_id == str(buffer.pk)
    assert Change.objects.about(now(buffer)).latest("id").changes["off_reason"] == ["", "new disks"]
    assert "not active already" in said(act(observer, "off", buffer, confirmed="1"))

    act(observer, "on", buffer)

    assert (now(buffer).active, now(buffer).off_by, now(buffer).off_reason) == (True, "", "")


def test_a_site_is_switched_off_and_its_locations_say_why(observer: Client) -> None:
    buffer = BufferLocationFactory.create()
    operation = LongTermArchiveTransferFactory.create(location=buffer)

    act(observer, "off", buffer.site, confirmed="1", reason="storm")

    assert not now(buffer.site).active
    waits = Waiting([]).why(Operation.objects.select_related("location__site").get(pk=operation.pk))
    assert waits == "ccat_output_buffer is at ccat, a site that is switched off by observer: storm."


def test_a_maintenance_ends_by_itself(observer: Client) -> None:
    buffer, other = BufferLocationFactory.create(), BufferLocationFactory.create(name="other", active=False)
    operation = LongTermArchiveTransferFactory.create(location=buffer)

    act(observer, "off", buffer, confirmed="1", reason="new disks", until=in_hours(2))
    act(observer, "off", buffer.site, confirmed="1", reason="new roof", until=in_hours(1))

    assert end_maintenance() == 0
    Site.objects.update(active=True)
    (line,) = switched_off(_seen(now(buffer))).lines
    assert "switched off by observer until" in line.why
    assert "1 operation waits for it" in line.why
    assert "It is switched on by itself in 1 h" in line.then
    assert operation.status == Status.PENDING

    Site.objects.update(active=False)
    for rows in (Site.objects, DataLocation.objects.filter(pk=buffer.pk)):
        rows.update(off_until=timezone.now() - timedelta(seconds=1))
    ManagerLoop([]).run_pass()

    assert now(buffer).active
    assert now(buffer.site).active
    assert now(buffer).off_until is None
    assert not now(other).active
    assert end_maintenance() == 0
    assert SystemLog.objects.filter(message__startswith="Maintenance is over", user=None).count() == 2


def _seen(location: DataLocation) -> Seen:
    return Seen(services=[], running=[], locations=[location])


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"until": "2020-01-01T00:00", "reason": "x"}, "is over"),
        ({"until": "tomorrow", "reason": "x"}, "is no time"),
        ({"until": "2999-01-01T00:00"}, "needs a reason"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused(observer: Client, given: dict[str, str], why: str) -> None:
    buffer = BufferLocationFactory.create()

    assert why in said(act(observer, "off", buffer, confirmed="1", **given))
    assert now(buffer).active


def test_who_may_not_is_told_who_may(viewer: Client) -> None:
    buffer = BufferLocationFactory.create()
    page = viewer.get(reverse("admin:datamgmt_datalocation_change", args=[buffer.pk])).content.decode()

    act(viewer, "off", buffer, confirmed="1")

    assert now(buffer).active
    assert 'value="switch_off_selected"' not in page
    assert "Switch off" in page
    assert "write:transfers, which your roles do not include. Roles with it: admin, observer" in page


def test_the_page_of_a_site_has_its_locations_links_and_queues(viewer: Client) -> None:
    buffer = BufferLocationFactory.create(bundle_max_bytes=1)
    LongTermArchiveTransferFactory.create(location=buffer)
    transfer = DataTransferFactory.create(completed=True, bytes_transferred=10**9, seconds=10.0)
    type(transfer).objects.filter(pk=transfer.pk).update(finished_at=timezone.now())

    page = viewer.get(reverse("admin:datamgmt_site_change", args=[buffer.site_id])).content.decode()

    assert "ccat_output_buffer</a>" in page
    assert "No worker" in page
    assert 'data-label="To">cologne' in page
    assert "100 MB/s" in page
