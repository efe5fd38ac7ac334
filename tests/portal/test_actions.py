"""The buttons: each does one thing, writes the audit log with the person's name, and is nothing for viewers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.auth.guessing import account_key
from accounts.models import ApiToken, SystemLog
from ccatdc.common.states import Status
from datamgmt.models import Decision, PhysicalCopy, RawDataPackage
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus
from tests.factories.accounts import ApiTokenFactory, FailedLogInFactory, UserFactory
from tests.factories.datamgmt import (
    BufferLocationFactory,
    DataTransferPackageFactory,
    ProcessingRunFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    UnrecordedFileFactory,
    archive_package,
)
from tests.factories.notifications import AlertFactory, NotificationChannelFactory, OutgoingMessageFactory
from tests.factories.transfer import (
    DataTransferFactory,
    LocationCheckFactory,
    ProcessingJobFactory,
    ServiceHeartbeatFactory,
)
from transfer.models import CircuitBreaker, Deletion, LocationCheck, Operation, ProcessingJob
from transfer.models.operations import CANCELLED
from transfer.models.runs import JobStatus


@dataclass(frozen=True)
class Act:
    """One button: where it is, a row for which it makes sense, and what is true afterwards."""

    model: str
    action: str
    make: Callable[[], Any]
    done: Callable[[Any], bool]
    asks: bool = False

    @property
    def url(self) -> str:
        return reverse(f"admin:{self.model.replace('.', '_').lower()}_changelist")

    def body(self, row: Any, **more: str) -> dict[str, Any]:
        return {"action": self.action, "index": "0", "_selected_action": [row.pk], **more}


def failed_transfer() -> Any:
    package = RawDataPackageFactory.create(built=True, state=PackageState.FAILED)
    bundle = DataTransferPackageFactory.create(built=True, packages=[package])
    return DataTransferFactory.create(data_transfer_package=bundle, failed=True)


def failed_package() -> RawDataPackage:
    transfer = failed_transfer()
    package: RawDataPackage = transfer.packages().get()
    RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, data_location=transfer.location)
    return package


def failed_run() -> ProcessingJob:
    package = RawDataPackageFactory.create(archived=True)
    run = ProcessingRunFactory.create(status="failed", finished_at=timezone.now(), packages=[package])
    run.submitted_by = UserFactory.create(is_superuser=True)
    run.save()
    job: ProcessingJob = ProcessingJobFactory.create(processing_run=run, status=JobStatus.FAILED)
    return job


def guessed_at() -> Any:
    FailedLogInFactory.create()
    return UserFactory.create(username="guessed")


def paused_transfer() -> Any:
    return DataTransferFactory.create(paused_at=timezone.now(), lost_leases=8)


def damaged_file_copy() -> Any:
    return RawDataFilePhysicalCopyFactory.create(
        integrity=Integrity.DAMAGED, error_code="source.checksum", error_message="It differs."
    )


def copy_to_approve() -> Any:
    package = RawDataPackageFactory.create(archived=True)
    package.archived_at = timezone.now() - timedelta(days=400)
    package.save()
    archived = archive_package(package)
    PhysicalCopy.objects.filter(pk=archived.pk).update(verified_at=timezone.now())
    location = BufferLocationFactory.create(deletion_mode="approval")
    return RawDataPackagePhysicalCopyFactory.create(
        raw_data_package=package, data_location=location, status=PhysicalCopyStatus.DELETION_PENDING
    )


def open_breaker() -> CircuitBreaker:
    return CircuitBreaker.objects.create(
        location=BufferLocationFactory.create(),
        scope="location",
        failures=6,
        opened_at=timezone.now(),
        next_trial_at=timezone.now() + timedelta(minutes=5),
    )


def status_of(operation: Any) -> str:
    return str(Operation.objects.non_polymorphic().values_list("status", flat=True).get(pk=operation.pk))


def is_moving(operation: Any) -> bool:
    row = Operation.objects.non_polymorphic().get(pk=operation.pk)
    return row.status in (Status.PENDING, Status.SCHEDULED) and row.paused_at is None


def fresh(row: Any) -> Any:
    return type(row)._default_manager.get(pk=row.pk)


def lost_package() -> Any:
    """An object with name and size of a package."""
    package = RawDataPackageFactory.create(archived=True)
    return UnrecordedFileFactory.create(key=f"a/{package.name}.1-1.tar", size=package.size, raw_data_package=package)


def silenced() -> Any:
    return AlertFactory.create(silenced_until=timezone.now() + timedelta(hours=1))


def silent_for(row: Any) -> float:
    """Hours from now."""
    until = fresh(row).silenced_until
    return float((until - timezone.now()).total_seconds() / 3600) if until else 0.0


ACTS = [
    Act("transfer.Operation", "retry_selected", failed_transfer, is_moving),
    Act("transfer.Operation", "resume_selected", paused_transfer, is_moving),
    Act(
        "transfer.Operation",
        "cancel_selected",
        DataTransferFactory.create,
        lambda row: status_of(row) == Status.FAILED and fresh(row).error_code == CANCELLED,
        asks=True,
    ),
    Act(
        "transfer.Operation",
        "acknowledge_selected",
        failed_transfer,
        lambda row: not Operation.objects.failed_unseen().filter(pk=row.pk).exists(),
    ),
    Act("transfer.DataTransfer", "retry_selected", failed_transfer, is_moving),
    Act(
        "transfer.Operation",
        "retry_cause_selected",
        failed_transfer,
        lambda row: Operation.objects.to_retry().filter(pk=row.pk).exists(),
    ),
    Act(
        "transfer.Operation",
        "acknowledge_cause_selected",
        failed_transfer,
        lambda row: not Operation.objects.failed_unseen().filter(pk=row.pk).exists(),
    ),
    Act(
        "transfer.ServiceHeartbeat",
        "take_out_of_use_selected",
        lambda: ServiceHeartbeatFactory.create(silent=True),
        lambda row: fresh(row).stopped_at is not None,
        asks=True,
    ),
    Act(
        "transfer.ProcessingJob",
        "cancel_selected",
        ProcessingJobFactory.create,
        lambda row: fresh(row).cancel_requested_at is not None,
        asks=True,
    ),
    Act(
        "transfer.ProcessingJob",
        "retry_selected",
        failed_run,
        lambda row: ProcessingJob.objects.filter(retry_of=row).exists(),
    ),
    Act("transfer.CircuitBreaker", "reset_selected", open_breaker, lambda row: fresh(row).opened_at is None),
    Act(
        "datamgmt.RawDataPackage",
        "send_again_selected",
        failed_package,
        lambda row: fresh(row).state == PackageState.TRANSFERRING,
    ),
    Act(
        "datamgmt.PhysicalCopy",
        "check_again_selected",
        damaged_file_copy,
        lambda row: fresh(row).integrity == Integrity.UNVERIFIED and fresh(row).error_code == "",
    ),
    Act(
        "datamgmt.PhysicalCopy",
        "check_cause_again_selected",
        damaged_file_copy,
        lambda row: fresh(row).integrity == Integrity.UNVERIFIED,
    ),
    Act(
        "datamgmt.RawDataFile",
        "check_again_selected",
        lambda: damaged_file_copy().raw_data_file,
        lambda row: row.copies.get().integrity == Integrity.UNVERIFIED,
    ),
    Act(
        "datamgmt.PhysicalCopy",
        "approve_selected",
        copy_to_approve,
        lambda row: fresh(row).status == PhysicalCopyStatus.DELETION_SCHEDULED and Deletion.objects.count() == 1,
        asks=True,
    ),
    Act(
        "datamgmt.DataLocation",
        "check_selected",
        lambda: BufferLocationFactory.create(registered_at=timezone.now()),
        lambda row: LocationCheck.objects.filter(location=row).count() == 1,
    ),
    Act(
        "accounts.User",
        "let_in_selected",
        guessed_at,
        lambda row: not AccessAttempt.objects.filter(username=account_key(row.username)).exists(),
    ),
    Act(
        "accounts.FailedLogIn",
        "forget_selected",
        FailedLogInFactory.create,
        lambda row: not AccessAttempt.objects.filter(ip_address=row.ip_address).exists(),
        asks=True,
    ),
    Act(
        "accounts.ApiToken",
        "revoke_selected",
        ApiTokenFactory.create,
        lambda row: not ApiToken.objects.usable().filter(pk=row.pk).exists(),
        asks=True,
    ),
    Act("datamgmt.UnrecordedFile", "adopt_selected", lost_package, lambda row: fresh(row).decision == Decision.ADOPT),
    Act(
        "datamgmt.UnrecordedFile",
        "remove_selected",
        UnrecordedFileFactory.create,
        lambda row: fresh(row).decision == Decision.REMOVE,
        asks=True,
    ),
    Act(
        "datamgmt.UnrecordedFile",
        "keep_selected",
        UnrecordedFileFactory.create,
        lambda row: fresh(row).decision == Decision.KEEP,
    ),
    Act("notifications.Alert", "acknowledge_selected", AlertFactory.create, lambda row: fresh(row).acknowledged_by),
    Act("notifications.Alert", "silence_hour_selected", AlertFactory.create, lambda row: 0.9 < silent_for(row) <= 1),
    Act("notifications.Alert", "silence_shift_selected", AlertFactory.create, lambda row: 7.9 < silent_for(row) <= 8),
    Act("notifications.Alert", "end_silence_selected", silenced, lambda row: not silent_for(row)),
    Act(
        "notifications.NotificationChannel",
        "send_test_selected",
        NotificationChannelFactory.create,
        lambda row: row.messages.waiting().filter(subject="[CCAT] Test message").exists(),
    ),
    Act(
        "notifications.OutgoingMessage",
        "send_again_selected",
        lambda: OutgoingMessageFactory.create(given_up_at=timezone.now()),
        lambda row: fresh(row).given_up_at is None,
    ),
    Act(
        "notifications.OutgoingMessage",
        "remove_selected",
        OutgoingMessageFactory.create,
        lambda row: not type(row).objects.filter(pk=row.pk).exists(),
        asks=True,
    ),
]


@pytest.fixture(params=ACTS, ids=lambda act: f"{act.model}.{act.action}")
def act(request: pytest.FixtureRequest) -> Act:
    found: Act = request.param
    return found


def test_an_action_does_it_and_the_diary_says_who(operator: Client, act: Act) -> None:
    row = act.make()
    assert not act.done(row)
    before = SystemLog.objects.count()

    response = operator.post(act.url, act.body(row, confirmed="1"), follow=True)

    assert response.status_code == 200
    assert act.done(row), [str(message) for message in response.context["messages"]]
    lines = SystemLog.objects.filter(user__username="admin")
    assert SystemLog.objects.count() > before
    assert lines.exists()


def test_a_viewer_changes_nothing(viewer: Client, act: Act) -> None:
    row = act.make()

    viewer.post(act.url, act.body(row, confirmed="1"))

    assert not act.done(row)
    assert not SystemLog.objects.filter(user__username="viewer").exists()


@pytest.mark.parametrize("act", [act for act in ACTS if act.asks], ids=lambda act: act.action, indirect=False)
def test_a_dangerous_action_asks_first(operator: Client, act: Act) -> None:
    row = act.make()

    question = operator.post(act.url, act.body(row))

    assert question.status_code == 200
    assert str(row) in question.content.decode()
    assert not act.done(row)


def test_every_action_is_tried_here() -> None:
    tried = {act.action for act in ACTS}
    existing = {
        name
        for page in admin.site._registry.values()
        if page.opts.app_label in ("accounts", "datamgmt", "transfer", "planning", "observatory", "notifications")
        for name in page.actions or []
        # Those on many rows at once are in test_bulk_actions.py.
        if not getattr(getattr(page, str(name)), "together", False)
    }

    assert existing == tried


def test_the_button_stands_on_the_page_of_the_row(operator: Client, viewer: Client) -> None:
    operation = failed_transfer()
    address = reverse("admin:transfer_operation_change", args=[operation.pk])

    assert 'value="retry_selected"' in operator.get(address).content.decode()
    assert 'value="cancel_selected"' not in operator.get(address).content.decode()
    assert 'value="retry_selected"' not in viewer.get(address).content.decode()


def test_after_the_button_one_is_back_where_it_stood(operator: Client) -> None:
    operation = failed_transfer()
    act = ACTS[0]

    response = operator.post(act.url, act.body(operation, next="/portal/"))

    assert response.headers["Location"] == "/portal/"


def test_nobody_is_sent_to_another_site(operator: Client) -> None:
    operation = failed_transfer()
    act = ACTS[0]

    response = operator.post(act.url, act.body(operation, next="https://elsewhere.example/"))

    assert "elsewhere" not in response.headers["Location"]


def test_an_act_that_makes_no_sense_says_why_and_does_the_others(operator: Client) -> None:
    good, over = failed_transfer(), DataTransferFactory.create(completed=True)
    body = {"action": "retry_selected", "index": "0", "_selected_action": [over.pk, good.pk]}

    response = operator.post(ACTS[0].url, body, follow=True)

    said = [str(message) for message in response.context["messages"]]
    assert is_moving(good)
    assert status_of(over) == Status.COMPLETED
    assert any("cannot become" in text for text in said), said


def test_more_rows_than_one_click_may_move_are_refused(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccatdc.common.admin.actions.MOST_AT_ONCE", 1)
    first, second = failed_transfer(), failed_transfer()
    body = {"action": "retry_selected", "index": "0", "_selected_action": [first.pk, second.pk]}

    response = operator.post(ACTS[0].url, body, follow=True)

    assert "at most 1 at once" in str(next(iter(response.context["messages"])))
    assert not is_moving(first)


def test_a_check_that_waits_is_brought_forward_and_not_doubled(operator: Client) -> None:
    location = BufferLocationFactory.create(registered_at=timezone.now())
    waiting = LocationCheckFactory.create(location=location, run_after=timezone.now() + timedelta(hours=1))
    act = next(act for act in ACTS if act.action == "check_selected")

    operator.post(act.url, act.body(location))

    row = LocationCheck.objects.get(location=location)
    assert row.pk == waiting.pk
    assert row.run_after <= timezone.now()


def test_sending_again_what_did_not_fail_is_refused(operator: Client) -> None:
    package = RawDataPackageFactory.create(archived=True)
    act = next(act for act in ACTS if act.action == "send_again_selected")

    response = operator.post(act.url, act.body(package), follow=True)

    assert "has not failed" in str(next(iter(response.context["messages"])))
    assert fresh(package).state == PackageState.ARCHIVED


@pytest.mark.django_db
def test_a_later_failure_of_an_acknowledged_operation_is_news_again() -> None:
    operation = failed_transfer()
    seen = Operation.objects.non_polymorphic().filter(pk=operation.pk)
    seen.update(acknowledged_at=timezone.now())
    assert not Operation.objects.failed_unseen().exists()

    seen.update(finished_at=timezone.now() + timedelta(seconds=1))

    assert Operation.objects.failed_unseen().get().pk == operation.pk
