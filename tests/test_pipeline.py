"""The whole pipeline on real files with real processes: filed, archived, staged, cleaned; also while workers are being killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from ccatdc.common.states import Status
from ccatdc.dev.s3server import S3Server
from datamgmt.models import PhysicalCopy, RawDataPackage
from datamgmt.states import PackageState, PhysicalCopyStatus
from datamgmt.storage import storage_for
from tests.factories.transfer import StagingJobFactory
from tests.flow import Flow, members_of
from tests.roles import url_as
from transfer.models import DeletionItem, Operation

pytestmark = pytest.mark.pipeline
LIMIT_SECONDS = 150
#: With whose rights in the database a command runs.
ROLE_OF = {"run_managers": "managers", "run_location": "worker"}


@pytest.fixture
def flow(transactional_db: None, tmp_path: Path, s3_server: S3Server) -> Flow:
    """Two sites on real files and a real S3 server."""
    return Flow(tmp_path, s3_server, ("ccat-test-access", "ccat-test-secret"))


@contextmanager
def running(database_url: str, tmp_path: Path, *commands: list[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """``manage.py`` processes on this test's database; stopped, and their children with them, whatever happens."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "ccatdc.settings.test",
        "CCATDC_LOG_DIR": str(tmp_path / "log"),
    }
    processes = []
    try:
        for number, command in enumerate(commands):
            with (tmp_path / f"process{number}.log").open("wb") as log:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-W", "ignore", "manage.py", *command],
                        cwd=settings.BASE_DIR,
                        env=environment | {"DATABASE_URL": url_as(ROLE_OF[command[0]], database_url)},
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                )
        yield processes
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)


def wait_until(true: Callable[[], bool], tmp_path: Path) -> None:
    """Poll; on time-out show what is not done and the ends of the logs."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not true():
        if time.monotonic() > deadline:
            logs = "\n".join(
                f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}"
                for log in sorted(tmp_path.rglob("process*.log"))
            )
            pytest.fail(f"not done after {LIMIT_SECONDS} s: {Flow.failures()}\n{logs}")
        time.sleep(0.3)


def cleaned() -> bool:
    """Everything outside archives and PROCESSING is deleted."""
    rest = PhysicalCopy.objects.non_polymorphic().outside_archives().existing()
    return not rest.exclude(data_location__location_type="processing").exists()


def all_archived(count: int) -> bool:
    """That many packages, all archived."""
    return RawDataPackage.objects.archived().count() == count == RawDataPackage.objects.count()


def test_a_night_goes_from_the_instrument_to_the_scientist(flow: Flow, database_url: str, tmp_path: Path) -> None:
    nights = [{f"run{n}/a{i}": os.urandom(200_000) for i in range(5)} for n in range(3)]
    locations = [flow.source, flow.output_buffer, flow.input_buffer, flow.archive, flow.processing]
    commands = [["run_managers"], ["run_location", *(each.full_name for each in locations)]]
    with running(database_url, tmp_path, *commands):
        for files in nights:
            flow.observe(files)
        wait_until(lambda: all_archived(3), tmp_path)
        job = StagingJobFactory.create(destination_location=flow.processing, packages=RawDataPackage.objects.all())
        wait_until(lambda: type(job).objects.get(pk=job.pk).status == Status.COMPLETED, tmp_path)
        wait_until(cleaned, tmp_path)

    filed = {path: content for files in nights for path, content in files.items()}
    folder = Path(flow.processing.path) / "jobs" / str(job.pk)
    staged = {
        str(file.relative_to(package.resolve())): file.read_bytes()
        for package in folder.iterdir()
        for file in package.resolve().rglob("*")
        if file.is_file()
    }
    assert staged == filed
    archived: dict[str, bytes] = {}
    for copy in PhysicalCopy.objects.at(flow.archive):
        archived |= members_of(flow.object_path(flow.archive, copy.key))
    assert archived == filed
    for location in (flow.source, flow.output_buffer, flow.input_buffer):
        assert list(storage_for(location).walk()) == []
    assert flow.failures() == []


def test_killed_workers_cost_time_and_never_data(flow: Flow, database_url: str, tmp_path: Path) -> None:
    nights = [{f"run{n}/a{i}": os.urandom(300_000) for i in range(4)} for n in range(4)]
    locations = [flow.source, flow.output_buffer, flow.input_buffer, flow.archive]
    commands = [["run_managers"], ["run_location", *(each.full_name for each in locations)]]
    with running(database_url, tmp_path, *commands) as (managers, workers):
        for number, files in enumerate(nights):
            flow.observe(files)
            time.sleep(1.5)
            victims = psutil.Process(workers.pid).children(recursive=True)
            if victims:
                victims[number * 7 % len(victims)].kill()
        assert managers.poll() is None
        wait_until(lambda: all_archived(4), tmp_path)
        wait_until(cleaned, tmp_path)

    filed = {path: content for files in nights for path, content in files.items()}
    archived: dict[str, bytes] = {}
    for copy in PhysicalCopy.objects.at(flow.archive):
        archived |= members_of(flow.object_path(flow.archive, copy.key))
    assert archived == filed
    assert PhysicalCopy.objects.at(flow.archive).count() == 4
    assert {p.state for p in RawDataPackage.objects.all()} == {PackageState.ARCHIVED}
    deleted = PhysicalCopy.objects.filter(status=PhysicalCopyStatus.DELETED)
    assert DeletionItem.objects.filter(outcome="deleted").count() == deleted.count()
    assert not Operation.objects.failed().exists()
