"""Stage 50: an object counts when it was read back; a damaged origin is marked and never archived."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ccatdc.common.states import Status
from datamgmt.models import PhysicalCopy, RawDataPackage
from datamgmt.states import Integrity, PackageState, VerifiedHow
from datamgmt.storage.s3 import S3Storage
from tests.flow import Flow, digest_of
from transfer.models import LongTermArchiveTransfer

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
    sidecar = json.loads(
        flow.object_path(flow.archive, copy.key.removesuffix(".tar") + ".json").read_text()
    )
    assert sidecar["package"]["digest"] == package.digest
    assert sidecar["executed_obs_unit"]["id"] == str(execution.pk)
    assert [(f["relative_path"], f["size"]) for f in sidecar["files"]] == [
        ("run1/a", 5000),
        ("run1/b", 1),
    ]


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


def test_a_store_that_damages_what_it_stores_is_found_out(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    assert (operation.status, operation.error_code) == (
        Status.PENDING,
        "archive.read_back_differs",
    )
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
