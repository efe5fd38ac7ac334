"""Stage 70: what nothing needs goes, with evidence; whatever changed or is needed stays."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.models.copies import CopyType
from datamgmt.states import Integrity, PhysicalCopyStatus
from datamgmt.storage import storage_for
from tests.factories.transfer import StagingJobFactory
from tests.flow import Flow
from transfer.models import Deletion, DeletionItem, StagingJob
from transfer.models.work import DeletionOutcome

ARCHIVED = ("package", "bundle", "transfer", "unpack", "archive")
FILES = {"run1/a": b"a" * 3000, "run1/b": b"b"}


def left(location: DataLocation) -> list[str]:
    """Keys of the files at a location."""
    return sorted(key for key, _ in storage_for(location).walk())


def test_source_and_buffers_are_emptied_once_the_package_is_archived(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run()

    for location in (flow.source, flow.output_buffer, flow.input_buffer):
        assert left(location) == [], location
    outside = PhysicalCopy.objects.non_polymorphic().outside_archives()
    assert set(outside.values_list("status", flat=True)) == {PhysicalCopyStatus.DELETED}
    assert PhysicalCopy.objects.at(flow.archive).get().status == PhysicalCopyStatus.PRESENT
    assert set(DeletionItem.objects.values_list("outcome", flat=True)) == {DeletionOutcome.DELETED}


def test_the_evidence_names_the_archive_copy(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run()

    archive_copy = PhysicalCopy.objects.at(flow.archive).get()
    for copy in PhysicalCopy.objects.at(flow.source):
        (evidence,) = copy.evidence["archive_copies"]
        assert (evidence["copy"], evidence["digest"]) == (archive_copy.pk, archive_copy.digest)
        assert evidence["verified_how"] == "read_back"


def test_nothing_goes_before_the_package_is_archived(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run("package", "bundle", "transfer", "unpack", "delete")

    assert left(flow.source) == sorted(FILES)
    package_copies = PhysicalCopy.objects.filter(type=CopyType.RAW_DATA_PACKAGE)
    assert set(package_copies.values_list("status", flat=True)) == {PhysicalCopyStatus.PRESENT}


def test_a_source_file_that_changed_since_packaging_is_kept_and_marked(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    changed = Path(flow.source.path) / "run1/a"
    changed.write_bytes(b"c" * 3000)
    flow.run()

    assert left(flow.source) == ["run1/a"]
    assert changed.read_bytes() == b"c" * 3000
    copy = PhysicalCopy.objects.at(flow.source).existing().get()
    assert (copy.status, copy.integrity) == (PhysicalCopyStatus.PRESENT, Integrity.SUSPECT)
    assert copy.error_code == "storage.changed"


def test_a_reason_that_appears_after_scheduling_keeps_the_copy(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    StagingJobFactory.create(destination_location=flow.processing, packages=RawDataPackage.objects.all())
    flow.run("stage")
    StagingJob.objects.update(cancelled_at=timezone.now() - timedelta(days=1))
    flow.plan("delete")
    scheduled = PhysicalCopy.objects.at(flow.processing).get()
    assert scheduled.status == PhysicalCopyStatus.DELETION_SCHEDULED
    StagingJob.objects.update(cancelled_at=None)
    flow.run_scheduled()

    scheduled.refresh_from_db()
    assert scheduled.status == PhysicalCopyStatus.STAGED
    item = DeletionItem.objects.get(physical_copy=scheduled)
    assert (item.outcome, item.reasons) == (DeletionOutcome.KEPT, ["job.active"])
    assert left(flow.processing) != []


def test_staged_data_goes_with_its_last_job_and_takes_the_links_along(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    StagingJobFactory.create(destination_location=flow.processing, packages=RawDataPackage.objects.all())
    flow.run()
    assert left(flow.processing) != []
    StagingJob.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    flow.run("delete")

    assert left(flow.processing) == []
    assert [p for p in Path(flow.processing.path).rglob("*") if p.is_symlink()] == []


def test_an_unmounted_location_loses_nothing(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    away = Path(f"{flow.output_buffer.path}.away")
    Path(flow.output_buffer.path).rename(away)
    Path(flow.output_buffer.path).mkdir()
    flow.plan("delete")
    flow.run_scheduled()

    here = Deletion.objects.filter(location=flow.output_buffer)
    assert {op.error_code for op in here} == {"location.marker_missing"}
    copies = PhysicalCopy.objects.at(flow.output_buffer)
    assert PhysicalCopyStatus.DELETED not in set(copies.values_list("status", flat=True))
    away.rename(f"{flow.output_buffer.path}.back")


@pytest.mark.parametrize("spoil", ["damaged", "missing"])
def test_without_a_good_archive_copy_everything_stays(flow: Flow, spoil: str) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    PhysicalCopy.objects.at(flow.archive).update(integrity=spoil)
    flow.run("delete")

    assert left(flow.source) == sorted(FILES)
    packages = PhysicalCopy.objects.filter(type=CopyType.RAW_DATA_PACKAGE).outside_archives()
    assert set(packages.values_list("status", flat=True)) == {PhysicalCopyStatus.PRESENT}
    assert not Deletion.objects.filter(status=Status.FAILED).exists()


def test_a_batch_that_is_retried_does_not_get_round_an_approval(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    flow.plan("delete")
    PhysicalCopy.objects.at(flow.output_buffer).filter(status=PhysicalCopyStatus.DELETION_SCHEDULED).update(
        status=PhysicalCopyStatus.DELETION_PENDING
    )
    flow.run_scheduled()

    waiting = PhysicalCopy.objects.at(flow.output_buffer).exclude(status=PhysicalCopyStatus.DELETED)
    assert set(waiting.values_list("status", flat=True)) == {PhysicalCopyStatus.DELETION_PENDING}
    assert left(flow.output_buffer) != []
