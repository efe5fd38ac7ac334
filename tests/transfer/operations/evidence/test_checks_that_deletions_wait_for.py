"""A deletion waits for looks at archive copies and for reads of them, and goes on by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from datamgmt.models import DeletionMode, PhysicalCopy
from datamgmt.states import Integrity, PhysicalCopyStatus, WantedCheck
from tests.factories.accounts import UserFactory
from tests.flow import Flow
from tests.transfer.operations.evidence.spoiled import FILES, age, flip, left, only_at_source, remove, spoil_object
from tests.transfer.world import change
from transfer.engine.worker.runner import run_operation
from transfer.models import Deletion, Verification
from transfer.operations import s70_delete
from transfer.retention.deletions import approve, schedule


@pytest.fixture
def blind(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """The hosts that delete have no credentials of the archive; what is done while they wait."""
    done: list[Callable[[], object]] = []
    key = f"CCATDC_S3_{flow.archive.full_name.upper()}_SECRET_KEY"

    def elsewhere(_: float) -> None:
        with pytest.MonkeyPatch.context() as there:
            there.setenv(key, flow.secret_key)
            for action in done:
                action()

    monkeypatch.setattr(s70_delete, "sleep", elsewhere)
    monkeypatch.setattr(s70_delete, "LOOK_SECONDS", 0.5)
    return done


def delete_without_credentials(flow: Flow) -> None:
    """One pass of the deletions."""
    flow.plan("delete")
    with pytest.MonkeyPatch.context() as here:
        here.delenv(f"CCATDC_S3_{flow.archive.full_name.upper()}_SECRET_KEY")
        flow.run_scheduled()


def scrub(flow: Flow) -> None:
    """A worker of the archive."""
    flow.plan("scrub")
    for pk in Verification.objects.filter(status="scheduled").values_list("pk", flat=True):
        run_operation(pk)


def test_a_host_that_cannot_ask_the_store_has_it_asked(
    flow: Flow, archived: PhysicalCopy, blind: list[Callable[[], object]]
) -> None:
    blind.append(lambda: scrub(flow))
    delete_without_credentials(flow)
    assert left(flow.output_buffer) == []
    assert {each.kind for each in Verification.objects.all()} == {"look"}


def test_a_host_that_cannot_ask_the_store_keeps_what_the_archive_lost(
    flow: Flow, archived: PhysicalCopy, blind: list[Callable[[], object]]
) -> None:
    spoil_object(flow, archived, remove)
    blind.append(lambda: scrub(flow))
    delete_without_credentials(flow)
    assert left(flow.output_buffer) != []
    archived.refresh_from_db()
    assert archived.integrity == Integrity.MISSING


def test_where_nobody_asks_the_store_the_deletion_waits(
    flow: Flow, archived: PhysicalCopy, blind: list[Callable[[], object]]
) -> None:
    delete_without_credentials(flow)
    assert left(flow.output_buffer) != []
    found = Deletion.objects.values_list("status", "attempts", "error_code")
    assert set(found) == {("pending", 0, "deletion.waits_for_check")}
    scrub(flow)
    with pytest.MonkeyPatch.context() as here:
        here.delenv(f"CCATDC_S3_{flow.archive.full_name.upper()}_SECRET_KEY")
        flow.retry_now()
    assert left(flow.output_buffer) == []
    assert set(Deletion.objects.values_list("status", flat=True)) == {"completed"}


def test_of_the_last_two_copies_that_go_at_once_one_waits_for_a_read(flow: Flow, archived: PhysicalCopy) -> None:
    """The files at SOURCE and the tar in Cologne, each scheduled on the strength of the other."""
    change(flow.source, deletion_mode=DeletionMode.OFF)
    change(flow.input_buffer, deletion_mode=DeletionMode.OFF)
    flow.run()
    age(flow, 2)
    for place in (flow.source, flow.input_buffer):
        change(place, deletion_mode=DeletionMode.AUTOMATIC)
    spoil_object(flow, archived, flip)
    copies = PhysicalCopy.objects.non_polymorphic()
    for place in (flow.source, flow.input_buffer):
        schedule(place, list(copies.at(place).deletable_states().values_list("pk", flat=True)))
    flow.run_scheduled()
    assert left(flow.source) or left(flow.input_buffer)
    flow.run()
    flow.retry_now()
    flow.run()
    good = PhysicalCopy.objects.at(flow.archive).existing().get()
    assert (good.integrity, good.pk != archived.pk) == (Integrity.OK, True)
    assert left(flow.source) == left(flow.input_buffer) == []


def test_an_approved_deletion_reads_the_archive_first(flow: Flow, archived: PhysicalCopy) -> None:
    only_at_source(flow)
    change(flow.source, deletion_mode=DeletionMode.APPROVAL)
    flow.run()
    age(flow, 300)
    flow.plan("delete")
    pending = list(PhysicalCopy.objects.at(flow.source).existing())
    assert {copy.status for copy in pending} == {PhysicalCopyStatus.DELETION_PENDING}
    approve(pending, UserFactory.create())
    flow.run_scheduled()
    assert left(flow.source) == sorted(FILES)
    flow.run()
    flow.retry_now()
    assert left(flow.source) == []
    assert Verification.objects.get().kind == "read"


def test_what_a_killed_attempt_had_begun_waits_for_a_check_too(flow: Flow, archived: PhysicalCopy) -> None:
    only_at_source(flow)
    flow.plan("delete")
    copies = PhysicalCopy.objects.non_polymorphic().at(flow.source)
    assert set(copies.values_list("status", flat=True)) == {PhysicalCopyStatus.DELETION_SCHEDULED}
    copies.update(status=PhysicalCopyStatus.DELETION_IN_PROGRESS)
    age(flow, 2)
    flow.run_scheduled()
    assert left(flow.source) == sorted(FILES), "the archive was read two days ago"
    assert PhysicalCopy.objects.get(pk=archived.pk).wanted_check == WantedCheck.READ
    flow.run()
    assert left(flow.source) == []
    assert flow.failures() == []
