"""A worker dies before each thing that it does to the world, in each operation. What comes after is right, without a click.

Each death has an observation of its own, all in one world, which an independent checker reads in the end.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models.functions import Now
from django_q.models import OrmQ

from ccatdc.common.states import Status
from ccatdc.dev.s3server import S3Server
from datamgmt.models import DataLocation, PhysicalCopy, RawDataFile, RawDataPackage
from tests.factories.transfer import StagingJobFactory
from tests.faults.boundaries import run_in_worker
from tests.faults.world import at_rest, failed
from tests.flow import Flow
from transfer.engine import dispatch, watchdog
from transfer.managers import s70_delete
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


@pytest.fixture
def flow(tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Flow:
    """Each package in a bundle of its own, two copies in each deletion."""
    monkeypatch.setenv("CCATDC_LOG_DIR", str(tmp_path / "log"))
    monkeypatch.setattr(s70_delete, "BATCH", 2)
    monkeypatch.setattr(dispatch, "QUEUE_DEPTH", 100)
    flow = Flow(tmp_path / "stores", s3_server, ("ccat-test-access", "ccat-test-secret"))
    DataLocation.objects.non_polymorphic().update(bundle_max_bytes=1)
    return flow


def observed(flow: Flow, operation_type: OperationType, count: int) -> list[int]:
    """The operations of this type for so many new observations of two files."""
    for _ in range(count):
        number = RawDataFile.objects.count()
        flow.observe({f"run{number}/a": b"a" * 3000 + b"%d" % number, f"run{number}/b": b"%d" % number})
    if BEFORE[operation_type]:
        flow.run(*BEFORE[operation_type])
    if operation_type == Op.STAGING:
        for package in RawDataPackage.objects.filter(staging_jobs=None):
            StagingJobFactory.create(packages=[package], destination_location=flow.processing)
    flow.plan(PLANNED_BY[operation_type])
    dispatch.dispatch_due()
    OrmQ.objects.all().delete()
    rows = Operation.objects.non_polymorphic().filter(status=Status.SCHEDULED, operation_type=operation_type)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def recover(flow: Flow) -> None:
    """What managers and supervisors do about dead workers; the waits are over."""
    in_progress = Operation.objects.non_polymorphic().filter(status=Status.IN_PROGRESS)
    in_progress.update(lease_until=Now() - timedelta(seconds=1))
    watchdog.recover()
    flow.retry_now()


@pytest.mark.parametrize("operation_type", list(BEFORE), ids=str)
def test_a_worker_dies_before_each_thing_that_it_does(
    flow: Flow, operation_type: OperationType, tmp_path: Path
) -> None:
    # The first one makes folders that the others find.
    for _ in range(2):
        undisturbed = [run_in_worker(pk, tmp_path / "report") for pk in observed(flow, operation_type, 1)]
    # Deletions of other kinds of copies do other things.
    count = max(len(names or ()) for names in undisturbed)
    assert count > 3
    victims = observed(flow, operation_type, count)
    assert len(victims) >= count
    deaths = sum(
        run_in_worker(pk, tmp_path / "report", dies_before=number % count) is None for number, pk in enumerate(victims)
    )
    assert deaths > count * 0.8
    recover(flow)
    assert failed() == []
    assert not CircuitBreaker.objects.open().exists()
    report = at_rest(flow)
    assert [str(finding) for finding in report.findings] == []
    assert report.copies > 0
    assert PhysicalCopy.objects.at(flow.archive).good().count() == 2 + count
