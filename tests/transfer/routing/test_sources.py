"""What reading a copy teaches about it: a verdict on the copy, or none when something else is to blame."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest

from accounts.models import SystemLog
from ccatdc.common.errors import CcatError, LocationIdentityError, StorageError
from datamgmt.copies.recording import note_good
from datamgmt.models import PhysicalCopy
from datamgmt.states import Integrity, PhysicalCopyStatus, VerifiedHow
from datamgmt.storage.disk.store import DiskStorage
from datamgmt.storage.registration import register
from tests.factories.datamgmt import BufferLocationFactory, RawDataPackagePhysicalCopyFactory
from transfer.routing.sources import (
    OriginDamagedError,
    OriginError,
    OriginMissingError,
    OriginUnreadableError,
    note_bad,
    open_origin,
)

pytestmark = pytest.mark.django_db
CONTENT = b"bytes of a package" * 1000


@pytest.fixture
def copy(tmp_path: Path) -> PhysicalCopy:
    """A copy of a package in a BUFFER, with its bytes."""
    buffer = BufferLocationFactory.create(path=str(tmp_path / "buffer"), registered_at=None)
    register(buffer, create=True)
    made = RawDataPackagePhysicalCopyFactory.create(data_location=buffer, key="packages/a.tar")
    path = Path(buffer.path) / "packages/a.tar"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    found: PhysicalCopy = PhysicalCopy.objects.with_subjects().get(pk=made.pk)
    return found


def path_of(copy: PhysicalCopy) -> Path:
    return Path(copy.full_path)


def read(copy: PhysicalCopy) -> bytes:
    with open_origin(copy) as stream:
        return stream.read()


class BadSector(io.RawIOBase):
    """Gives nothing."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_good_copy_is_read_as_it_is(copy: PhysicalCopy) -> None:
    assert read(copy) == CONTENT


def test_what_is_not_there_is_missing(copy: PhysicalCopy) -> None:
    path_of(copy).unlink()
    with pytest.raises(OriginMissingError, match="is not there any more"):
        read(copy)


def test_at_a_place_that_is_not_itself_nothing_is_missing(copy: PhysicalCopy) -> None:
    path_of(copy).unlink()
    (path_of(copy).parents[1] / ".ccatdc/location.json").unlink()
    with pytest.raises(LocationIdentityError):
        read(copy)


@pytest.mark.parametrize("what", ["link", "folder"])
def test_what_stands_in_the_place_of_the_file_is_damage(copy: PhysicalCopy, what: str) -> None:
    path = path_of(copy)
    path.rename(path.with_suffix(".away"))
    if what == "link":
        path.symlink_to(path.with_suffix(".away"))
    else:
        path.mkdir()
    with pytest.raises(OriginDamagedError, match="is not the file that was recorded"):
        read(copy)


def test_a_bad_sector_makes_a_copy_unreadable(copy: PhysicalCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DiskStorage, "open", lambda self, key: BadSector())
    with pytest.raises(OriginUnreadableError, match="Input/output error"):
        read(copy)


def test_a_file_that_cannot_be_opened_is_unreadable(copy: PhysicalCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: DiskStorage, key: str) -> Any:
        raise StorageError(f"Cannot open {key}: Input/output error.")

    monkeypatch.setattr(DiskStorage, "open", refuse)
    with pytest.raises(OriginUnreadableError, match="Cannot open"):
        read(copy)


def test_a_disk_that_went_away_while_it_was_read_is_no_verdict_about_its_copies(
    copy: PhysicalCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DiskStorage, "open", lambda self, key: BadSector())
    (path_of(copy).parents[1] / ".ccatdc/location.json").unlink()
    with pytest.raises(LocationIdentityError):
        read(copy)


def test_a_server_that_is_away_is_no_verdict_about_one_object(
    copy: PhysicalCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: DiskStorage, key: str) -> Any:
        raise StorageError("No answer.", code="storage.s3_unavailable")

    monkeypatch.setattr(DiskStorage, "open", refuse)
    with pytest.raises(CcatError) as caught:
        read(copy)
    assert not isinstance(caught.value, OriginError)
    assert caught.value.code == "storage.s3_unavailable"


@pytest.mark.parametrize(
    ("error", "integrity"),
    [
        (OriginDamagedError("Other bytes."), Integrity.DAMAGED),
        (OriginMissingError("Gone."), Integrity.MISSING),
        (OriginUnreadableError("A bad sector."), Integrity.SUSPECT),
    ],
    ids=["damaged", "missing", "unreadable"],
)
def test_a_verdict_stands_on_the_copy_and_in_the_diary(copy: PhysicalCopy, error: OriginError, integrity: str) -> None:
    note_bad(copy, error)

    copy.refresh_from_db()
    assert (copy.integrity, copy.error_code) == (integrity, error.code)
    assert error.message in copy.error_message
    line = SystemLog.objects.get(context__code=error.code)
    assert line.object_id == str(copy.pk)
    assert integrity in line.message


@pytest.mark.parametrize("status", [PhysicalCopyStatus.DELETION_IN_PROGRESS, PhysicalCopyStatus.DELETED])
def test_what_was_deleted_meanwhile_is_not_missing(copy: PhysicalCopy, status: str) -> None:
    PhysicalCopy.objects.non_polymorphic().update(status=status)
    note_bad(copy, OriginMissingError("Gone."))

    copy.refresh_from_db()
    assert copy.integrity == Integrity.OK
    assert not SystemLog.objects.filter(context__code="origin.missing").exists()


def test_a_copy_that_was_to_be_checked_again_is_good_when_it_was_read(copy: PhysicalCopy) -> None:
    PhysicalCopy.objects.non_polymorphic().update(integrity=Integrity.UNVERIFIED, verified_at=None, verified_how="")
    note_good([copy])

    copy.refresh_from_db()
    assert (copy.integrity, copy.verified_how) == (Integrity.OK, VerifiedHow.READ_BACK)
    assert copy.verified_at is not None


def test_every_full_read_renews_the_evidence(copy: PhysicalCopy) -> None:
    before = copy.verified_at
    note_good([copy])
    copy.refresh_from_db()
    assert copy.verified_at is not None and before is not None
    assert copy.verified_at > before
    assert copy.seen_at == copy.verified_at


def test_a_bad_copy_does_not_become_good_by_the_way(copy: PhysicalCopy) -> None:
    PhysicalCopy.objects.non_polymorphic().update(integrity=Integrity.DAMAGED)
    copy.refresh_from_db()
    before = (copy.integrity, copy.verified_at, copy.verified_how)
    note_good([copy])

    copy.refresh_from_db()
    assert (copy.integrity, copy.verified_at, copy.verified_how) == before
