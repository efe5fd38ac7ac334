"""The queue in the database: for all queues of a location, oldest first, woken by a notification."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from tests.factories.datamgmt import ArchiveLocationFactory, BufferLocationFactory
from tests.factories.transfer import DeletionFactory
from transfer.engine import dispatch
from transfer.engine.processes.worker import Tasks
from transfer.engine.queue import ListeningBroker, messages_of, release
from transfer.engine.worker.runner import run_operation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def short_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits end after a third of a second."""
    monkeypatch.setattr(Conf, "POLL", 0.3)


@pytest.fixture
def buffer() -> ListeningBroker:
    """That of a worker of the buffer in Chile."""
    return ListeningBroker(BufferLocationFactory.create().full_name)


@pytest.fixture
def fresh_connection() -> Iterator[None]:
    """For tests that break the connection or listen on it."""
    yield
    connection.close()


def put(queue: str, *payloads: str) -> None:
    """Messages as dispatch writes them."""
    for payload in payloads:
        ListeningBroker(queue).enqueue(payload)


def test_messages_of_all_queues_of_the_location_come_in_order(buffer: ListeningBroker) -> None:
    put("ccat_output_buffer_deletion", "11")
    put("ccat_output_buffer_data_transfer", "12")
    put("ccat_output_buffer_deletion", "13")
    taken = [buffer.dequeue() for _ in range(3)]
    assert [batch[0][1] for batch in taken if batch] == ["11", "12", "13"]


def test_a_message_that_names_a_function_runs_nothing_and_is_thrown_away(
    buffer: ListeningBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Signed with the key that every worker has, as django-q2 itself would send it."""
    trace = tmp_path / "was here"
    task = {"id": "1" * 32, "name": "x", "func": "os.system", "args": (f"touch '{trace}'",), "kwargs": {}}
    put("ccat_output_buffer_deletion", SignedPackage.dumps(task), "os.system", "-1", "9" * 40, "14")

    found: Any = Tasks(buffer).get()

    assert (found["func"], found["args"][0]) == (run_operation, 14)
    assert "messages that name no operation are thrown away" in caplog.text
    assert list(OrmQ.objects.values_list("payload", flat=True)) == ["14"]
    assert not trace.exists()


def test_who_looks_for_lost_messages_is_not_held_up_by_others() -> None:
    put("ccat_output_buffer_deletion", "os.system", "15")
    assert messages_of(["ccat_output_buffer_deletion"]) == {15}


def test_queues_of_other_locations_are_left_alone(buffer: ListeningBroker) -> None:
    ArchiveLocationFactory.create()
    put("cologne_long_term_archive_monitoring", "not ours")
    put("ccat_output_buffer_long_term_archive_transfer", "no such work here")
    assert buffer.dequeue() == []
    assert OrmQ.objects.count() == 2


def test_a_taken_message_is_offered_again_after_a_while(
    buffer: ListeningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Conf, "RETRY", 0.5)
    put("ccat_output_buffer_deletion", "21")
    assert buffer.dequeue()
    assert buffer.dequeue() == []
    time.sleep(0.5)
    assert buffer.dequeue()


def test_two_workers_never_take_the_same_message(buffer: ListeningBroker) -> None:
    put("ccat_output_buffer_deletion", *map(str, range(20)))
    taken: list[str] = []
    gate = threading.Barrier(4)

    def take() -> None:
        mine = ListeningBroker("ccat_output_buffer")
        gate.wait()
        try:
            while batch := mine.dequeue():
                taken.extend(payload for _, payload in batch)
        finally:
            connection.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(taken) == sorted(map(str, range(20)))


def test_a_notification_ends_the_wait_at_once(
    buffer: ListeningBroker, monkeypatch: pytest.MonkeyPatch, fresh_connection: None
) -> None:
    monkeypatch.setattr(Conf, "POLL", 20)
    buffer.dequeue()  # the first wait ends at once: nobody knows what was missed before listening

    def later() -> None:
        time.sleep(0.3)
        put("ccat_output_buffer_deletion", "22")
        connection.close()

    thread = threading.Thread(target=later)
    begun = time.monotonic()
    thread.start()
    assert buffer.dequeue() == []
    waited = time.monotonic() - begun
    assert buffer.dequeue()
    thread.join()
    assert 0.2 < waited < 2


def test_a_notification_during_the_look_is_not_lost(
    buffer: ListeningBroker, monkeypatch: pytest.MonkeyPatch, fresh_connection: None
) -> None:
    monkeypatch.setattr(Conf, "POLL", 20)
    buffer.dequeue()

    def elsewhere() -> None:
        put("ccat_output_buffer_deletion", "22")
        connection.close()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    begun = time.monotonic()
    monkeypatch.setattr(buffer, "_take", list)
    assert buffer.dequeue() == []
    assert time.monotonic() - begun < 2


def test_nothing_is_heard_of_what_was_rolled_back(buffer: ListeningBroker, fresh_connection: None) -> None:
    buffer.dequeue()
    with pytest.raises(RuntimeError), transaction.atomic():
        put("ccat_output_buffer_deletion", "23")
        raise RuntimeError
    begun = time.monotonic()
    assert buffer.dequeue() == []
    assert time.monotonic() - begun > 0.25


def test_a_broken_connection_is_replaced(buffer: ListeningBroker, fresh_connection: None) -> None:
    buffer.dequeue()
    connection.connection.close()
    assert buffer.dequeue() == []
    put("ccat_output_buffer_deletion", "24")
    assert buffer.dequeue()


def test_a_database_that_is_away_does_not_end_the_process(
    buffer: ListeningBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Any:
        raise OperationalError("the server is starting up")

    monkeypatch.setattr(buffer, "_take", fail)
    assert buffer.dequeue() == []
    assert buffer.dequeue() == []
    assert caplog.text.count("does not answer") == 1


def test_what_a_dead_worker_had_taken_is_offered_at_once(buffer: ListeningBroker) -> None:
    put("ccat_output_buffer_deletion", "31", "32")
    assert buffer.dequeue()
    assert release(["ccat_output_buffer_deletion"]) == 1
    batch = buffer.dequeue()
    assert batch[0][1] == "31"


def test_the_operations_that_have_a_message_are_known() -> None:
    operation = DeletionFactory.create()
    dispatch.submit(operation)
    assert messages_of(["ccat_output_buffer_deletion"]) == {operation.pk}
    assert messages_of(["ccat_output_buffer_data_transfer"]) == set()


def test_a_message_is_due_by_the_clock_of_the_database(
    buffer: ListeningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: ahead)
    put("ccat_output_buffer_deletion", "25")
    assert buffer.dequeue()
