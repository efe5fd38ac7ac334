"""The first page: one calm line when all is well, and for each kind of problem what, why and the button."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ccatdc import notification_loop
from ccatdc.common.states import Status
from datamgmt.models import DataLocation
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus
from notifications.models import Alert
from planning.models import ExecutedObsUnit
from tests.factories.datamgmt import (
    BufferLocationFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    SourceLocationFactory,
)
from tests.factories.planning import START, ExecutedObsUnitFactory
from tests.factories.transfer import (
    DataTransferFactory,
    DeletionFactory,
    LocationCheckFactory,
    LongTermArchiveTransferFactory,
    RawDataPackageCreationFactory,
    ServiceHeartbeatFactory,
    StagingFactory,
)
from tests.portal.test_actions import open_breaker
from transfer.models import Operation, ServiceHeartbeat
from transfer.pipeline import PIPELINE

#: Whatever there is to show: session, person, rights, and about one question for each panel.
MOST_QUERIES = 27


def page(client: Client) -> str:
    response = client.get(reverse("admin:index"))
    assert response.status_code == 200
    return response.content.decode()


def titles(client: Client) -> list[str]:
    return [group.title for group in client.get(reverse("admin:index")).context["overview"].attention]


def test_all_well_is_one_calm_line(operator: Client, well: Callable[[], None]) -> None:
    SourceLocationFactory.create()
    well()

    content = page(operator)

    assert "All is well." in content
    assert 'class="panel attention"' not in content


def test_work_under_way_is_no_trouble(operator: Client, well: Callable[[], None]) -> None:
    DataTransferFactory.create(in_progress=True, total_bytes=2000, progress_bytes=500)
    RawDataPackageCreationFactory.create()
    RawDataPackageFactory.create(archived=True, archived_at=timezone.now(), size=3 * 10**9)
    well()

    content = page(operator)

    assert "All is well." in content
    assert "2 operations under way. Archived in 24 h: 3 GB in 1 package." in " ".join(content.split())
    assert "500 B of 2 kB" in content


def silent_service() -> Any:
    return ServiceHeartbeatFactory.create(silent=True, service_type="location", name="x_y")


def failed_location() -> Any:
    return DataLocation.objects.non_polymorphic().update(check_error="The marker is missing.")


def full_location() -> Any:
    return DataLocation.objects.non_polymorphic().update(used_bytes=96 * 10**11)


def unregistered_location() -> Any:
    return DataLocation.objects.non_polymorphic().update(registered_at=None)


def forgotten_location() -> Any:
    long_ago = timezone.now() - timedelta(hours=3)
    return DataLocation.objects.non_polymorphic().update(checked_at=long_ago)


def without_worker() -> Any:
    return ServiceHeartbeat.objects.filter(service_type="location").delete()


def without_managers() -> Any:
    return ServiceHeartbeat.objects.filter(service_type="managers").delete()


def stalled() -> Any:
    long_ago = timezone.now() - timedelta(hours=5)
    return DataTransferFactory.create(in_progress=True, started_at=long_ago, location=SourceLocationFactory.create())


def never_ended() -> Any:
    return ExecutedObsUnitFactory.create(start_time=timezone.now() - timedelta(hours=9))


def to_approve() -> Any:
    return RawDataPackagePhysicalCopyFactory.create(
        data_location=SourceLocationFactory.create(), status=PhysicalCopyStatus.DELETION_PENDING
    )


def set_aside() -> Any:
    return RawDataFilePhysicalCopyFactory.create(
        integrity=Integrity.MISSING, error_code="source.missing", error_message="It is not there."
    )


PROBLEMS = [
    (silent_service, "Services", "manage.py run_location x_y", ""),
    (without_worker, "Services", "It never ran.", ""),
    (without_managers, "Services", "manage.py run_managers", ""),
    (failed_location, "Locations", "The marker is missing.", "Check now"),
    (full_location, "Locations", "nothing new is written there", "Check now"),
    (unregistered_location, "Locations", "manage.py register_location", ""),
    (forgotten_location, "Locations", "though its worker is alive", "Check now"),
    (stalled, "Work without progress", "No byte has moved", "Cancel"),
    (open_breaker, "Places held back", "after 6 failures in a row", "Reset"),
    (set_aside, "Files and packages set aside", "It is not there.", "Check again"),
    (to_approve, "Deletions to approve", "approval", ""),
    (never_ended, "Observations that never ended", "planned for 30 min", "Close"),
    (
        lambda: RawDataPackageFactory.create(built=True, state=PackageState.FAILED),
        "Packages that failed",
        "not on its way to the archive any more",
        "Resend",
    ),
    (lambda: LongTermArchiveTransferFactory.create(failed=True), "Failed work", "There is no such file.", "Retry"),
    (
        lambda: StagingFactory.create(paused_at=timezone.now(), lost_leases=8),
        "Paused work",
        "8 workers died in it",
        "Resume",
    ),
]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem[0].__name__)
def test_trouble_is_shown_with_its_reason_and_its_button(
    operator: Client, viewer: Client, well: Callable[[], None], problem: tuple[Callable[[], Any], str, str, str]
) -> None:
    cause, title, why, button = problem
    SourceLocationFactory.create()
    well()
    assert titles(operator) == []

    cause()

    content = page(operator)
    assert title in titles(operator)
    assert why in content
    assert "All is well." not in content
    notification_loop.evaluate()
    assert Alert.objects.open().filter(kind=title).exists()
    if button:
        assert f">{button}</button>" in content
        assert f">{button}</button>" not in page(viewer)


def test_what_was_cancelled_acknowledged_or_switched_off_is_no_trouble(
    operator: Client, well: Callable[[], None]
) -> None:
    DataTransferFactory.create(failed=True, error_code="operation.cancelled")
    later = timezone.now() + timedelta(minutes=1)
    LongTermArchiveTransferFactory.create(failed=True, acknowledged_at=later)
    LocationCheckFactory.create(failed=True)
    well()
    BufferLocationFactory.create(name="spare", active=False, registered_at=None)

    assert titles(operator) == []


def test_a_stopped_service_is_not_silent(operator: Client, well: Callable[[], None]) -> None:
    well()
    ServiceHeartbeatFactory.create(silent=True, name="old", service_type="location", stopped_at=timezone.now())

    assert titles(operator) == []


def test_stages_stand_in_the_order_of_the_flow_with_counts_and_the_oldest(operator: Client) -> None:
    hours_ago = timezone.now() - timedelta(hours=2)
    DataTransferFactory.create(created_at=hours_ago)
    DataTransferFactory.create(status=Status.SCHEDULED)
    DataTransferFactory.create(in_progress=True)
    DataTransferFactory.create(failed=True)
    DataTransferFactory.create(paused_at=timezone.now())
    DeletionFactory.create(completed=True)

    stages = operator.get(reverse("admin:index")).context["overview"].stages

    assert [line.label for line in stages] == [str(stage.operation_type.label) for stage in PIPELINE]
    transfers = next(line for line in stages if line.label == "Data transfer")
    assert transfers.counts == {"pending": 1, "scheduled": 1, "in_progress": 1, "paused": 1, "failed": 1}
    assert transfers.oldest == hours_ago
    assert next(line for line in stages if line.label == "Deletion").idle


def test_what_the_managers_could_not_plan_is_shown_once_with_its_reason(operator: Client) -> None:
    entry = {"stage": "bundle", "what": "12 packages at ccat_output_buffer", "why": "The bundle is closed in 3 h."}
    ServiceHeartbeatFactory.create(service_type="manager", name="bundle", waiting=[entry])
    ServiceHeartbeatFactory.create(waiting=[entry])
    ServiceHeartbeatFactory.create(service_type="manager", name="dead", silent=True, waiting=[{"what": "an old story"}])

    content = page(operator)

    assert content.count("The bundle is closed in 3 h.") == 1
    assert "an old story" not in content


def test_the_operations_that_wait_longest_say_why(operator: Client) -> None:
    for hours in range(1, 8):
        LongTermArchiveTransferFactory.create(created_at=timezone.now() - timedelta(hours=hours))
    DataTransferFactory.create(paused_at=timezone.now(), created_at=START)

    oldest = operator.get(reverse("admin:index")).context["overview"].oldest

    waited = [(timezone.now() - operation.created_at).total_seconds() // 3600 for operation, _ in oldest]
    assert waited == [7, 6, 5, 4, 3]
    assert {why for _, why in oldest} == {"No worker runs for cologne_long_term_archive."}
    assert "No worker runs for cologne_long_term_archive." in page(operator)


def test_packages_that_are_not_archived_are_counted_by_state(operator: Client) -> None:
    RawDataPackageFactory.create_batch(2)
    RawDataPackageFactory.create(built=True, state=PackageState.TRANSFERRING)
    RawDataPackageFactory.create(archived=True)

    overview = operator.get(reverse("admin:index")).context["overview"]

    assert overview.packages == {"waiting": 2, "transferring": 1, "failed": 0}
    # Archived in May: not in these 24 hours.
    assert (overview.archived_count, overview.archived_bytes) == (0, 0)


def test_the_last_observations_say_how_much_of_them_is_archived(operator: Client) -> None:
    execution = ExecutedObsUnitFactory.create(finished=True)
    RawDataPackageFactory.create(executed_obs_unit=execution, archived=True, size=4000)
    RawDataPackageFactory.create(executed_obs_unit=execution, built=True, size=6000)

    content = page(operator)

    assert "1 of 2 archived" in content
    assert "10 kB" in content


@pytest.mark.django_db
def test_an_execution_is_overdue_only_after_three_times_its_plan_and_an_hour() -> None:
    now = timezone.now()
    late = ExecutedObsUnitFactory.create(start_time=now - timedelta(minutes=3 * 30 + 61))
    ExecutedObsUnitFactory.create(start_time=now - timedelta(minutes=3 * 30 + 59))
    ExecutedObsUnitFactory.create(finished=True)

    assert list(ExecutedObsUnit.objects.overdue()) == [late]


def test_it_asks_a_handful_of_questions_however_much_there_is(
    operator: Client, one_of_each: None, well: Callable[[], None]
) -> None:
    address = reverse("admin:overview")
    operator.get(address)
    with CaptureQueriesContext(connection) as few:
        operator.get(address)
    for cause, *_ in PROBLEMS:
        if cause is not open_breaker:
            cause()
    DataTransferFactory.create_batch(15, failed=True)
    LongTermArchiveTransferFactory.create_batch(15, paused_at=timezone.now())
    RawDataFilePhysicalCopyFactory.create_batch(15, integrity=Integrity.DAMAGED)

    with CaptureQueriesContext(connection) as many:
        content = operator.get(address).content.decode()

    assert "Failed work" in content
    assert len(few) <= MOST_QUERIES
    assert len(many) <= MOST_QUERIES + 4, [query["sql"][:120] for query in many]


def test_more_trouble_than_is_shown_is_counted_and_linked(operator: Client) -> None:
    StagingFactory.create_batch(12, paused_at=timezone.now())

    response = operator.get(reverse("admin:index"))

    group = next(g for g in response.context["overview"].attention if g.title == "Paused work")
    assert (len(group.lines), group.count, group.more) == (10, 12, 2)
    assert operator.get(group.url).status_code == 200
    assert "2 others" in response.content.decode()


def test_every_link_of_a_troubled_page_leads_somewhere(operator: Client) -> None:
    SourceLocationFactory.create()
    for cause, *_ in PROBLEMS:
        cause()
    overview = operator.get(reverse("admin:index")).context["overview"]
    addresses = {line.url for line in overview.stages} | set(overview.urls.values())
    for group in overview.attention:
        addresses |= {group.url} | {line.url for line in group.lines}

    for address in addresses:
        response = operator.get(address)
        assert response.status_code == 200, address


def test_the_fragment_is_what_changes_and_needs_a_log_in(operator: Client) -> None:
    address = reverse("admin:overview")

    content = operator.get(address).content.decode()

    assert "<html" not in content
    assert "The flow" in content
    assert Client().get(address).status_code == 302


def test_without_javascript_the_page_reloads_itself(operator: Client) -> None:
    assert '<noscript><meta http-equiv="refresh"' in page(operator)


@pytest.mark.django_db
def test_paused_is_only_what_is_not_over() -> None:
    open_one = DataTransferFactory.create(paused_at=timezone.now())
    DataTransferFactory.create(paused_at=timezone.now(), failed=True)

    assert [each.pk for each in Operation.objects.paused()] == [open_one.pk]
