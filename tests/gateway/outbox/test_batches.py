"""Which calls of an observation are sent as one."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import ApiToken
from gateway.models import ItemStatus, OutboxItem
from gateway.outbox import batches
from gateway.outbox.batches import Batch, next_batch
from planning.models import ExecutedObsUnit
from tests.factories.accounts import ApiTokenFactory
from tests.factories.planning import ExecutedObsUnitFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def execution() -> ExecutedObsUnit:
    return ExecutedObsUnitFactory.create()


def kept(execution: ExecutedObsUnit, kind: str = "files", files: int = 1, **fields: Any) -> OutboxItem:
    number = OutboxItem.objects.count()
    body = json.dumps([{"call": number, "row": row} for row in range(files)] if files else {})
    return OutboxItem.objects.create(
        sequence=execution.pk,
        kind=kind,
        method="PUT" if kind == "finish" else "POST",
        path=f"/api/{kind}",
        body=body,
        body_bytes=len(body),
        files=files,
        **fields,
    )


def batch(execution: ExecutedObsUnit, **limits: int) -> Batch:
    found = next_batch(execution.pk, **limits)
    assert found is not None
    return found


def test_consecutive_files_are_one_call_with_all_rows_in_order(execution: ExecutedObsUnit) -> None:
    items = [kept(execution, files=files) for files in (2, 1, 3)]
    kept(execution, "finish", 0)
    found = batch(execution)
    assert list(found.ids) == [item.pk for item in items]
    rows = [(row["call"], row["row"]) for row in json.loads(found.body)]
    assert rows == [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (2, 2)]
    assert found.expect == {"rows": 6}
    assert [found.call_with_row(index) for index in (0, 1, 2, 3, 5, 99)] == [0, 0, 1, 2, 2, 2]


def test_start_and_finish_go_alone_and_as_they_are(execution: ExecutedObsUnit) -> None:
    start = kept(execution, "start", 0)
    kept(execution)
    found = batch(execution)
    assert (list(found.ids), found.method, found.path) == ([start.pk], "POST", "/api/start")
    assert found.expect == {"id": str(execution.pk)}


def test_a_call_has_no_more_rows_than_the_main_site_takes(
    execution: ExecutedObsUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MAX_ROWS", 5)
    for files in (2, 3, 1):
        kept(execution, files=files)
    assert list(batch(execution).rows) == [2, 3]


def test_a_call_that_is_full_by_itself_is_sent(execution: ExecutedObsUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_JOINED_BYTES", 10)
    kept(execution, files=4)
    kept(execution, files=1)
    assert list(batch(execution).rows) == [4]


def test_fewer_calls_are_joined_when_asked(execution: ExecutedObsUnit) -> None:
    for _ in range(4):
        kept(execution)
    assert len(batch(execution, most_calls=2).ids) == 2


def test_calls_of_different_tokens_are_not_joined(execution: ExecutedObsUnit) -> None:
    one, two = ApiTokenFactory.create_batch(2)

    def by(token: ApiToken | None) -> OutboxItem:
        return kept(execution, token=token)

    by(one), by(one), by(two), by(None)
    found = batch(execution)
    assert (len(found.ids), found.filed_by) == (2, f"token {one.pk}")


def test_a_person_is_named_as_such(execution: ExecutedObsUnit) -> None:
    kept(execution)
    assert batch(execution).filed_by == "person"


def test_nothing_is_sent_past_a_refused_call(execution: ExecutedObsUnit) -> None:
    first = kept(execution)
    kept(execution, status=ItemStatus.DEAD)
    kept(execution)
    assert list(batch(execution).ids) == [first.pk]
    OutboxItem.objects.filter(pk=first.pk).delete()
    assert next_batch(execution.pk) is None
    assert OutboxItem.objects.ready() == []


def test_nothing_is_sent_before_its_time(execution: ExecutedObsUnit) -> None:
    kept(execution, not_before=timezone.now() + timedelta(seconds=30))
    kept(execution)
    assert next_batch(execution.pk) is None
    assert OutboxItem.objects.ready() == []
    seconds = OutboxItem.objects.seconds_to_next_retry()
    assert seconds is not None
    assert 20 < seconds <= 30
    OutboxItem.objects.update(not_before=timezone.now())
    assert OutboxItem.objects.ready() == [execution.pk]
    assert len(batch(execution).ids) == 2


def test_a_list_of_calls_reads_no_bodies(execution: ExecutedObsUnit) -> None:
    kept(execution)
    (item,) = OutboxItem.objects.light()
    assert item.get_deferred_fields() == {"body", "original_body"}


def test_observations_are_ready_in_the_order_in_which_they_wait() -> None:
    later, sooner, done = ExecutedObsUnitFactory.create_batch(3)
    kept(done, status=ItemStatus.DELIVERED, delivered_at=timezone.now())
    kept(sooner)
    kept(later)
    kept(sooner)
    assert OutboxItem.objects.ready() == [sooner.pk, later.pk]
    assert OutboxItem.objects.seconds_to_next_retry() is None


def test_a_refused_call_of_a_data_stream_holds_nothing_back(execution: ExecutedObsUnit) -> None:
    kept(execution, status=ItemStatus.DEAD, data_stream="primecam/f280/timestreams")
    second = kept(execution, data_stream="primecam/f280/timestreams")
    assert OutboxItem.objects.ready() == [execution.pk]
    batch = next_batch(execution.pk)
    assert batch is not None
    assert batch.ids == [second.pk]


def test_one_of_an_observation_does(execution: ExecutedObsUnit) -> None:
    kept(execution, status=ItemStatus.DEAD)
    kept(execution)
    assert OutboxItem.objects.ready() == []
    assert next_batch(execution.pk) is None
