"""What dead workers held goes back, without blaming the work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import SystemLog
from ccatdc.common.states import Status
from tests.factories.datamgmt import BufferLocationFactory, SourceLocationFactory
from tests.factories.transfer import DeletionFactory, LocationCheckFactory, RawDataPackageCreationFactory
from transfer.engine import dispatch, watchdog
from transfer.engine.worker import runner
from transfer.models import CircuitBreaker, Operation
from transfer.models.operations import MAX_LOST_LEASES

pytestmark = pytest.mark.django_db


def held(expired_seconds: float = 1, **fields: Any) -> Operation:
    """In progress; its lease ended so long ago."""
    until = timezone.now() - timedelta(seconds=expired_seconds)
    return DeletionFactory.create(in_progress=True, lease_until=until, **fields)


def test_an_expired_lease_is_given_back_without_an_attempt() -> None:
    operation = held(attempts=2)
    assert watchdog.recover() == 1
    operation.refresh_from_db()
    assert (operation.status, operation.attempts, operation.lost_leases) == (Status.PENDING, 2, 1)
    assert (operation.owner, operation.lease_until) == ("", None)
    assert operation.error_code == "operation.lease_lost"
    wait = (operation.run_after - timezone.now()).total_seconds()
    assert 0 < wait < 10
    assert not CircuitBreaker.objects.exists()


def test_the_mirror_of_the_status_goes_back_too() -> None:
    operation = RawDataPackageCreationFactory.create(
        in_progress=True, lease_until=timezone.now() - timedelta(seconds=1)
    )
    watchdog.recover()
    operation.raw_data_package.refresh_from_db()
    assert operation.raw_data_package.status == Status.PENDING


def test_a_lease_that_is_kept_is_left_alone() -> None:
    operation = held(expired_seconds=-60)
    assert watchdog.recover() == 0
    operation.refresh_from_db()
    assert operation.status == Status.IN_PROGRESS


def test_progress_since_the_claim_clears_the_count() -> None:
    operation = held(lost_leases=5, progress_at=timezone.now())
    watchdog.recover()
    operation.refresh_from_db()
    assert operation.lost_leases == 0


def test_what_loses_many_workers_without_progress_is_paused_and_reported() -> None:
    operation = held(lost_leases=MAX_LOST_LEASES - 1)
    watchdog.recover()
    operation.refresh_from_db()
    assert operation.status == Status.PENDING
    assert operation.paused_at is not None
    assert operation.error_code == "operation.paused"
    assert not dispatch.submit(operation)
    assert timedelta(minutes=14) < operation.run_after - timezone.now() < timedelta(minutes=16)
    line = SystemLog.objects.get(object_id=str(operation.pk))
    assert (line.level, line.context["code"]) == ("warning", "operation.paused")


@pytest.mark.parametrize(("lost", "hours"), [(MAX_LOST_LEASES + 1, 1), (MAX_LOST_LEASES + 30, 6)])
def test_the_pause_grows_each_time_up_to_the_longest(lost: int, hours: float) -> None:
    operation = held(lost_leases=lost)
    watchdog.recover()
    operation.refresh_from_db()
    wait = (operation.run_after - timezone.now()) / timedelta(hours=1)
    assert wait == pytest.approx(hours, rel=0.01)


def test_a_paused_operation_goes_on_by_itself() -> None:
    operation = held(lost_leases=MAX_LOST_LEASES - 1)
    watchdog.recover()
    Operation.objects.filter(pk=operation.pk).update(run_after=timezone.now())
    assert dispatch.dispatch_due() == 1
    claimed = runner.claim(operation.pk)
    assert claimed is not None
    assert claimed[0].paused_at is None


def test_one_that_was_to_be_cancelled_is_not_started_again() -> None:
    operation = held(cancel_requested_at=timezone.now())
    watchdog.recover()
    operation.refresh_from_db()
    assert (operation.status, operation.error_code) == (Status.FAILED, "operation.cancelled")


def test_a_dead_cluster_gives_back_its_own_operations_at_once() -> None:
    mine = held(expired_seconds=-60, owner="host:aaaa:17:1", subject="a")
    other = held(expired_seconds=-60, owner="host:bbbb:18:1", subject="b")
    assert watchdog.release("host:aaaa:") == 1
    for operation, status in ((mine, Status.PENDING), (other, Status.IN_PROGRESS)):
        operation.refresh_from_db()
        assert operation.status == status


def test_workers_that_start_give_back_the_checks_that_a_killed_host_left() -> None:
    lease = {"in_progress": True, "lease_until": timezone.now() + timedelta(minutes=5)}
    here, elsewhere = BufferLocationFactory.create(), SourceLocationFactory.create()
    left = LocationCheckFactory.create(location=here, **lease)
    kept = [LocationCheckFactory.create(location=elsewhere, **lease), DeletionFactory.create(location=here, **lease)]

    assert watchdog.release_checks([here.pk]) == 1

    left.refresh_from_db()
    assert left.status == Status.PENDING
    for operation in kept:
        operation.refresh_from_db()
        assert operation.status == Status.IN_PROGRESS


@pytest.mark.django_db(transaction=True)
def test_a_row_that_another_process_handles_is_skipped(locked_elsewhere: Any) -> None:
    operation = held()
    with locked_elsewhere(operation):
        assert watchdog.recover() == 0
    assert watchdog.recover() == 1


def test_a_round_without_work_costs_two_queries() -> None:
    held(expired_seconds=-60)
    DeletionFactory.create(subject="b")
    with CaptureQueriesContext(connection) as queries:
        assert watchdog.watch() == 0
    assert len(queries) == 2


def test_recovered_work_may_be_claimed_again() -> None:
    operation = held()
    watchdog.recover()
    Operation.objects.filter(pk=operation.pk).update(run_after=timezone.now())
    assert dispatch.dispatch_due() == 1
