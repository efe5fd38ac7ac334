"""Claim, work, end: every way in which a run can go."""

from __future__ import annotations

import errno
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from accounts.models import SystemLog
from ccatdc.common.errors import CcatError, ConfigurationError, LeaseLostError, NoSpaceError, StorageError
from ccatdc.common.states import Status
from tests.factories.transfer import DataTransferFactory, DeletionFactory, RawDataPackageCreationFactory, StagingFactory
from tests.transfer.fakes import FakeOperation
from transfer.engine import dispatch
from transfer.engine.worker import runner, this_process
from transfer.engine.worker.lease import Drain
from transfer.engine.worker.logs import end_of_log
from transfer.models import CircuitBreaker, DataTransferLog, Operation, StagingJobLog

pytestmark = pytest.mark.django_db


def run(operation: Operation) -> Operation:
    """Submit and run in this process; the row afterwards."""
    assert dispatch.submit(operation)
    runner.run_operation(operation.pk)
    operation.refresh_from_db()
    return operation


def raise_(error: BaseException) -> Any:
    """A script that raises."""

    def script(_: FakeOperation) -> None:
        raise error

    return script


def test_a_run_goes_through_all_steps_and_completes(fake: type[FakeOperation]) -> None:
    operation = run(DeletionFactory.create())
    assert fake.calls == ["init", "prepare", "work", "verify", "record", "finished"]
    assert operation.status == Status.COMPLETED
    assert operation.claims == 1
    assert operation.finished_at is not None
    assert operation.lease_until is None
    assert operation.error_code == ""


def test_problems_and_progress_stay_in_the_row(fake: type[FakeOperation]) -> None:
    def script(handler: FakeOperation) -> None:
        handler.problems.append({"code": "integrity.mismatch", "subject": "a", "message": "b"})
        handler.lease.check(700, 1000)
        handler.lease.check(1000)

    fake.script = script
    operation = run(DeletionFactory.create())
    assert operation.problems[0]["code"] == "integrity.mismatch"
    assert (operation.progress_bytes, operation.total_bytes) == (1000, 1000)


def test_the_mirror_of_the_status_follows(fake: type[FakeOperation]) -> None:
    seen: list[str] = []

    def script(handler: FakeOperation) -> None:
        seen.append(type(package).objects.get(pk=package.pk).status)
        raise ConfigurationError("No tar today.")

    fake.script = script
    operation = RawDataPackageCreationFactory.create()
    package = operation.raw_data_package
    run(operation)
    package.refresh_from_db()
    assert [*seen, package.status] == [Status.IN_PROGRESS, Status.FAILED]


def test_only_a_scheduled_operation_is_run(fake: type[FakeOperation]) -> None:
    operation = DeletionFactory.create()
    runner.run_operation(operation.pk)
    operation.refresh_from_db()
    assert operation.status == Status.PENDING
    runner.run_operation(operation.pk + 1000)
    assert fake.calls == []


def test_a_second_message_for_a_finished_operation_does_nothing(fake: type[FakeOperation]) -> None:
    operation = run(DeletionFactory.create())
    runner.run_operation(operation.pk)
    assert fake.calls.count("work") == 1


@pytest.mark.parametrize("switch", ["location", "site", "later", "breaker"])
def test_what_may_not_run_now_goes_back_to_pending(fake: type[FakeOperation], switch: str) -> None:
    operation = DeletionFactory.create()
    assert dispatch.submit(operation)
    rows = Operation.objects.filter(pk=operation.pk)
    match switch:
        case "location":
            operation.location.active = False
            operation.location.save()
        case "site":
            operation.location.site.active = False
            operation.location.site.save()
        case "later":
            rows.update(run_after=timezone.now() + timedelta(hours=1))
        case "breaker":
            CircuitBreaker.objects.create(
                location=operation.location,
                scope="location",
                opened_at=timezone.now(),
                next_trial_at=timezone.now() + timedelta(minutes=5),
            )
    runner.run_operation(operation.pk)
    operation.refresh_from_db()
    assert operation.status == Status.PENDING
    assert operation.claims == 0
    assert fake.calls == []


def test_the_claim_removes_the_message(fake: type[FakeOperation]) -> None:
    operation = DeletionFactory.create()
    dispatch.submit(operation)
    message = OrmQ.objects.get()
    assert runner.claim(operation.pk, message.pk) is not None
    assert not OrmQ.objects.exists()


def test_the_claim_is_one_update_that_tests_the_status_itself(fake: type[FakeOperation]) -> None:
    operation = DeletionFactory.create()
    dispatch.submit(operation)
    with CaptureQueriesContext(connection) as queries:
        runner.claim(operation.pk)
    update = next(q["sql"] for q in queries if q["sql"].startswith('UPDATE "operation"'))
    head = update.partition("EXISTS")[0]
    assert '"operation"."status" IN' in head
    assert '"operation"."id" IN (SELECT' not in update


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_wins_the_claim(fake: type[FakeOperation]) -> None:
    operation = DeletionFactory.create()
    dispatch.submit(operation)
    gate = threading.Barrier(6)
    won: list[object] = []

    def try_it() -> None:
        gate.wait()
        try:
            claimed = runner.claim(operation.pk)
            if claimed is not None:
                won.append(claimed)
        finally:
            connection.close()

    threads = [threading.Thread(target=try_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    operation.refresh_from_db()
    assert len(won) == 1
    assert (operation.status, operation.claims) == (Status.IN_PROGRESS, 1)


def test_a_retryable_error_waits_and_counts(fake: type[FakeOperation], settings: Any) -> None:
    settings.RETRY_BASE_SECONDS = 60.0
    fake.script = raise_(StorageError("The disk did not answer.", remedy="Look at its cable."))
    before = timezone.now()
    operation = run(DeletionFactory.create())
    assert operation.status == Status.PENDING
    assert (operation.attempts, operation.failures) == (0, 1)
    assert operation.error_code == "storage.io"
    assert operation.error_message == "The disk did not answer. Look at its cable."
    assert 29 < (operation.run_after - before).total_seconds() < 95
    assert fake.calls[-2:] == ["clean_up", "record_failure storage.io"]


def test_the_last_attempt_ends_in_failed(fake: type[FakeOperation]) -> None:
    fake.script = raise_(ZeroDivisionError("division by zero"))
    operation = run(DeletionFactory.create(attempts=4))
    assert operation.status == Status.FAILED
    assert operation.attempts == 5
    assert operation.finished_at is not None
    assert "division" in SystemLog.objects.get(object_id=str(operation.pk)).message


def again(operation: Operation) -> Operation:
    """Its wait is over; it runs once more."""
    Operation.objects.filter(pk=operation.pk).update(run_after=timezone.now())
    CircuitBreaker.objects.update(next_trial_at=timezone.now())
    operation.refresh_from_db()
    return run(operation)


def test_the_trouble_of_a_place_uses_up_no_attempt_however_long_it_lasts(fake: type[FakeOperation]) -> None:
    fake.script = raise_(StorageError("The disk did not answer."))
    operation = run(DeletionFactory.create())
    for _ in range(9):
        operation = again(operation)
    assert (operation.status, operation.attempts, operation.failures) == (Status.PENDING, 0, 10)
    breaker = CircuitBreaker.objects.open().get()
    assert operation.waits_for == breaker
    fake.script = None
    assert again(operation).status == Status.COMPLETED
    assert not CircuitBreaker.objects.open().exists()


def test_what_fails_while_its_place_is_well_uses_up_attempts(fake: type[FakeOperation]) -> None:
    """The store refuses this one, and takes all the others: it is not the store."""
    odd: Operation = DeletionFactory.create(subject="batch:odd")
    for number in range(6):
        fake.script = raise_(StorageError("400", code="storage.s3_refused"))
        odd = again(odd) if number else run(odd)
        fake.script = None
        run(DeletionFactory.create(location=odd.location, subject=f"batch:{number}"))
    assert (odd.status, odd.attempts) == (Status.FAILED, 5)
    assert not CircuitBreaker.objects.open().exists()


def test_a_wrong_key_never_uses_up_attempts(fake: type[FakeOperation]) -> None:
    operation: Operation = DeletionFactory.create(subject="batch:odd")
    for number in range(6):
        fake.script = raise_(StorageError("403", code="storage.s3_credentials"))
        operation = again(operation) if number else run(operation)
        fake.script = None
        CircuitBreaker.objects.update(last_success_at=timezone.now())
    assert (operation.status, operation.attempts) == (Status.PENDING, 0)


def test_what_a_retry_cannot_help_fails_at_once(fake: type[FakeOperation]) -> None:
    fake.script = raise_(ConfigurationError("The bucket is not ours."))
    operation = run(DeletionFactory.create())
    assert (operation.status, operation.attempts) == (Status.FAILED, 0)


def test_a_full_disk_waits_without_using_up_attempts(fake: type[FakeOperation]) -> None:
    fake.script = raise_(NoSpaceError("The buffer is full."))
    operation = run(DeletionFactory.create(attempts=4))
    assert (operation.status, operation.attempts) == (Status.PENDING, 4)
    assert CircuitBreaker.objects.open().get().scope == "writes"


@pytest.mark.parametrize(
    ("raised", "code", "status", "attempts"),
    [
        (OSError(errno.EIO, "input/output error"), "storage.os_error", Status.PENDING, 0),
        (OSError(errno.ENOSPC, "no space"), "storage.no_space", Status.PENDING, 0),
        (OperationalError("server closed"), "database.unavailable", Status.PENDING, 0),
        (ZeroDivisionError("division by zero"), "internal.error", Status.PENDING, 1),
    ],
)
def test_foreign_exceptions_get_a_code(
    fake: type[FakeOperation], raised: Exception, code: str, status: str, attempts: int
) -> None:
    fake.script = raise_(raised)
    operation = run(DeletionFactory.create())
    assert (operation.error_code, operation.status) == (code, status)
    assert operation.attempts == attempts


def test_the_time_limit_of_django_q_is_an_error_like_others(fake: type[FakeOperation]) -> None:
    from django_q.exceptions import TimeoutException

    fake.script = raise_(TimeoutException("too long"))
    operation = run(DeletionFactory.create())
    assert (operation.error_code, operation.status) == ("operation.timeout", Status.PENDING)


def test_a_drained_operation_goes_back_without_an_attempt(fake: type[FakeOperation]) -> None:
    fake.script = raise_(Drain("The worker was asked to stop."))
    operation = run(DeletionFactory.create())
    assert (operation.status, operation.attempts, operation.error_code) == (Status.PENDING, 0, "")
    assert operation.run_after <= timezone.now()
    assert fake.calls[-1] == "clean_up"


def test_a_draining_worker_gives_up_at_the_next_check(
    fake: type[FakeOperation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(this_process, "draining", False)

    def script(handler: FakeOperation) -> None:
        handler.lease.check()
        this_process.draining = True
        handler.lease.check()
        pytest.fail("went on")

    fake.script = script
    operation = run(DeletionFactory.create())
    assert (operation.status, operation.attempts) == (Status.PENDING, 0)


def test_a_cancelled_operation_fails_with_its_own_code(fake: type[FakeOperation]) -> None:
    def script(handler: FakeOperation) -> None:
        dispatch.cancel(handler.operation, user=None)
        raise StorageError("It broke while it was cancelled.")

    fake.script = script
    operation = run(DeletionFactory.create())
    assert (operation.status, operation.error_code) == (Status.FAILED, "operation.cancelled")


def test_a_lost_lease_writes_nothing(fake: type[FakeOperation]) -> None:
    fake.script = raise_(LeaseLostError("Gone."))
    operation = run(DeletionFactory.create())
    assert operation.status == Status.IN_PROGRESS
    assert fake.calls == ["init", "prepare", "work"]


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_who_lost_the_operation_to_another_worker_changes_nothing(fake: type[FakeOperation], ends: str) -> None:
    def script(handler: FakeOperation) -> None:
        Operation.objects.filter(pk=handler.operation.pk).update(owner="somebody else")
        if ends == "badly":
            raise StorageError("It broke.")

    fake.script = script
    operation = run(DeletionFactory.create())
    assert (operation.status, operation.owner) == (Status.IN_PROGRESS, "somebody else")
    assert operation.error_code == ""
    assert "record" not in fake.calls
    assert "finished" not in fake.calls


def test_what_record_wrote_is_undone_when_it_fails(fake: type[FakeOperation]) -> None:
    fake.failing = {"record": StorageError("Could not record.")}
    operation = run(DeletionFactory.create())
    assert operation.status == Status.PENDING
    assert operation.error_message == "Could not record."
    assert operation.finished_at is None


@pytest.mark.parametrize("step", ["clean_up", "record_failure"])
def test_trouble_after_a_failure_does_not_hide_it(fake: type[FakeOperation], step: str) -> None:
    fake.script = raise_(ConfigurationError("The first error."))
    fake.failing = {step: RuntimeError("the second")}
    operation = run(DeletionFactory.create())
    assert (operation.status, operation.error_message) == (Status.FAILED, "The first error.")


def test_trouble_after_the_commit_does_not_undo_it(fake: type[FakeOperation]) -> None:
    fake.failing = {"finished": RuntimeError("no mail today")}
    operation = run(DeletionFactory.create())
    assert operation.status == Status.COMPLETED
    assert "no mail today" in (end_of_log(operation.log_path) or "")


def test_a_stage_that_cannot_be_loaded_is_an_error_of_the_operation(fake: type[FakeOperation]) -> None:
    fake.failing = {"init": ImportError("no module named s75_paint")}
    operation = run(DeletionFactory.create())
    assert (operation.status, operation.error_code) == (Status.PENDING, "internal.error")


def test_each_claim_has_a_log_with_the_traceback(fake: type[FakeOperation], tmp_path: Path) -> None:
    fake.script = raise_(ZeroDivisionError("division by zero"))
    operation = run(DeletionFactory.create())
    assert operation.log_path == f"operations/{operation.pk // 1000}/{operation.pk}-1.log"
    text = (tmp_path / "log" / operation.log_path).read_text()
    assert "Traceback" in text
    assert "ZeroDivisionError" in text
    assert "working on batch" in text
    Operation.objects.filter(pk=operation.pk).update(run_after=timezone.now())
    operation.refresh_from_db()
    assert run(operation).log_path.endswith(f"{operation.pk}-2.log")


def test_a_log_that_cannot_be_written_does_not_stop_the_work(fake: type[FakeOperation], tmp_path: Path) -> None:
    (tmp_path / "log").write_text("in the way")
    assert run(DeletionFactory.create()).status == Status.COMPLETED


def test_transfers_and_stagings_have_log_rows(fake: type[FakeOperation]) -> None:
    transfer = DataTransferFactory.create()
    run(transfer)
    staging = StagingFactory.create()
    run(staging)
    assert [e.status for e in DataTransferLog.objects.order_by("id")] == [Status.IN_PROGRESS, Status.COMPLETED]
    assert transfer.logs.latest("id").message == "Completed."
    assert StagingJobLog.objects.filter(staging_job=staging.staging_job).count() == 2


def test_the_database_going_away_at_the_end_does_not_lose_the_work(
    fake: type[FakeOperation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transfer.engine.worker.completion.time.sleep", lambda _: None)
    monkeypatch.setattr("transfer.engine.worker.completion.connection.close", lambda: None)
    broken = [OperationalError("server closed the connection")]

    class Flaky(FakeOperation):
        def record(self) -> None:
            super().record()
            if broken:
                raise broken.pop()

    monkeypatch.setattr("tests.transfer.fakes.FakeOperation", Flaky)
    operation = run(DeletionFactory.create())
    assert operation.status == Status.COMPLETED
    assert operation.claims == 1


def test_a_stopping_worker_does_not_wait_for_a_database_to_say_that_it_failed(
    fake: type[FakeOperation], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("transfer.engine.worker.completion.time.sleep", slept.append)
    monkeypatch.setattr("transfer.engine.worker.completion.connection.close", lambda: None)
    monkeypatch.setattr(this_process, "draining", True)
    fake.script = raise_(OperationalError("server closed"))

    class Away(FakeOperation):
        def record_failure(self, error: CcatError) -> None:
            raise OperationalError("still away")

    monkeypatch.setattr("tests.transfer.fakes.FakeOperation", Away)
    operation = DeletionFactory.create()
    with pytest.raises(OperationalError, match="still away"):
        run(operation)

    operation.refresh_from_db()
    assert (operation.status, slept) == (Status.IN_PROGRESS, [])


def test_an_error_of_ours_keeps_its_code(fake: type[FakeOperation]) -> None:
    fake.script = raise_(CcatError("Odd.", code="stage.odd", retryable=False))
    assert run(DeletionFactory.create()).error_code == "stage.odd"


@pytest.mark.parametrize(
    ("planned", "reported", "shown"),
    [
        (6, (10_240, None), (10_240, 10_240)),
        (100, (0, None), (100, 100)),
        (None, (50, 80), (50, 50)),
        (None, (0, None), (0, None)),
    ],
)
def test_progress_ends_at_a_hundred_percent(
    fake: type[FakeOperation], planned: int | None, reported: tuple[int, int | None], shown: tuple[int, int | None]
) -> None:
    fake.script = lambda handler: handler.lease.check(*reported)
    operation = run(DeletionFactory.create(total_bytes=planned))
    assert (operation.progress_bytes, operation.total_bytes) == shown
