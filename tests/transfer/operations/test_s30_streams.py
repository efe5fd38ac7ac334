"""Stage 30 over rsync with several streams at once: real rsync, over a command that runs in place of ssh."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from ccatdc.common.errors import CcatError, TransportError
from ccatdc.common.states import Status
from datamgmt.models import DiskDataLocation
from datamgmt.states import Integrity, PackageState
from tests.flow import Flow
from tests.transfer.bbcp import put_programs
from tests.transfer.operations.spoiling import copy_of, packages, path_of
from tests.transfer.transports.contract import StillHeld
from transfer.models import DataTransfer, DataTransferRoute, RouteType
from transfer.operations.streams import Stopped, Streams

REAL_RSYNC = shutil.which("rsync")


@pytest.fixture
def programs(flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The buffers are on two hosts, with a route of three streams between them."""
    folder = put_programs(tmp_path / "programs")
    monkeypatch.setenv("CCATDC_SSH_COMMAND", str(folder / "ssh_here"))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    DiskDataLocation.objects.filter(pk=flow.input_buffer.pk).update(host="cologne.example.org")
    DataTransferRoute.objects.create(
        name="by_rsync",
        route_type=RouteType.CUSTOM,
        origin_site=flow.ccat,
        destination_site=flow.cologne,
        origin_location=flow.output_buffer,
        destination_location=flow.input_buffer,
        method="rsync",
        parameters={"streams": 3},
    )
    return folder


def put_rsync(folder: Path, script: str) -> None:
    """A program that is found before the real one."""
    as_receiver = f'[ "$1" != --server ] || exec {REAL_RSYNC} "$@"'
    (folder / "rsync").write_text(f"#!/bin/sh\n{as_receiver}\n{script}\n")
    (folder / "rsync").chmod(0o755)


def transfer_of(flow: Flow) -> DataTransfer:
    """Try once."""
    flow.plan("transfer")
    flow.run_scheduled()
    transfer: DataTransfer = DataTransfer.objects.get()
    return transfer


def test_all_packages_arrive(flow: Flow, programs: Path) -> None:
    made = packages(flow, 4)
    flow.run("bundle", "transfer", "unpack", "archive")

    transfer = DataTransfer.objects.get()
    assert (transfer.method, transfer.streams, transfer.progress_bytes) == ("rsync", 3, transfer.bytes_transferred)
    assert transfer.bytes_transferred > sum(package.size or 0 for package in made)
    for package in made:
        package.refresh_from_db()
        assert package.state == PackageState.ARCHIVED
    assert flow.failures() == []


def test_a_crash_halves_the_streams_and_what_was_received_is_not_sent_again(flow: Flow, programs: Path) -> None:
    made = packages(flow, 4)
    flow.run("bundle")
    calls = programs / "calls"
    put_rsync(
        programs,
        f'echo x >>{calls}; case "$*" in *.tar*) mkdir {programs}/crashed 2>/dev/null && kill -SEGV $$;; esac; '
        f'exec {REAL_RSYNC} "$@"',
    )
    transfer = transfer_of(flow)
    assert (transfer.status, transfer.error_code, transfer.streams) == (Status.PENDING, "transport.crashed", 1)

    flow.retry_now()
    transfer.refresh_from_db()
    assert (transfer.status, transfer.streams) == (Status.COMPLETED, 1)
    # The manifest and each package once; the one that crashed, and what had to stop then, once more.
    assert len(made) + 2 <= len(calls.read_text().split()) <= len(made) + 4


def test_one_that_lies_about_every_byte_is_found_out_by_stage_40(flow: Flow, programs: Path) -> None:
    """It has the right size, so that only reading tells."""
    (bad,) = packages(flow, 1)
    flow.run("bundle")
    put_rsync(
        programs,
        f'for to; do from=$last; last=$to; done; to=${{to#*:}}; n=$(stat -c %s "$from"); '
        f'case "$from" in *.tar) head -c "$n" /dev/zero >"$to";; *) exec {REAL_RSYNC} "$@";; esac',
    )
    assert transfer_of(flow).status == Status.COMPLETED
    flow.run("unpack")

    bad.refresh_from_db()
    assert bad.state != PackageState.ARCHIVED
    assert not any(path.read_bytes().count(0) == (bad.size or 0) for path in packages_at(flow.input_buffer))


def packages_at(location: DiskDataLocation) -> list[Path]:
    """The tars that have their final names there."""
    return [path for path in Path(location.path).rglob("*.tar") if ".ccatdc" not in path.parts]


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", "transport.incomplete"), ("exec sleep 600", "transport.stalled"), ("exit 255", "transport.rsync")],
)
def test_one_that_does_nothing_is_found_out(
    flow: Flow, programs: Path, monkeypatch: pytest.MonkeyPatch, script: str, code: str
) -> None:
    packages(flow, 2)
    flow.run("bundle")
    monkeypatch.setattr("transfer.transports.program.SILENCE_SECONDS", 1.0)
    put_rsync(programs, script)
    transfer = transfer_of(flow)

    assert (transfer.status, transfer.error_code, transfer.attempts) == (Status.PENDING, code, 0)
    assert transfer.streams is None
    assert packages_at(flow.input_buffer) == []


def test_a_bad_package_is_set_aside_and_the_others_arrive(flow: Flow, programs: Path) -> None:
    bad, *good = packages(flow, 3)
    flow.run("bundle")
    path_of(bad, flow.output_buffer).unlink()
    flow.run("transfer", "unpack", "archive")

    bad.refresh_from_db()
    assert bad.state == PackageState.FAILED
    assert copy_of(bad, flow.output_buffer).integrity == Integrity.MISSING
    for package in good:
        package.refresh_from_db()
        assert package.state == PackageState.ARCHIVED


def test_the_lease_hears_the_sum_and_one_failure_stops_the_others() -> None:
    told: list[int] = []

    class Counted(StillHeld):
        def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
            told.append(done_bytes or 0)

    both, stopped = threading.Barrier(2), threading.Event()

    def move(item: str, lease: Any) -> None:
        lease.check(100)
        both.wait(timeout=10)
        if item == "fails":
            raise TransportError("The link was cut.")
        try:
            while True:
                lease.check(100)
        except Stopped:
            stopped.set()
            raise

    running = Streams[str, None](Counted(), at_once=2, done_before=7).run(["fails", "goes on"], move)
    _, result = next(running)
    with pytest.raises(CcatError, match="cut"):
        result()
    running.close()

    assert stopped.is_set()
    assert max(told) == 207
