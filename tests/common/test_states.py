"""States and how they change: one conditional UPDATE, which only one of several can win."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from ccatdc.common.errors import InvalidTransition
from ccatdc.common.states import STATUS_MOVES, Status, origins, transition, transition_all
from datamgmt.models import PhysicalCopy, RawDataPackage
from datamgmt.states import PackageState, PhysicalCopyStatus
from tests.factories.datamgmt import RawDataPackageFactory, RawDataPackagePhysicalCopyFactory
from tests.factories.transfer import DeletionFactory, LocationCheckFactory
from tests.transfer.parallel import at_once
from transfer.models import Operation

pytestmark = pytest.mark.django_db

MACHINES = [
    (model, field, moves)
    for app in ("planning", "datamgmt", "transfer")
    for model in apps.get_app_config(app).get_models()
    for field, moves in getattr(model, "machines", {}).items()
]


@pytest.mark.parametrize(("model", "field", "moves"), MACHINES)
def test_a_machine_knows_every_state_of_its_column_and_no_other(
    model: type[models.Model], field: str, moves: Any
) -> None:
    column: Any = model._meta.get_field(field)
    choices = {str(value) for value, _ in column.choices or ()}
    assert {str(state) for state in moves} == choices
    assert {str(state) for targets in moves.values() for state in targets} <= choices


def test_where_a_state_can_be_reached_from() -> None:
    assert origins(STATUS_MOVES, Status.IN_PROGRESS) == ["scheduled"]
    assert set(origins(STATUS_MOVES, Status.FAILED)) == {"pending", "scheduled", "in_progress"}


# One row


def test_a_row_moves_with_its_fields_and_agrees_with_the_table() -> None:
    check = LocationCheckFactory.create()
    transition(check, Status.SCHEDULED, scheduled_at=Now(), claims=F("claims") + 2)
    assert (check.status, check.claims) == (Status.SCHEDULED, 2)
    assert check.scheduled_at is not None
    stored = Operation.objects.get(pk=check.pk)
    assert (stored.status, stored.claims, stored.scheduled_at) == (check.status, 2, check.scheduled_at)


@pytest.mark.parametrize("to", [Status.COMPLETED, Status.IN_PROGRESS, Status.PENDING])
def test_a_move_that_the_machine_does_not_know_is_refused(to: str) -> None:
    check = LocationCheckFactory.create()
    with pytest.raises(InvalidTransition) as raised:
        transition(check, to)
    assert "it is pending" in raised.value.message
    assert Operation.objects.get(pk=check.pk).status == Status.PENDING


def test_what_the_row_in_memory_says_does_not_matter() -> None:
    check = LocationCheckFactory.create()
    stale = Operation.objects.get(pk=check.pk)
    transition(check, Status.SCHEDULED)
    with pytest.raises(InvalidTransition):
        transition(stale, Status.SCHEDULED)
    transition(stale, Status.FAILED)
    assert Operation.objects.get(pk=check.pk).status == Status.FAILED


def test_a_condition_narrows_the_move() -> None:
    check = LocationCheckFactory.create(in_progress=True)
    with pytest.raises(InvalidTransition) as raised:
        transition(check, Status.COMPLETED, where=Q(owner="somebody else"), lease_until=None)
    assert "not ours to change" in raised.value.message
    transition(check, Status.COMPLETED, where=Q(owner="worker-1"), lease_until=None)
    assert check.status == Status.COMPLETED


def test_a_row_that_is_gone_is_said_to_be_gone() -> None:
    copy = RawDataPackagePhysicalCopyFactory.create()
    PhysicalCopy.objects.filter(pk=copy.pk).delete()
    with pytest.raises(InvalidTransition) as raised:
        transition(copy, PhysicalCopyStatus.DELETION_SCHEDULED)
    assert "gone" in raised.value.message


def test_when_what_follows_fails_the_move_did_not_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Operation, _field: str, _to: str) -> None:
        raise ValueError("no")

    monkeypatch.setattr(Operation, "after_transition", fail)
    deletion = DeletionFactory.create()
    with pytest.raises(ValueError, match="no"), transaction.atomic():
        transition(deletion, Status.SCHEDULED)
    assert Operation.objects.get(pk=deletion.pk).status == Status.PENDING


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_wins() -> None:
    def try_to_take(pk: int) -> int:
        try:
            transition(Operation.objects.get(pk=pk), Status.SCHEDULED)
        except InvalidTransition:
            return 0
        return 1

    for _ in range(5):
        pk = DeletionFactory.create().pk
        assert sum(at_once(*[lambda pk=pk: try_to_take(pk) for _ in range(4)])) == 1


# Many rows


def test_rows_that_may_move_do_and_the_others_stay() -> None:
    packages = {state: RawDataPackageFactory.create(state=state) for state in PackageState}
    assert transition_all(RawDataPackage.objects.all(), PackageState.TRANSFERRING, field="state") == 2
    for before, package in packages.items():
        package.refresh_from_db()
        stays = before == PackageState.ARCHIVED
        assert package.state == (before if stays else PackageState.TRANSFERRING)


def test_only_rows_of_the_query_move() -> None:
    first, second = RawDataPackageFactory.create(), RawDataPackageFactory.create()
    rows = RawDataPackage.objects.filter(pk=first.pk)
    assert transition_all(rows, PackageState.TRANSFERRING, field="state") == 1
    second.refresh_from_db()
    assert second.state == PackageState.WAITING


@pytest.mark.parametrize("nothing", ["none", "empty"])
def test_nothing_moves_nothing(nothing: str) -> None:
    RawDataPackageFactory.create()
    rows = RawDataPackage.objects
    query = rows.none() if nothing == "none" else rows.filter(name="another")
    assert transition_all(query, PackageState.FAILED, field="state") == 0


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_each_row_moves_for_one() -> None:
    for _ in range(30):
        RawDataPackagePhysicalCopyFactory.create()
    rows = PhysicalCopy.objects.non_polymorphic()
    counts = at_once(*[lambda: transition_all(rows.all(), PhysicalCopyStatus.DELETION_SCHEDULED)] * 4)
    assert sum(counts) == 30


def test_the_database_knows_the_states_too() -> None:
    package = RawDataPackageFactory.create()
    with pytest.raises(IntegrityError), transaction.atomic():
        RawDataPackage.objects.filter(pk=package.pk).update(state="lost")
