"""Whatever happens in whatever order, every registered file can be read somewhere: a Hypothesis state machine.

Real rows, real managers, real operations and real files; the archives are disks, which are fast. The other side of the
game damages and removes copies behind everybody's back, but never the last readable one: that the product has to do
without. What can be read is found out without the product: by reading all tars.
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ccatdc.common.states import Status
from datamgmt.models import DataLocation, DeletionMode, LocationType, PhysicalCopy, RawDataFile, RawDataPackage
from planning.models import ExecutedObsUnit
from tests.factories.datamgmt import SiteFactory
from tests.factories.observatory import DataStreamFactory, InstrumentModuleFactory
from tests.factories.planning import START
from tests.flow import Flow
from tests.transfer.world import change
from transfer.engine.worker.runner import run_operation
from transfer.managers.resend import ResendManager
from transfer.models import Operation
from transfer.pipeline import PIPELINE

#: Of CI; CCATDC_STATE_MACHINE_EXAMPLES and _STEPS give more.
EXAMPLES = int(os.environ.get("CCATDC_STATE_MACHINE_EXAMPLES", "3"))
STEPS = int(os.environ.get("CCATDC_STATE_MACHINE_STEPS", "25"))


class DiskFlow(Flow):
    """Two sites, two archives, all of disks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ccat = SiteFactory.create(short_name="ccat")
        self.cologne = SiteFactory.create(short_name="cologne")
        self.source = self.disk(self.ccat, "primecam_raw_data", LocationType.SOURCE)
        self.output_buffer = self.disk(self.ccat, "output_buffer", LocationType.BUFFER)
        self.input_buffer = self.disk(self.cologne, "input_buffer", LocationType.BUFFER)
        self.archives = [
            self.disk(self.cologne, name, LocationType.LONG_TERM_ARCHIVE, active=name == "first")
            for name in ("first", "second")
        ]
        self.module = InstrumentModuleFactory.create()
        self.managers = {stage.name: stage.load_manager()() for stage in PIPELINE if stage.name != "stage"}
        self.managers["resend"] = ResendManager()

    def tars(self) -> Iterator[Path]:
        """All packages that lie in a BUFFER or an archive."""
        for place in (self.output_buffer, self.input_buffer, *self.archives):
            for path in sorted(Path(place.path).rglob("*.tar")):
                if ".ccatdc" not in path.parts:
                    yield path


def contents(path: Path) -> dict[str, bytes]:
    """What a tar holds, as far as it can be read."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as tar:
            for member in tar:
                stream = tar.extractfile(member)
                found[member.name] = stream.read() if stream is not None else b""
    except tarfile.TarError:
        return found
    return found


class Machine(RuleBasedStateMachine):
    """The game. ``written`` is what the instrument wrote, by path."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="ccatdc-states-")
        self.flow = DiskFlow(Path(self.folder))
        self.written: dict[str, bytes] = {}
        self.numbers = itertools.count()
        self.running: list[ExecutedObsUnit] = []
        self.stream = DataStreamFactory.create(package_seconds=1800)

    def new_files(self, count: int) -> dict[str, bytes]:
        files = {f"run/{next(self.numbers):04d}": os.urandom(2000) for _ in range(count)}
        self.written |= files
        return files

    @rule(count=st.integers(1, 4), finish=st.booleans())
    def observe(self, count: int, finish: bool) -> None:
        execution = self.flow.observe(self.new_files(count), finish=finish)
        if not finish:
            self.running.append(execution)

    @precondition(lambda self: self.running)
    @rule(late=st.booleans())
    def end(self, late: bool) -> None:
        execution = self.running.pop()
        self.flow.finish(execution)
        if late:
            self.flow.run("package")
            self.flow.file(execution, self.new_files(1))

    @rule(count=st.integers(1, 3), hours=st.integers(0, 12))
    def stream_goes_on(self, count: int, hours: int) -> None:
        self.flow.stream(self.stream, self.new_files(count), START + timedelta(hours=hours))

    @rule()
    def plan(self) -> None:
        self.flow.plan()

    @rule(data=st.data())
    def work(self, data: st.DataObject) -> None:
        """One operation of those that are scheduled."""
        due = list(
            Operation.objects.non_polymorphic()
            .filter(status=Status.SCHEDULED)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        if due:
            run_operation(data.draw(st.sampled_from(due)))

    @rule(harm=st.sampled_from(["", "flip", "truncate", "remove"]))
    def archive(self, harm: str) -> None:
        """All is archived, and nothing is deleted yet; then something may happen to the archives."""
        self.flow.run("package", "bundle", "transfer", "unpack", "archive")
        for tar in list(self.flow.tars()) if harm else []:
            if any(tar.is_relative_to(archive.path) for archive in self.flow.archives):
                self.spoil(tar, harm)

    @rule()
    def settle(self) -> None:
        self.flow.run()

    @rule()
    def waits_are_over(self) -> None:
        RawDataPackage.objects.update(resend_after=None)
        self.flow.retry_now()

    @rule(days=st.sampled_from([0.5, 2, 50, 400]))
    def time_passes(self, days: float) -> None:
        """Everything that was proved is as much older."""
        age = timedelta(days=days)
        copies = PhysicalCopy.objects.non_polymorphic()
        copies.filter(verified_at__isnull=False).update(verified_at=F("verified_at") - age)
        copies.update(created_at=F("created_at") - age, seen_at=F("seen_at") - age)
        RawDataPackage.objects.filter(archived_at__isnull=False).update(archived_at=F("archived_at") - age)
        RawDataFile.objects.update(registered_at=F("registered_at") - age)

    @rule(
        place=st.sampled_from(["source", "output_buffer", "input_buffer"]),
        retention_days=st.sampled_from([0, 7]),
        mode=st.sampled_from([DeletionMode.AUTOMATIC, DeletionMode.AUTOMATIC, DeletionMode.OFF, DeletionMode.APPROVAL]),
        copies=st.integers(1, 2),
    )
    def policy(self, place: str, retention_days: int, mode: str, copies: int) -> None:
        location: DataLocation = getattr(self.flow, place)
        change(location, retention_days=retention_days, deletion_mode=mode, min_archive_copies=copies)

    @rule(which=st.integers(0, 1), active=st.booleans())
    def archive_is_switched(self, which: int, active: bool) -> None:
        change(self.flow.archives[which], active=active)

    @rule(data=st.data(), how=st.sampled_from(["flip", "truncate", "remove"]), in_archives=st.booleans())
    def damage(self, data: st.DataObject, how: str, in_archives: bool) -> None:
        """Any copy."""
        tars = list(self.flow.tars())
        archived = [tar for tar in tars if any(tar.is_relative_to(archive.path) for archive in self.flow.archives)]
        tars = archived if archived and in_archives else tars
        if not tars:
            return
        self.spoil(Path(data.draw(st.sampled_from([str(tar) for tar in tars]))), how)

    def spoil(self, path: Path, how: str) -> None:
        """Behind everybody's back, unless it is the last that has some file."""
        elsewhere = self.readable(without=path)
        if not all(name in elsewhere for name in contents(path)):
            return
        content = bytearray(path.read_bytes())
        if how == "remove":
            path.unlink()
        elif how == "truncate":
            path.write_bytes(content[: len(content) // 2])
        else:
            content[len(content) // 3] ^= 1
            path.write_bytes(content)

    def readable(self, without: Path | None = None) -> set[str]:
        """Paths of files of which some place has the very bytes."""
        source = Path(self.flow.source.path)
        found = {
            path
            for path, content in self.written.items()
            if (source / path).is_file() and (source / path).read_bytes() == content
        }
        for tar in self.flow.tars():
            if tar != without:
                found |= {name for name, content in contents(tar).items() if self.written.get(name) == content}
        return found

    @invariant()
    def nothing_is_lost(self) -> None:
        if hasattr(self, "written"):
            assert set(self.written) - self.readable() == set()

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        shutil.rmtree(self.folder)
        with connection.cursor() as cursor:
            cursor.execute(
                "TRUNCATE raw_data_file, raw_data_package, data_transfer_package, physical_copy, operation, data_location,"
                " executed_obs_unit, data_stream, circuit_breaker, unrecorded_file, django_q_ormq CASCADE"
            )


@pytest.mark.django_db(transaction=True)
def test_no_order_of_events_loses_a_file() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_judge_sees_what_is_lost(db: Any) -> None:
    """Without it the game could be won by looking away."""
    machine = Machine()
    machine.begin()
    try:
        machine.observe(2, finish=True)
        machine.nothing_is_lost()
        (Path(machine.flow.source.path) / "run/0000").write_bytes(b"other bytes")
        with pytest.raises(AssertionError):
            machine.nothing_is_lost()
    finally:
        shutil.rmtree(machine.folder)
