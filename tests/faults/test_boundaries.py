"""A worker dies before each thing that it does to the world, in each operation. What comes after is right, without a click.

Each way of dying has an observation of its own, all in one world, which an independent checker reads in the end.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django_q.models import OrmQ

from ccatdc.common.states import Status
from ccatdc.dev.s3server import S3Server
from checker.check import Report, check
from datamgmt.models import PhysicalCopy, RawDataPackage, UnrecordedFile
from tests.factories.transfer import StagingJobFactory
from tests.faults.boundaries import run_in_worker
from tests.flow import Flow
from transfer.engine import dispatch, watchdog
from transfer.models import CircuitBreaker, Operation
from transfer.pipeline import OperationType

pytestmark = pytest.mark.django_db(transaction=True)

Op = OperationType
#: Stages in which dying is tried, with the managers whose work comes before.
BEFORE = {
    Op.RAW_DATA_PACKAGE_CREATION: (),
    Op.DATA_TRANSFER_PACKAGE_CREATION: ("package",),
    Op.DATA_TRANSFER: ("package", "bundle"),
    Op.DATA_TRANSFER_UNPACKING: ("package", "bundle", "transfer"),
    Op.LONG_TERM_ARCHIVE_TRANSFER: ("package", "bundle", "transfer", "unpack"),
    Op.STAGING: ("package", "bundle", "transfer", "unpack", "archive"),
    Op.DELETION: ("package", "bundle", "transfer", "unpack", "archive"),
}
PLANNED_BY = {
    Op.RAW_DATA_PACKAGE_CREATION: "package",
    Op.DATA_TRANSFER_PACKAGE_CREATION: "bundle",
    Op.DATA_TRANSFER: "transfer",
    Op.DATA_TRANSFER_UNPACKING: "unpack",
    Op.LONG_TERM_ARCHIVE_TRANSFER: "archive",
    Op.STAGING: "stage",
    Op.DELETION: "delete",
}
ALL = ("package", "bundle", "transfer", "unpack", "archive", "resend", "scrub", "delete")
#: No operation does more to the world than this for two small files.
MOST = 120


@pytest.fixture
def flow(tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Flow:
    monkeypatch.setenv("CCATDC_LOG_DIR", str(tmp_path / "log"))
    return Flow(tmp_path / "stores", s3_server, ("ccat-test-access", "ccat-test-secret"))


def scheduled(operation_type: str) -> list[int]:
    rows = Operation.objects.non_polymorphic().filter(status=Status.SCHEDULED, operation_type=operation_type)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def recover(flow: Flow, operation_type: str) -> None:
    """What managers and supervisors do about a dead worker; the waits are over. The rest of the flow comes in the end."""
    Operation.objects.non_polymorphic().filter(status=Status.IN_PROGRESS).update(
        lease_until=Now() - timedelta(seconds=1)
    )
    watchdog.recover()
    flow.retry_now()
    flow.run(PLANNED_BY[OperationType(operation_type)])


def prepare(flow: Flow, operation_type: str, number: int) -> None:
    """An observation whose next step is this one."""
    files = {f"run{number}/a": b"a" * 3000 + bytes([number]), f"run{number}/b": bytes([number])}
    flow.observe(files)
    if BEFORE[OperationType(operation_type)]:
        flow.run(*BEFORE[OperationType(operation_type)])
    if operation_type == Op.STAGING:
        StagingJobFactory.create(packages=[newest()], destination_location=flow.processing)


def newest() -> RawDataPackage:
    package: RawDataPackage = RawDataPackage.objects.latest("created_at")
    return package


def plan(flow: Flow, operation_type: str) -> int:
    """Its operation."""
    flow.plan(PLANNED_BY[OperationType(operation_type)])
    dispatch.dispatch_due()
    OrmQ.objects.all().delete()
    return scheduled(operation_type)[0]


def at_rest(flow: Flow) -> Report:
    """Everything has come to its end, what was left is swept; what the checker says then."""
    flow.run(*ALL)
    for _ in range(2):
        for place in ("monitor", "inventory"):
            flow.run(place)
        UnrecordedFile.objects.update(found_at=F("found_at") - timedelta(days=1))
    with psycopg.connect(**parameters(), autocommit=True) as database:
        return check(database)


def parameters() -> dict[str, Any]:
    left_out = ("context", "cursor_factory", "prepare_threshold")
    return {name: value for name, value in connection.get_connection_params().items() if name not in left_out}


@pytest.mark.parametrize("operation_type", list(BEFORE), ids=str)
def test_a_worker_dies_before_each_thing_that_it_does(flow: Flow, operation_type: str, tmp_path: Path) -> None:
    names: list[str] | None = None
    tried = 0
    while names is None:
        assert tried < MOST, "an operation that does so much to the world is not what this test is about"
        prepare(flow, operation_type, tried)
        names = run_in_worker(plan(flow, operation_type), tmp_path / "report", dies_before=tried)
        recover(flow, operation_type)
        failed = Operation.objects.non_polymorphic().filter(status=Status.FAILED)
        assert list(failed.values_list("operation_type", "error_code", "error_message")) == []
        tried += 1
    assert tried > 4
    assert {"commit"} < set(names)
    assert not CircuitBreaker.objects.open().exists()
    report = at_rest(flow)
    assert [str(finding) for finding in report.findings] == []
    # Of the two files of each observation.
    assert PhysicalCopy.objects.at(flow.archive).good().count() == tried
