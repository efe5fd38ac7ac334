"""What all managers share: one bad piece of work is reported and does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError

from ccatdc.common.errors import Blocked, ConflictError
from ccatdc.database_roles.granting import OWNER
from datamgmt.models import Site
from tests.factories.datamgmt import SiteFactory
from tests.roles import as_role
from transfer.managers.base import StageManager

pytestmark = pytest.mark.django_db


class Scripted(StageManager[str]):
    """Does with each piece of work what a test says."""

    name = "scripted"

    def __init__(self, **pieces: Callable[[], int]) -> None:
        super().__init__()
        self.pieces = pieces

    def find_work(self) -> Iterable[str]:
        return list(self.pieces)

    def plan(self, work: str) -> int:
        # Managers may not write the rows that stand for a plan here.
        with as_role(OWNER):
            return self.pieces[work]()


def raising(error: Exception) -> Callable[[], int]:
    """A piece of work that cannot be planned."""

    def plan() -> int:
        SiteFactory.create(short_name="half")
        raise error

    return plan


def one() -> int:
    """A piece of work that becomes one operation."""
    return 1


NO_BUFFER = Blocked("No active buffer.", code="route.no_buffer", remedy="Add one.")


def test_a_pass_counts_what_it_planned() -> None:
    manager = Scripted(a=one, b=lambda: 2, c=lambda: 0)
    assert manager.run_once() == 3
    assert manager.waiting == []


def test_what_waits_is_told_and_the_others_go_on() -> None:
    manager = Scripted(a=raising(NO_BUFFER), b=one)
    assert manager.run_once() == 1
    (entry,) = manager.waiting
    assert entry.pop("since")
    assert entry == {
        "stage": "scripted",
        "what": "a",
        "why": "No active buffer.",
        "remedy": "Add one.",
        "code": "route.no_buffer",
    }


def test_a_piece_that_cannot_be_planned_leaves_nothing_behind() -> None:
    Scripted(a=raising(NO_BUFFER), b=raising(ValueError("bad"))).run_once()
    assert not Site.objects.filter(short_name="half").exists()


def test_what_waits_for_the_same_thing_is_one_entry() -> None:
    other = Blocked("Another reason.", code="route.no_buffer")
    manager = Scripted(a=raising(NO_BUFFER), b=raising(NO_BUFFER), c=raising(NO_BUFFER), d=raising(other))
    manager.run_once()
    assert [entry["what"] for entry in manager.waiting] == ["a and 2 more", "d"]


def test_what_waits_no_more_is_gone_from_the_list() -> None:
    manager = Scripted(a=raising(NO_BUFFER))
    manager.run_once()
    manager.pieces["a"] = one
    assert manager.run_once() == 1
    assert manager.waiting == []


def test_how_long_it_waits_counts_from_the_first_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Scripted(a=raising(NO_BUFFER))
    manager.run_once()
    first = manager.waiting[0]["since"]
    manager._pass.waiting[NO_BUFFER.code, NO_BUFFER.message].since = "long ago"
    manager.run_once()
    assert manager.waiting[0]["since"] == "long ago" != first
    manager.pieces["a"] = one
    manager.run_once()
    manager.pieces["a"] = raising(NO_BUFFER)
    manager.run_once()
    assert manager.waiting[0]["since"] != "long ago"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConflictError("No.", code="some.conflict"), "some.conflict"),
        (ValueError("bad row"), "manager.unplannable"),
        (IntegrityError("check violated"), "manager.unplannable"),
    ],
)
def test_an_error_is_reported_and_the_others_go_on(
    error: Exception, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    manager = Scripted(a=raising(error), b=one)
    assert manager.run_once() == 1
    assert [entry["code"] for entry in manager.waiting] == [code]
    assert str(error) in manager.waiting[0]["why"]
    assert any(str(error) in record.getMessage() + str(record.exc_text) for record in caplog.records)


def test_a_database_that_is_away_ends_the_pass() -> None:
    manager = Scripted(a=raising(OperationalError("gone")), b=one)
    with pytest.raises(OperationalError):
        manager.run_once()


def collide() -> int:
    """What another manager has just made is made again."""
    for _ in range(2):
        Site.objects.create(short_name="twice", name="Twice")
    return 1


def test_what_another_process_planned_is_no_news_but_what_collides_again_is() -> None:
    manager = Scripted(a=collide, b=one)
    assert manager.run_once() == 1
    assert manager.waiting == []
    manager.run_once()
    assert [entry["code"] for entry in manager.waiting] == ["manager.unplannable"]
    assert "duplicate key" in manager.waiting[0]["why"]


def test_work_is_named_as_it_names_itself() -> None:
    class Thing:
        def __str__(self) -> str:
            return "3 files of orion"

    manager: Any = Scripted()
    manager.find_work = lambda: [Thing()]
    manager.plan = lambda work: raising(NO_BUFFER)()
    manager.run_once()
    assert manager.waiting[0]["what"] == "3 files of orion"
