"""Only the file that was packaged goes, and a deletion that ends early puts back what it took."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from datamgmt.copies.recording import want_check
from datamgmt.models import DiskDataLocation, PhysicalCopy, RawDataPackage
from datamgmt.states import Integrity, PhysicalCopyStatus, WantedCheck
from datamgmt.storage.disk.quarantine import QUARANTINE
from datamgmt.storage.keys import key_hash
from tests.flow import Flow
from tests.transfer.operations.evidence.spoiled import FILES, edit_keeping_the_times, left, only_at_source, second_job
from transfer.models import StagingJob


def test_an_edit_that_puts_the_times_back_is_kept(flow: Flow, archived: PhysicalCopy) -> None:
    path = Path(flow.source.path) / "run1/a"
    edit_keeping_the_times(path, b"c" * 3000)
    flow.run()
    assert left(flow.source) == ["run1/a"]
    assert path.read_bytes() == b"c" * 3000
    copy = PhysicalCopy.objects.at(flow.source).existing().get()
    assert (copy.integrity, copy.error_code) == (Integrity.SUSPECT, "storage.changed")


def test_a_file_of_which_only_the_rights_changed_goes(flow: Flow, archived: PhysicalCopy) -> None:
    (Path(flow.source.path) / "run1/a").chmod(0o600)
    flow.run()
    assert left(flow.source) == []


def take_out(location: DiskDataLocation, key: str, kind: str = "file") -> Path:
    """As a deletion that was killed after its first step."""
    quarantine = Path(location.path, *QUARANTINE)
    quarantine.mkdir(parents=True, exist_ok=True)
    aside = quarantine / f"{kind}-{key_hash(key)}-{'0' * 32}"
    (Path(location.path) / key).rename(aside)
    return aside


def killed_while_deleting(flow: Flow, location: DiskDataLocation) -> None:
    """Its copies are being deleted, and the worker is gone."""
    flow.plan("delete")
    PhysicalCopy.objects.at(location).existing().update(status=PhysicalCopyStatus.DELETION_IN_PROGRESS)


def test_what_a_killed_deletion_took_out_is_put_back_when_a_reason_to_keep_appears(
    flow: Flow, archived: PhysicalCopy
) -> None:
    only_at_source(flow)
    killed_while_deleting(flow, flow.source)
    take_out(flow.source, "run1/a")
    PhysicalCopy.objects.at(flow.archive).update(integrity=Integrity.DAMAGED)
    flow.run_scheduled()
    assert left(flow.source) == sorted(FILES)
    assert set(PhysicalCopy.objects.at(flow.source).values_list("status", flat=True)) == {PhysicalCopyStatus.PRESENT}


def test_what_a_killed_deletion_had_removed_is_not_called_present(flow: Flow, archived: PhysicalCopy) -> None:
    only_at_source(flow)
    killed_while_deleting(flow, flow.source)
    (Path(flow.source.path) / "run1/a").unlink()
    PhysicalCopy.objects.at(flow.archive).update(integrity=Integrity.DAMAGED)
    flow.run_scheduled()
    found = {copy.location_key: copy for copy in PhysicalCopy.objects.at(flow.source)}
    assert found["run1/a"].status == PhysicalCopyStatus.DELETED
    assert found["run1/a"].evidence["reasons"] == ["archive.too_few"]
    assert found["run1/b"].status == PhysicalCopyStatus.PRESENT


def test_a_file_that_has_the_name_by_now_is_not_replaced(flow: Flow, archived: PhysicalCopy) -> None:
    only_at_source(flow)
    killed_while_deleting(flow, flow.source)
    aside = take_out(flow.source, "run1/a")
    new = Path(flow.source.path) / "run1/a"
    new.write_bytes(b"new")
    PhysicalCopy.objects.at(flow.archive).update(integrity=Integrity.DAMAGED)
    flow.run_scheduled()
    assert (new.read_bytes(), aside.read_bytes()) == (b"new", FILES["run1/a"])
    marked = PhysicalCopy.objects.at(flow.source).filter(integrity=Integrity.SUSPECT).get()
    assert marked.location_key == "run1/a"


def test_a_staged_tree_that_was_taken_out_is_put_back_as_a_whole(flow: Flow, archived: PhysicalCopy) -> None:
    second_job(flow)
    StagingJob.objects.update(cancelled_at=timezone.now() - timedelta(days=1))
    killed_while_deleting(flow, flow.processing)
    tree = PhysicalCopy.objects.at(flow.processing).get()
    take_out(flow.processing, tree.key, "tree")
    StagingJob.objects.update(cancelled_at=None)
    flow.run_scheduled()
    assert left(flow.processing) == [f"{tree.key}/{name}" for name in sorted(FILES)]
    tree.refresh_from_db()
    assert tree.status == PhysicalCopyStatus.STAGED


@pytest.mark.parametrize("stage", ["archive", "scrub"])
def test_who_reads_a_present_copy_finds_it_where_a_cancelled_deletion_left_it(flow: Flow, stage: str) -> None:
    flow.observe(FILES)
    flow.run("package", "bundle", "transfer", "unpack")
    tar = PhysicalCopy.objects.with_subjects().at(flow.input_buffer).get(raw_data_package__isnull=False)
    take_out(flow.input_buffer, tar.key)
    if stage == "scrub":
        want_check([tar.pk], WantedCheck.READ)
    flow.run(stage)
    flow.retry_now()
    tar.refresh_from_db()
    assert tar.integrity == Integrity.OK
    assert flow.failures() == []


def test_packaging_finds_a_file_where_a_cancelled_deletion_left_it(flow: Flow) -> None:
    flow.observe(FILES)
    take_out(flow.source, "run1/a")
    flow.run("package")
    assert left(flow.source) == sorted(FILES)
    assert RawDataPackage.objects.get().file_count == 2
