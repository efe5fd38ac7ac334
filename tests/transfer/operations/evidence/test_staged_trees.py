"""A staged tree is looked at before it is given to another job."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from ccatdc.common.errors import StorageError
from datamgmt.models import PhysicalCopy
from datamgmt.states import Integrity
from tests.flow import Flow
from tests.transfer.operations.evidence.spoiled import ARCHIVED, FILES, edit_keeping_the_times, remove, second_job
from transfer.operations.s60_stage import StagePackage


def flip_first(path: Path) -> None:
    """One bit."""
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [remove, flip_first])
def test_a_staged_tree_that_others_cleaned_or_changed_is_staged_anew(
    flow: Flow, archived: PhysicalCopy, spoil: Callable[[Path], None]
) -> None:
    first = second_job(flow)
    tree = Path(flow.processing.path) / PhysicalCopy.objects.at(flow.processing).get().key
    spoil(tree / "run1/a")
    again = second_job(flow)
    assert again.status == "completed"
    for job in (first.staging_job, again.staging_job):
        folder = Path(flow.processing.path) / "jobs" / job.folder_key.rpartition("/")[2]
        (link,) = folder.iterdir()
        assert (link / "run1/a").read_bytes() == FILES["run1/a"]
    assert not tree.exists()


def test_a_whole_tree_that_was_purged_is_staged_anew(flow: Flow, archived: PhysicalCopy) -> None:
    second_job(flow)
    tree = Path(flow.processing.path) / PhysicalCopy.objects.at(flow.processing).get().key
    shutil.rmtree(tree)
    assert second_job(flow).status == "completed"
    assert flow.failures() == []


def test_a_file_outside_the_sample_that_was_rewritten_is_found_by_its_ctime(flow: Flow) -> None:
    flow.observe({f"run1/{number:03}": b"x" * 100 for number in range(50)})
    flow.run(*ARCHIVED)
    second_job(flow)
    tree = Path(flow.processing.path) / PhysicalCopy.objects.at(flow.processing).get().key
    edit_keeping_the_times(tree / "run1/031", b"y" * 100)
    second_job(flow)
    new = Path(flow.processing.path) / PhysicalCopy.objects.at(flow.processing).existing().get().key
    assert new != tree
    assert (new / "run1/031").read_bytes() == b"x" * 100


def test_a_tree_that_nobody_read_for_long_is_read_in_full_and_renewed(flow: Flow) -> None:
    flow.observe({f"run1/{number:03}": b"x" * 100 for number in range(50)})
    flow.run(*ARCHIVED)
    second_job(flow)
    PhysicalCopy.objects.at(flow.processing).update(verified_at=timezone.now() - timedelta(days=91), ctime_ns=2**62)
    second_job(flow)
    copy = PhysicalCopy.objects.at(flow.processing).get()
    assert timezone.now() - copy.verified_at < timedelta(minutes=1)
    tree = Path(flow.processing.path) / copy.key
    edit_keeping_the_times(tree / "run1/031", b"y" * 100)
    PhysicalCopy.objects.at(flow.processing).update(verified_at=timezone.now() - timedelta(days=91))
    second_job(flow)
    assert PhysicalCopy.objects.at(flow.processing).existing().get().key != copy.key


def test_a_tree_that_is_marked_is_staged_anew(flow: Flow, archived: PhysicalCopy) -> None:
    second_job(flow)
    PhysicalCopy.objects.at(flow.processing).update(integrity=Integrity.SUSPECT)
    assert second_job(flow).status == "completed"
    assert PhysicalCopy.objects.at(flow.processing).existing().get().integrity == Integrity.OK


def test_jobs_keep_what_is_left_of_their_tree_when_staging_anew_fails(
    flow: Flow, archived: PhysicalCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = second_job(flow)
    tree = Path(flow.processing.path) / PhysicalCopy.objects.at(flow.processing).get().key
    (tree / "run1/a").unlink()

    def fail(_: StagePackage) -> None:
        raise StorageError("The disk is away.")

    with monkeypatch.context() as broken:
        broken.setattr(StagePackage, "verify", fail)
        second_job(flow)
    (link,) = (Path(flow.processing.path) / "jobs" / first.staging_job.folder_key.rpartition("/")[2]).iterdir()
    assert (link / "run1/b").read_bytes() == b"b"
