"""What a person may do about a refused call, and that it is written down."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import SystemLog, User
from ccatdc.common.errors import CcatError, InvalidTransition
from gateway.models import ItemStatus, OutboxItem
from gateway.outbox.correcting import correct, discard, resend
from planning.models import ExecutedObsUnit
from tests.api.bodies import file_body, finish_body, start_body
from tests.factories.accounts import UserFactory
from tests.factories.planning import ExecutedObsUnitFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    return UserFactory.create(username="ana")


@pytest.fixture
def execution() -> ExecutedObsUnit:
    return ExecutedObsUnitFactory.create()


def refused(execution: ExecutedObsUnit, kind: str, body: Any, **fields: Any) -> OutboxItem:
    text = json.dumps(body)
    return OutboxItem.objects.create(
        sequence=execution.pk,
        kind=kind,
        method="POST",
        path="/api/x",
        body=text,
        body_bytes=len(text),
        files=len(body) if kind == "files" else 0,
        **{"status": ItemStatus.DEAD, "problem": {"detail": "No."}, "attempts": 3, **fields},
    )


def test_sending_again(execution: ExecutedObsUnit, person: User) -> None:
    item = refused(execution, "files", [file_body(execution)])
    resend(item, person)
    assert (item.status, item.decided_by, item.attempts) == (ItemStatus.WAITING, person, 0)
    line = SystemLog.objects.get()
    assert (line.user, line.object_id) == (person, str(item.pk))
    with pytest.raises(InvalidTransition):
        resend(item, person)


def test_correcting_keeps_what_was_filed_first(execution: ExecutedObsUnit, person: User) -> None:
    filed = [file_body(execution)]
    item = refused(execution, "files", filed)
    correct(item, json.dumps([{**filed[0], "relative_path": "µ"}, file_body(execution)]), person)
    assert (item.status, item.files) == (ItemStatus.WAITING, 2)
    assert json.loads(item.body)[0]["relative_path"] == "µ"
    assert item.body.isascii()
    assert item.body_bytes == len(item.body)
    assert json.loads(item.original_body) == filed

    OutboxItem.objects.update(status=ItemStatus.DEAD)
    item.refresh_from_db()
    correct(item, json.dumps(filed), person)
    assert json.loads(item.original_body) == filed
    assert SystemLog.objects.filter(message__contains="was corrected").count() == 2


def test_starts_and_finishes_are_corrected_too(execution: ExecutedObsUnit, person: User) -> None:
    start = refused(execution, "start", {})
    correct(start, json.dumps(start_body(id=str(execution.pk))), person)
    finish = refused(execution, "finish", {})
    correct(finish, json.dumps(finish_body(quality="bad")), person)
    assert json.loads(finish.body)["quality"] == "bad"
    assert {start.status, finish.status} == {ItemStatus.WAITING}


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("files", "{", "not a JSON document"),
        ("files", "[]", "at least one row"),
        ("files", '[{"id": 7}]', "Give a UUID"),
        ("files", '{"a": 1, "a": 2}', "stands twice"),
        ("start", "{}", "start_time"),
        ("start", '"text"', "Invalid data"),
        ("finish", '{"status": "running", "end_time": "2026-05-01T22:30:00Z"}', "status"),
        ("finish", '"\ud800"', "character"),
    ],
    ids=["no json", "no rows", "bad row", "name twice", "empty start", "text", "bad status", "surrogate"],
)
def test_what_is_no_call_is_not_sent(execution: ExecutedObsUnit, person: User, kind: str, text: str, said: str) -> None:
    item = refused(execution, kind, [{}])
    with pytest.raises(CcatError, match=said):
        correct(item, text, person)
    item.refresh_from_db()
    assert (item.status, item.body) == (ItemStatus.DEAD, "[{}]")


def test_a_call_stays_with_its_observation(execution: ExecutedObsUnit, person: User) -> None:
    other = ExecutedObsUnitFactory.create()
    for kind, body in (("files", [file_body(execution), file_body(other)]), ("start", start_body(id=str(uuid4())))):
        item = refused(execution, kind, body)
        with pytest.raises(CcatError, match="observation"):
            correct(item, json.dumps(body), person)


def test_discarding_needs_a_reason_and_keeps_the_call(execution: ExecutedObsUnit, person: User) -> None:
    item = refused(execution, "files", [{}])
    with pytest.raises(CcatError, match="Say why"):
        discard(item, " ", person)
    assert discard(item, "A test of the module configuration.", person) == 1
    item.refresh_from_db()
    assert (item.status, item.reason) == (ItemStatus.DISCARDED, "A test of the module configuration.")
    assert "A test of the module configuration." in SystemLog.objects.get().message
    with pytest.raises(InvalidTransition):
        discard(item, "Again.", person)


def test_what_waits_behind_it_can_be_discarded_with_it(execution: ExecutedObsUnit, person: User) -> None:
    item = refused(execution, "start", {})
    waiting = [refused(execution, "files", [{}], status=ItemStatus.WAITING) for _ in range(2)]
    elsewhere = refused(ExecutedObsUnitFactory.create(), "files", [{}], status=ItemStatus.WAITING)
    assert discard(item, "Never happened.", person, rest=True) == 3
    states = dict(OutboxItem.objects.values_list("pk", "status"))
    assert {states[each.pk] for each in waiting} == {ItemStatus.DISCARDED}
    assert states[elsewhere.pk] == ItemStatus.WAITING


def test_a_waiting_call_is_not_discarded_by_itself_nor_a_delivered_one(
    execution: ExecutedObsUnit, person: User
) -> None:
    from django.utils import timezone

    delivered = refused(execution, "files", [{}], status=ItemStatus.DELIVERED, delivered_at=timezone.now())
    with pytest.raises(InvalidTransition):
        discard(delivered, "No.", person)
    waiting = refused(execution, "files", [{}], status=ItemStatus.WAITING)
    with pytest.raises(InvalidTransition):
        discard(waiting, "No.", person)
