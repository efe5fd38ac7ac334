"""Everything at once, with real processes: tars are damaged and lost while workers, managers and the supervisor are killed and a
disk goes away. What an operator does about it then is what the portal offers; no byte is lost, and nothing is marked wrongly.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import psutil
import pytest

from accounts.models import User
from datamgmt.copies.needs_attention import check_again
from datamgmt.models import DataLocation, PhysicalCopy, RawDataFile, RawDataPackage
from datamgmt.states import PackageState
from datamgmt.storage import storage_for
from tests.factories.accounts import UserFactory
from tests.flow import Flow, members_of
from tests.test_pipeline import cleaned, flow, running, wait_until
from transfer.models import Operation
from transfer.operators.resend import send_again

__all__ = ["flow"]  # the fixture
pytestmark = pytest.mark.pipeline
OBSERVATIONS = 6


def in_buffer(location: DataLocation) -> list[Path]:
    """The tars of packages that wait there, oldest first."""
    copies = PhysicalCopy.objects.at(location).filter(raw_data_package__isnull=False).existing()
    return [Path(copy.full_path) for copy in copies.with_subjects().order_by("pk")]


def put_right(user: User) -> None:
    """What the first page offers: send failed packages again, and have left-over bad copies go."""
    for package in RawDataPackage.objects.filter(state=PackageState.FAILED):
        send_again(package, user)
    rests = PhysicalCopy.objects.needing_attention().exclude(
        raw_data_package__state__in=set(PackageState) - {PackageState.ARCHIVED}
    )
    if rests.exists():
        check_again(rests, user)


def test_whatever_happens_every_file_is_archived_once(flow: Flow, database_url: str, tmp_path: Path) -> None:
    filed = {f"run{n}/{i}": os.urandom(100_000) for n in range(OBSERVATIONS) for i in range(3)}
    user = UserFactory.create()
    buffers = DataLocation.objects.non_polymorphic().filter(pk=flow.input_buffer.pk)
    buffers.update(active=False)
    places = [flow.source, flow.output_buffer, flow.input_buffer, flow.archive]
    workers = ["run_location", *(place.full_name for place in places)]
    numbers = count(1)
    with ExitStack() as stack:

        def start(command: list[str]) -> psutil.Process:
            logs = tmp_path / f"start{next(numbers)}"
            logs.mkdir()
            (started,) = stack.enter_context(running(database_url, logs, command))
            return psutil.Process(started.pid)

        managers, others = start(["run_managers"]), start(["run_managers"])
        supervisor = start(workers)
        for number in range(OBSERVATIONS):
            names = [name for name in filed if name.startswith(f"run{number}/")]
            flow.observe({name: filed[name] for name in names})
        wait_until(lambda: len(in_buffer(flow.output_buffer)) == OBSERVATIONS, tmp_path)

        flipped, lost, *_ = in_buffer(flow.output_buffer)
        flip(flipped)
        lost.unlink()
        buffers.update(active=True)
        managers.kill()
        kill_one(supervisor)
        wait_until(lambda: len(in_buffer(flow.input_buffer)) > 0, tmp_path)
        away = Path(flow.input_buffer.path).rename(f"{flow.input_buffer.path}.away")
        supervisor.kill()
        supervisor = start(workers)
        time.sleep(2)
        away.rename(flow.input_buffer.path)
        kill_one(supervisor)

        def is_over() -> bool:
            put_right(user)
            return RawDataPackage.objects.archived().count() == OBSERVATIONS and cleaned()

        wait_until(is_over, tmp_path)
        assert others.is_running()

    archived: dict[str, bytes] = {}
    for copy in PhysicalCopy.objects.at(flow.archive):
        archived |= members_of(flow.object_path(flow.archive, copy.key))
    assert archived == filed
    named = set(PhysicalCopy.objects.at(flow.archive).values_list("key", flat=True))
    assert len(named) == OBSERVATIONS == RawDataPackage.objects.count()
    assert {key for key, _ in storage_for(flow.archive).walk() if key.endswith(".tar")} == named
    for place in (flow.source, flow.output_buffer, flow.input_buffer):
        assert list(storage_for(place).walk()) == []
    assert not RawDataFile.objects.unpackaged().exists()
    assert not PhysicalCopy.objects.needing_attention().exists()
    assert not Operation.objects.failed_unseen().exists()


def flip(path: Path) -> None:
    """One bit of a file's content."""
    with path.open("r+b") as file:
        file.seek(600)
        (byte,) = file.read(1)
        file.seek(600)
        file.write(bytes([byte ^ 1]))


def kill_one(supervisor: psutil.Process) -> None:
    """One of the processes below a supervisor, whichever that is."""
    below: list[psutil.Process] = supervisor.children(recursive=True)
    if below:
        below[len(below) // 2].kill()
