"""Stage 10: files that cannot be read, or change under our eyes, are set aside; the others go on."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from django.db.models.functions import Now

from ccatdc.common.states import Status
from datamgmt.models import PhysicalCopy, RawDataFile
from datamgmt.states import Integrity
from datamgmt.storage.base import Stored
from datamgmt.storage.disk.paths import os_errors
from datamgmt.storage.disk.store import DiskStorage
from tests.flow import Flow, members_of
from transfer.engine.dispatch import dispatch_due
from transfer.models import CircuitBreaker, RawDataPackageCreation


def refuse(monkeypatch: pytest.MonkeyPatch, verb: str, key: str, code: int) -> None:
    """Let a disk answer so for one file: root, as whom tests may run, is refused nothing."""
    real = getattr(DiskStorage, verb)

    def refusing(self: DiskStorage, asked: str) -> Any:
        if asked == key:
            with os_errors(f"{verb} {key!r} at {self.name}"):
                raise OSError(code, os.strerror(code))
        return real(self, asked)

    monkeypatch.setattr(DiskStorage, verb, refusing)


def the_tar(flow: Flow) -> Path:
    """The only package's tar in the buffer."""
    copy = PhysicalCopy.objects.at(flow.output_buffer).with_subjects().get()
    return Path(copy.full_path)


def test_all_wrong_checksums_are_found_in_one_pass(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    flow.observe({f"run1/{number}": b"as it is" for number in range(6)})
    RawDataFile.objects.exclude(relative_path="run1/0").update(
        checksum=hashlib.sha256(b"as it was").hexdigest(), checksum_algorithm="sha256"
    )
    opened: list[str] = []
    real = DiskStorage.open

    def noting(self: DiskStorage, key: str) -> BinaryIO:
        opened.append(key)
        return real(self, key)

    monkeypatch.setattr(DiskStorage, "open", noting)
    flow.run("package")

    assert members_of(the_tar(flow)) == {"run1/0": b"as it is"}
    in_trouble = PhysicalCopy.objects.needing_attention().at(flow.source)
    assert set(in_trouble.values_list("error_code", flat=True)) == {"file.checksum_differs"}
    assert in_trouble.count() == 5
    assert opened.count("run1/0") == 2


@pytest.mark.parametrize("verb", ["stat", "open"])
def test_a_file_that_the_worker_may_not_read_is_set_aside_at_once(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    flow.observe({"run1/good": b"good", "run1/closed": b"closed"})
    refuse(monkeypatch, verb, "run1/closed", errno.EACCES)
    flow.run("package")

    assert members_of(the_tar(flow)) == {"run1/good": b"good"}
    copy = RawDataFile.objects.get(relative_path="run1/closed").copies.get()
    assert (copy.integrity, copy.error_code) == (Integrity.SUSPECT, "file.unreadable")
    assert "Permission denied" in copy.error_message


@pytest.mark.parametrize("verb", ["stat", "open"])
def test_a_file_on_a_bad_sector_is_set_aside_by_the_last_attempt_only(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    flow.observe({"run1/good": b"good", "run1/bad": b"bad"})
    refuse(monkeypatch, verb, "run1/bad", errno.EIO)
    flow.plan("package")
    operation = RawDataPackageCreation.objects.get()
    for attempt in range(1, operation.max_attempts):
        flow.run_scheduled()
        operation.refresh_from_db()
        assert (operation.status, operation.attempts) == (Status.PENDING, attempt)
        RawDataPackageCreation._base_manager.update(run_after=Now())
        CircuitBreaker.objects.all().delete()
        dispatch_due()
    flow.run_scheduled()

    assert members_of(the_tar(flow)) == {"run1/good": b"good"}
    copy = RawDataFile.objects.get(relative_path="run1/bad").copies.get()
    assert (copy.integrity, copy.error_code) == (Integrity.SUSPECT, "file.unreadable")


def test_a_file_that_vanishes_between_look_and_read_is_set_aside(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    flow.observe({"run1/good": b"good", "run1/gone": b"gone"})
    real = DiskStorage.stat

    def stat_and_remove(self: DiskStorage, key: str) -> Stored:
        found = real(self, key)
        if key == "run1/gone":
            (Path(flow.source.path) / key).unlink()
        return found

    monkeypatch.setattr(DiskStorage, "stat", stat_and_remove)
    flow.run("package")

    assert members_of(the_tar(flow)) == {"run1/good": b"good"}
    copy = RawDataFile.objects.get(relative_path="run1/gone").copies.get()
    assert (copy.integrity, copy.error_code) == (Integrity.MISSING, "file.missing")
