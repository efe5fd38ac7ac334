"""The writers of copies: what is verified is recorded, what needs attention is set aside."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from datamgmt.copies.recording import (
    PackagedFile,
    SetAside,
    mark_copy,
    record_bundle_copy,
    record_package_copy,
    record_packaged_files,
    set_files_aside,
)
from datamgmt.models import PhysicalCopy, RawDataFile
from datamgmt.models.copies import CopyType
from datamgmt.states import Integrity, PhysicalCopyStatus, VerifiedHow
from tests.factories.datamgmt import (
    DIGEST,
    BufferLocationFactory,
    DataTransferPackageFactory,
    ProcessingLocationFactory,
    RawDataFileFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
)

pytestmark = pytest.mark.django_db


def filed(count: int = 1, **fields: Any) -> list[RawDataFile]:
    """Files of a package as filing left them, each with its copy at SOURCE."""
    fields.setdefault("raw_data_package", RawDataPackageFactory.create())
    files = [RawDataFileFactory.create(**fields) for _ in range(count)]
    for file in files:
        RawDataFilePhysicalCopyFactory.create(raw_data_file=file)
    return files


def copy_of(file: RawDataFile) -> PhysicalCopy:
    """Its copy at SOURCE, as the database has it."""
    copy: PhysicalCopy = PhysicalCopy.objects.get(raw_data_file=file)
    return copy


# Packages and bundles


def test_a_copy_of_a_package_is_recorded_as_verified_now() -> None:
    package, buffer = RawDataPackageFactory.create(built=True), BufferLocationFactory.create()
    record_package_copy(package, buffer, key="packages/p.1-1.tar", how=VerifiedHow.WRITTEN)
    copy = PhysicalCopy.objects.get()
    assert (copy.type, copy.raw_data_package) == (CopyType.RAW_DATA_PACKAGE, package)
    assert (copy.data_location, copy.key) == (buffer, "packages/p.1-1.tar")
    assert (copy.size, copy.digest) == (package.size, package.digest)
    assert (copy.status, copy.integrity) == (PhysicalCopyStatus.PRESENT, Integrity.OK)
    assert copy.verified_how == VerifiedHow.WRITTEN
    assert copy.verified_at is not None
    assert abs(copy.verified_at - timezone.now()) < timedelta(minutes=1)


def test_a_staged_tree_is_recorded_as_staged() -> None:
    record_package_copy(
        RawDataPackageFactory.create(built=True),
        ProcessingLocationFactory.create(),
        key="packages/p.1-1",
        how=VerifiedHow.WRITTEN,
        status=PhysicalCopyStatus.STAGED,
    )
    assert PhysicalCopy.objects.get().status == PhysicalCopyStatus.STAGED


def test_a_package_has_one_copy_at_a_place_and_a_new_one_when_that_is_deleted() -> None:
    package, buffer = RawDataPackageFactory.create(built=True), BufferLocationFactory.create()
    first = record_package_copy(package, buffer, key="a", how=VerifiedHow.WRITTEN)
    with pytest.raises(IntegrityError), transaction.atomic():
        record_package_copy(package, buffer, key="b", how=VerifiedHow.WRITTEN)
    PhysicalCopy.objects.filter(pk=first.pk).update(status=PhysicalCopyStatus.DELETED)
    record_package_copy(package, buffer, key="b", how=VerifiedHow.WRITTEN)
    assert PhysicalCopy.objects.count() == 2


def test_a_copy_of_a_bundle_has_the_size_and_digest_of_its_own_file() -> None:
    bundle = DataTransferPackageFactory.create(built=True)
    buffer = BufferLocationFactory.create()
    record_bundle_copy(bundle, buffer, key="bundles/b.json", size=345, digest=DIGEST, how=VerifiedHow.RECEIVED)
    copy = PhysicalCopy.objects.get()
    assert (copy.type, copy.data_transfer_package) == (CopyType.DATA_TRANSFER_PACKAGE, bundle)
    assert (copy.size, copy.digest, copy.key) == (345, DIGEST, "bundles/b.json")
    assert (copy.integrity, copy.verified_how) == (Integrity.OK, VerifiedHow.RECEIVED)


# Packaged files


def test_packaging_verifies_the_copies_at_the_source_and_remembers_what_it_read() -> None:
    first, second, untouched = filed(3)
    mark_copy(copy_of(first), Integrity.UNVERIFIED, "old.code", "An old complaint.")
    record_packaged_files(
        [
            PackagedFile(first.pk, "blake3:aa", 1_750_000_000_123_456_789, 11, None),
            PackagedFile(second.pk, "blake3:bb", 5, 22, None),
        ],
        VerifiedHow.READ_BACK,
    )
    first.refresh_from_db()
    assert first.digest == "blake3:aa"
    copy = copy_of(first)
    assert (copy.digest, copy.mtime_ns, copy.inode) == ("blake3:aa", 1_750_000_000_123_456_789, 11)
    assert (copy.integrity, copy.verified_how) == (Integrity.OK, VerifiedHow.READ_BACK)
    assert copy.verified_at is not None
    assert (copy.error_code, copy.error_message) == ("", "")
    assert copy_of(second).digest == "blake3:bb"
    assert copy_of(untouched).integrity == Integrity.UNVERIFIED
    assert RawDataFile.objects.get(pk=untouched.pk).digest == ""


def test_what_is_deleted_is_not_verified_any_more() -> None:
    (file,) = filed()
    PhysicalCopy.objects.update(status=PhysicalCopyStatus.DELETED)
    record_packaged_files([PackagedFile(file.pk, "blake3:aa", 1, 2, None)], VerifiedHow.READ_BACK)
    assert copy_of(file).integrity == Integrity.UNVERIFIED


def test_a_source_that_is_no_file_system_has_no_inodes() -> None:
    (file,) = filed()
    record_packaged_files([PackagedFile(file.pk, "blake3:aa", None, None, None)], VerifiedHow.READ_BACK)
    copy = copy_of(file)
    assert (copy.mtime_ns, copy.inode, copy.integrity) == (None, None, Integrity.OK)


def test_thousands_of_files_are_recorded_in_two_statements() -> None:
    files = filed(30)
    with CaptureQueriesContext(connection) as captured:
        record_packaged_files([PackagedFile(file.pk, "blake3:aa", 1, 2, None) for file in files], VerifiedHow.READ_BACK)
    assert len(captured) == 2
    assert PhysicalCopy.objects.filter(integrity=Integrity.OK).count() == 30


def test_no_files_are_no_trouble() -> None:
    record_packaged_files([], VerifiedHow.READ_BACK)
    set_files_aside([])


# Set aside


def test_files_in_trouble_leave_their_package_and_say_why() -> None:
    missing, damaged, good = filed(3)
    set_files_aside(
        [
            SetAside(missing.pk, Integrity.MISSING, "file.missing", "It is not there."),
            SetAside(damaged.pk, Integrity.DAMAGED, "file.size_differs", "It is too short."),
        ]
    )
    for file in (missing, damaged, good):
        file.refresh_from_db()
    assert missing.raw_data_package is damaged.raw_data_package is None
    assert good.raw_data_package is not None
    assert (copy_of(missing).integrity, copy_of(missing).error_code) == (Integrity.MISSING, "file.missing")
    assert copy_of(damaged).error_message == "It is too short."
    assert copy_of(good).integrity == Integrity.UNVERIFIED
    assert set(RawDataFile.objects.set_aside()) == {missing, damaged}


def test_a_verdict_about_a_copy_changes_that_copy_only() -> None:
    first = RawDataPackagePhysicalCopyFactory.create()
    second = RawDataPackagePhysicalCopyFactory.create()
    mark_copy(first, Integrity.DAMAGED, "archive.origin_damaged", "Another digest.")
    copy = PhysicalCopy.objects.get(pk=first.pk)
    assert (copy.integrity, copy.error_code, copy.error_message) == (
        Integrity.DAMAGED,
        "archive.origin_damaged",
        "Another digest.",
    )
    assert copy.status == PhysicalCopyStatus.PRESENT
    assert PhysicalCopy.objects.get(pk=second.pk).integrity == Integrity.OK
