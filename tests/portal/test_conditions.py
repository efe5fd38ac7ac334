"""Each condition of *All is well* is made to happen, seen on the first page with its reason and as an alert, and gone when
its cause is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ccatdc import notification_loop
from ccatdc.common.states import Status
from ccatdc.portal.attention import work
from ccatdc.portal.attention.lines import AttentionGroup
from datamgmt.models import DataLocation, PhysicalCopy
from datamgmt.states import Integrity, PackageState
from notifications.models import Alert
from tests.factories.accounts import ApiTokenFactory
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    BufferLocationFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    SourceLocationFactory,
    archive_package,
)
from tests.factories.observatory import InstrumentFactory
from tests.factories.transfer import (
    DeletionFactory,
    LocationCheckFactory,
    LongTermArchiveTransferFactory,
    ServiceHeartbeatFactory,
)
from transfer.managers.retries import RetryManager
from transfer.models import Operation, ServiceHeartbeat

pytestmark = pytest.mark.django_db
Well = Callable[[], None]


def attention(client: Client) -> dict[str, AttentionGroup]:
    groups = client.get(reverse("admin:index")).context["overview"].attention
    return {group.title: group for group in groups}


def change(**columns: Any) -> None:
    DataLocation.objects.non_polymorphic().update(**columns)


def heartbeats(**columns: Any) -> None:
    ServiceHeartbeat.objects.update(**columns)


def wrong_clock() -> Callable[[], object]:
    heartbeats(clock_offset=timedelta(seconds=-12))
    return lambda: heartbeats(clock_offset=timedelta(seconds=1))


def silent_gateway() -> Callable[[], object]:
    ServiceHeartbeatFactory.create(silent=True, service_type="gateway", name="chile")
    return lambda: heartbeats(last_seen=timezone.now())


def stopped_worker() -> Callable[[], object]:
    ServiceHeartbeat.objects.filter(name="ccat_output_buffer").update(stopped_at=timezone.now())
    return lambda: change(active=False)


def stopped_managers() -> Callable[[], object]:
    ServiceHeartbeat.objects.filter(service_type="managers").update(stopped_at=timezone.now())
    return lambda: heartbeats(stopped_at=None)


def switched_off_with_work() -> Callable[[], object]:
    DeletionFactory.create_batch(3, location=BufferLocationFactory.create())
    change(active=False)
    return lambda: change(active=True)


def stranded_package() -> Callable[[], object]:
    package = RawDataPackageFactory.create(built=True)
    RawDataPackagePhysicalCopyFactory.create(
        raw_data_package=package, data_location=BufferLocationFactory.create(), verified_at=timezone.now()
    )
    change(active=False)
    return lambda: change(active=True)


def no_buffer() -> Callable[[], object]:
    entry = {
        "stage": "package",
        "what": "4 observations at ccat_primecam_raw_data",
        "why": "No active buffer at ccat.",
        "remedy": "Switch a BUFFER of the site on.",
        "code": "route.no_buffer",
        "since": "2026-05-01T00:00:00+00:00",
    }
    heartbeats(waiting=[entry])
    return lambda: heartbeats(waiting=[])


def hung_store() -> Callable[[], object]:
    minute_ago = timezone.now() - timedelta(minutes=1)
    LocationCheckFactory.create(in_progress=True, started_at=minute_ago, location=BufferLocationFactory.create())
    return lambda: Operation.objects.non_polymorphic().update(status=Status.COMPLETED)


def fills_fast() -> Callable[[], object]:
    # 8.5 of 10 TB may be written besides the 1 TB that is: in 21 hours at 110 MB/s, in 28 at 85.
    change(fill_bytes_per_s=110e6)
    return lambda: change(fill_bytes_per_s=85e6)


def old_certificate() -> Callable[[], object]:
    change(certificate_expires_at=timezone.now() + timedelta(days=20))
    return lambda: change(certificate_expires_at=timezone.now() + timedelta(days=22))


def old_evidence() -> Callable[[], object]:
    copy = archive_package(RawDataPackageFactory.create(archived=True))
    PhysicalCopy.objects.filter(pk=copy.pk).update(verified_at=timezone.now() - timedelta(days=100))
    return lambda: PhysicalCopy.objects.filter(pk=copy.pk).update(verified_at=timezone.now() - timedelta(days=98))


def token_that_ends() -> Callable[[], object]:
    token = ApiTokenFactory.create(
        instrument=InstrumentFactory.create(),
        expires_at=timezone.now() + timedelta(days=3, minutes=1),
        last_used_at=timezone.now(),
    )

    def revoke() -> None:
        token.revoked_at = timezone.now()
        token.save()

    return revoke


def growing_queue() -> Callable[[], object]:
    waited = timezone.now() - timedelta(hours=2)
    place = BufferLocationFactory.create()
    operations = DeletionFactory.create_batch(3, location=place, run_after=waited)
    DeletionFactory.create(completed=True, location=place)

    def drain() -> None:
        for operation in operations:
            Operation.objects.non_polymorphic().filter(pk=operation.pk).update(created_at=waited)

    return drain


CONDITIONS = [
    (wrong_clock, "Clocks", "12 s behind the clock of the database"),
    (silent_gateway, "Services", "what instruments file waits at the site"),
    (stopped_worker, "Services", "It was stopped. Start: manage.py run_location ccat_output_buffer"),
    (stopped_managers, "Services", "It was stopped: nobody plans any work."),
    (switched_off_with_work, "Work that waits for a place", "3 operations wait for it."),
    (stranded_package, "Work that waits for a place", "1 package that is not archived is only there."),
    (no_buffer, "Work that waits for a place", "No active buffer at ccat. Switch a BUFFER of the site on."),
    (hung_store, "Locations", "the check that began 1 min ago has not come back"),
    (fills_fast, "Locations", "It will be 95 % full in 21 h"),
    (old_certificate, "Locations", "The certificate of its endpoint ends on"),
    (old_evidence, "Evidence that grows old", "each should be read once in 90 days"),
    (token_that_ends, "Tokens", "it ends in 3 d"),
    (growing_queue, "Queues that grow", "3 wait, the oldest for 2 h; in the last hour 4 came and 1 were done."),
]


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition[0].__name__)
def test_a_condition_is_named_while_it_holds(
    operator: Client,
    well: Well,
    monkeypatch: pytest.MonkeyPatch,
    condition: tuple[Callable[[], Callable[[], object]], str, str],
) -> None:
    cause, title, why = condition
    monkeypatch.setattr(work, "MANY", 3)
    for factory in (SourceLocationFactory, BufferLocationFactory, ArchiveLocationFactory):
        factory.create()
    well()
    assert attention(operator) == {}

    end = cause()

    found = attention(operator)
    assert list(found) == [title]
    assert why in " ".join(line.why for line in found[title].lines)
    notification_loop.evaluate()
    assert set(Alert.objects.open().values_list("kind", flat=True)) == {title}
    end()
    assert attention(operator) == {}
    Alert.objects.update(last_seen=timezone.now() - timedelta(minutes=1))
    notification_loop.evaluate()
    assert not Alert.objects.open().exists()


def test_the_store_of_a_silent_worker_is_not_blamed(operator: Client, well: Well) -> None:
    location = BufferLocationFactory.create()
    well()
    long_ago = timezone.now() - timedelta(hours=1)
    change(checked_at=long_ago)
    LocationCheckFactory.create(in_progress=True, started_at=long_ago, location=location)
    ServiceHeartbeat.objects.filter(service_type="location").update(last_seen=long_ago)

    assert list(attention(operator)) == ["Services"]


def test_many_failures_of_one_cause_are_one_line_with_one_button(operator: Client, well: Well) -> None:
    archive = ArchiveLocationFactory.create()
    well()
    first = timezone.now() - timedelta(hours=3)
    LongTermArchiveTransferFactory.create(
        failed=True, location=archive, destination_location=archive, finished_at=first
    )
    LongTermArchiveTransferFactory.create_batch(4, failed=True, location=archive, destination_location=archive)
    LongTermArchiveTransferFactory.create(
        failed=True, location=archive, destination_location=archive, error_code="storage.no_space"
    )

    lines = {line.code: line for line in attention(operator)["Failed work"].lines}

    many, one = lines["storage.key_missing"], lines["storage.no_space"]
    assert (many.what, many.since) == (f"5 operations failed at {archive.full_name}", first)
    assert "There is no such file." in many.why
    assert [button.label for button in many.buttons] == ["Retry all", "Acknowledge all"]
    assert [button.label for button in one.buttons] == ["Retry", "Acknowledge"]

    retry = many.buttons[0]
    body = {"action": retry.name, "index": "0", "_selected_action": [retry.key]}
    operator.post(retry.action_url, body)

    assert list(attention(operator)["Failed work"].lines) == [one]
    assert RetryManager().run_once() == 5
    moving = Operation.objects.non_polymorphic().open().filter(location=archive)
    assert moving.count() == 5
    assert not Operation.objects.to_retry().exists()


def test_what_cannot_be_retried_is_acknowledged_when_another_has_replaced_it() -> None:
    old = LongTermArchiveTransferFactory.create(failed=True, retry_requested_at=timezone.now())
    LongTermArchiveTransferFactory.create(
        raw_data_package=old.raw_data_package, location=old.location, destination_location=old.location
    )

    assert RetryManager().run_once() == 0

    assert not Operation.objects.to_retry().exists()
    assert not Operation.objects.failed_unseen().exists()


def test_copies_set_aside_for_one_cause_are_one_line(operator: Client, well: Well) -> None:
    source = SourceLocationFactory.create()
    well()
    RawDataFilePhysicalCopyFactory.create_batch(
        3, data_location=source, integrity=Integrity.MISSING, error_code="file.missing", error_message="It is gone."
    )

    (line,) = attention(operator)["Files and packages set aside"].lines

    assert line.what == f"3 copies at {source.full_name}"
    again = line.buttons[0]
    operator.post(again.action_url, {"action": again.name, "index": "0", "_selected_action": [again.key]})
    assert "Files and packages set aside" not in attention(operator)


def test_a_failed_package_is_told_once(operator: Client, well: Well) -> None:
    failed = LongTermArchiveTransferFactory.create(failed=True)
    failed.raw_data_package.state = PackageState.FAILED
    failed.raw_data_package.save()
    well()

    assert list(attention(operator)) == ["Failed work"]
    Operation.objects.non_polymorphic().update(acknowledged_at=timezone.now() + timedelta(minutes=1))
    assert list(attention(operator)) == ["Packages that failed"]


@pytest.mark.parametrize(("hours", "speed"), [(1, 0.154), (6, 0.632), (48, 1.0)])
def test_the_speed_of_filling_is_averaged_over_hours(hours: int, speed: float) -> None:
    """One minus e to the minus hours through six, of a steady speed."""
    begun = timezone.now()
    location = BufferLocationFactory.build(checked_at=begun, used_bytes=0, capacity_bytes=10**13)
    for tens in range(1, hours * 6 + 1):
        now, used = begun + timedelta(minutes=10 * tens), tens * 600 * 10**8
        location.fill_bytes_per_s = location.fill_speed(used, now)
        location.used_bytes, location.checked_at = used, now

    assert location.fill_bytes_per_s == pytest.approx(speed * 10**8, rel=0.01)


def test_a_place_that_empties_is_never_full() -> None:
    location = BufferLocationFactory.build(checked_at=timezone.now(), used_bytes=1, capacity_bytes=10**13)
    location.fill_bytes_per_s = -5.0
    assert location.full_at is None
