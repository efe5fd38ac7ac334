"""Stage 50: an object counts when it was read back; a damaged origin is marked and never archived."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ccatdc.common.states import Status
from datamgmt.copies.recording import record_package_copy
from datamgmt.models import LocationType, PhysicalCopy, RawDataPackage
from datamgmt.packaging.naming import sidecar_key
from datamgmt.states import NEEDS_ATTENTION, Integrity, PackageState, VerifiedHow
from datamgmt.storage.s3.store import S3Storage
from tests.factories.accounts import UserFactory
from tests.flow import Flow, digest_of
from tests.transfer.operations.spoiling import copy_of, path_of, put_on_bad_sector
from transfer.models import LongTermArchiveTransfer
from transfer.operators.resend import send_again

TO_BUFFER = ("package", "bundle", "transfer", "unpack")


def test_object_and_sidecar_are_in_the_archive_and_the_package_is_archived(flow: Flow) -> None:
    execution = flow.observe({"run1/a": b"a" * 5000, "run1/b": b"b"})
    flow.run(*TO_BUFFER, "archive")

    package = RawDataPackage.objects.get()
    assert package.state == PackageState.ARCHIVED
    assert package.archived_at is not None
    copy = PhysicalCopy.objects.at(flow.archive).get()
    assert (copy.integrity, copy.verified_how) == (Integrity.OK, VerifiedHow.READ_BACK)
    module = flow.module
    start = execution.start_time
    assert copy.key.startswith(
        f"{module.instrument.short_name}/{module.short_name}/{start:%Y/%m/%d}/{execution.pk}/{package.name}."
    )
    assert digest_of(flow.object_path(flow.archive, copy.key)) == package.digest
    sidecar = json.loads(flow.object_path(flow.archive, copy.key.removesuffix(".tar") + ".json").read_text())
    assert sidecar["package"]["digest"] == package.digest
    assert sidecar["executed_obs_unit"]["id"] == str(execution.pk)
    assert [(f["relative_path"], f["size"]) for f in sidecar["files"]] == [("run1/a", 5000), ("run1/b", 1)]


def test_a_damaged_origin_is_marked_and_nothing_of_it_stays_in_the_archive(flow: Flow) -> None:
    flow.observe({"run1/a": b"a" * 5000})
    flow.run(*TO_BUFFER)
    copy = PhysicalCopy.objects.at(flow.input_buffer).get(raw_data_package__isnull=False)
    tar = Path(copy.full_path)
    damaged = bytearray(tar.read_bytes())
    damaged[600] ^= 1
    tar.write_bytes(damaged)
    flow.plan("archive")
    flow.run_scheduled()

    operation = LongTermArchiveTransfer.objects.get()
    assert operation.error_code == "origin.damaged"
    copy.refresh_from_db()
    assert copy.integrity == Integrity.DAMAGED
    assert RawDataPackage.objects.get().state != PackageState.ARCHIVED
    assert [k for k, _ in S3Storage(flow.archive).walk()] == []
    assert tar.read_bytes() == bytes(damaged), "evidence of damage is kept"


def test_a_store_that_damages_what_it_stores_is_found_out(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    flow.observe({"run1/a": b"a" * 5000})
    flow.run(*TO_BUFFER)
    honest = S3Storage.writer

    @contextmanager
    def damaging(self: S3Storage, key: str, attempt: str, size: int | None = None) -> Iterator[Any]:
        with honest(self, key, attempt, size) as out:
            yield out
        stored = flow.object_path(flow.archive, key)
        content = bytearray(stored.read_bytes())
        content[-1] ^= 1
        stored.write_bytes(content)

    with monkeypatch.context() as patch:
        patch.setattr(S3Storage, "writer", damaging)
        flow.plan("archive")
        flow.run_scheduled()

    operation = LongTermArchiveTransfer.objects.get()
    assert (operation.status, operation.error_code) == (Status.PENDING, "archive.read_back_differs")
    assert not PhysicalCopy.objects.at(flow.archive).exists()
    assert [k for k, _ in S3Storage(flow.archive).walk()] == []


def test_a_repointed_bucket_refuses_the_write(flow: Flow) -> None:
    flow.observe({"run1/a": b"a"})
    flow.run(*TO_BUFFER)
    other = flow.bucket(flow.cologne, "other_archive", active=False)
    type(flow.archive).objects.filter(pk=flow.archive.pk).update(bucket_name=other.bucket_name)
    flow.plan("archive")
    flow.run_scheduled()

    assert LongTermArchiveTransfer.objects.get().error_code == "location.marker_foreign"
    assert not PhysicalCopy.objects.at(flow.archive).exists()


def test_a_copy_that_cannot_be_read_gives_way_to_another_one(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    spare = flow.disk(flow.cologne, "input_buffer_b", LocationType.BUFFER, priority=9)
    flow.observe({"run1/a": b"a" * 5000})
    flow.run(*TO_BUFFER)
    package = RawDataPackage.objects.get()
    bad = copy_of(package, flow.input_buffer)
    other = Path(spare.path) / bad.key
    other.parent.mkdir(parents=True)
    other.write_bytes(Path(bad.full_path).read_bytes())
    record_package_copy(package, spare, key=bad.key, how=VerifiedHow.WRITTEN)
    put_on_bad_sector(monkeypatch, Path(bad.full_path))
    flow.plan("archive")
    flow.run_scheduled()
    operation = LongTermArchiveTransfer.objects.get()
    for attempt in range(1, operation.max_attempts):
        operation.refresh_from_db()
        assert (operation.status, operation.attempts) == (Status.PENDING, attempt)
        assert copy_of(package, flow.input_buffer).integrity == Integrity.OK
        flow.retry_now()
    operation.refresh_from_db()
    assert (operation.status, operation.error_code) == (Status.PENDING, "origin.unreadable")
    assert copy_of(package, flow.input_buffer).integrity == Integrity.SUSPECT
    flow.retry_now()

    operation.refresh_from_db()
    assert operation.status == Status.COMPLETED
    assert operation.origin_location == spare
    assert copy_of(package, spare).integrity == Integrity.OK


def test_without_another_copy_it_fails_and_goes_on_when_there_is_one(flow: Flow) -> None:
    flow.observe({"run1/a": b"a" * 5000})
    flow.run(*TO_BUFFER)
    package = RawDataPackage.objects.get()
    path_of(package, flow.input_buffer).unlink()
    flow.plan("archive")
    flow.run_scheduled()
    assert copy_of(package, flow.input_buffer).integrity == Integrity.MISSING
    flow.retry_now()
    operation = LongTermArchiveTransfer.objects.get()
    assert (operation.status, operation.error_code) == (Status.FAILED, "archive.no_origin")
    package.refresh_from_db()
    assert package.state == PackageState.FAILED

    send_again(package, UserFactory.create())
    flow.run()
    package.refresh_from_db()
    assert package.state == PackageState.ARCHIVED
    assert flow.failures() == []


@pytest.mark.parametrize("integrity", sorted(Integrity))
def test_a_good_copy_that_is_there_is_not_doubled_and_a_bad_one_is_replaced(flow: Flow, integrity: str) -> None:
    flow.observe({"run1/a": b"a"})
    flow.run(*TO_BUFFER)
    flow.plan("archive")
    package = RawDataPackage.objects.get()
    record_package_copy(package, flow.archive, key="another/way.tar", how=VerifiedHow.READ_BACK)
    PhysicalCopy.objects.at(flow.archive).update(integrity=integrity)
    flow.run_scheduled()

    operation = LongTermArchiveTransfer.objects.get()
    assert operation.status == Status.COMPLETED
    there = PhysicalCopy.objects.at(flow.archive).existing().get()
    assert (there.key == "another/way.tar") == (integrity not in NEEDS_ATTENTION)
    keys = sorted(key for key, _ in S3Storage(flow.archive).walk())
    written = [] if there.key == "another/way.tar" else [there.key, sidecar_key(there.key)]
    assert keys == sorted(written)


def test_a_copy_to_be_checked_again_is_good_when_it_was_archived(flow: Flow) -> None:
    flow.observe({"run1/a": b"a"})
    flow.run(*TO_BUFFER)
    package = RawDataPackage.objects.get()
    PhysicalCopy.objects.at(flow.input_buffer).update(integrity=Integrity.UNVERIFIED, verified_at=None, verified_how="")
    flow.run("archive")

    copy = copy_of(package, flow.input_buffer)
    assert (copy.integrity, copy.verified_how) == (Integrity.OK, VerifiedHow.READ_BACK)
