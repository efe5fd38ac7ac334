"""Nothing is deleted on the strength of a row alone: what is gone, changed or rotted in an archive is found before another
copy goes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from datamgmt.checksums import digest_stream
from datamgmt.models import DeletionMode, PhysicalCopy, RawDataPackage
from datamgmt.packaging.naming import sidecar_key
from datamgmt.packaging.sidecar import package_id_of
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus
from datamgmt.storage import storage_for
from datamgmt.storage.keys import MARKER_KEY
from datamgmt.storage.s3.store import S3Storage
from tests.flow import Flow
from tests.transfer.operations.evidence.spoiled import (
    FILES,
    age,
    flip,
    left,
    object_of,
    only_at_source,
    remove,
    spoil_object,
    truncate,
    until_the_server_shows,
)
from tests.transfer.world import change
from transfer.managers.resend import ResendManager
from transfer.models import DataTransferRoute, Deletion, RouteType, Verification
from transfer.operations import s70_delete


@pytest.mark.parametrize("spoil", [remove, flip, truncate])
@pytest.mark.parametrize("days", [0, 5])
def test_what_the_archive_lost_is_found_before_another_copy_goes_and_made_again(
    flow: Flow, archived: PhysicalCopy, spoil: Callable[[Path], None], days: float
) -> None:
    age(flow, days)
    spoil_object(flow, archived, spoil)
    flow.run()
    bad = PhysicalCopy.objects.get(pk=archived.pk)
    assert bad.status == PhysicalCopyStatus.DELETED, "set aside for the one that was made again"
    good = PhysicalCopy.objects.with_subjects().at(flow.archive).existing().get()
    assert good.integrity == Integrity.OK
    with storage_for(flow.archive).open(good.key) as stream:
        assert len(stream.read()) == good.size
    assert left(flow.source) == []
    assert flow.failures() == []


@pytest.mark.parametrize("spoil", [remove, flip])
def test_what_only_the_source_has_any_more_is_made_again_of_its_files(
    flow: Flow, archived: PhysicalCopy, spoil: Callable[[Path], None]
) -> None:
    only_at_source(flow)
    age(flow, 2)
    spoil_object(flow, archived, spoil)
    flow.run()
    assert left(flow.source) == sorted(FILES)
    assert RawDataPackage.objects.get().state == PackageState.FAILED
    flow.managers["resend"] = ResendManager()
    flow.run()
    good = PhysicalCopy.objects.with_subjects().at(flow.archive).existing().get()
    assert good.pk != archived.pk
    with storage_for(flow.archive).open(good.key) as stream:
        assert digest_stream(stream)[1] == good.digest
    assert RawDataPackage.objects.get().state == PackageState.ARCHIVED
    assert left(flow.source) == []
    assert flow.failures() == []


def test_what_only_a_far_buffer_has_any_more_is_sent_again(flow: Flow, archived: PhysicalCopy) -> None:
    change(flow.output_buffer, deletion_mode=DeletionMode.OFF)
    flow.run()
    assert left(flow.input_buffer) == []
    spoil_object(flow, archived, remove)
    change(flow.output_buffer, deletion_mode=DeletionMode.AUTOMATIC)
    flow.managers["resend"] = ResendManager()
    flow.run()
    assert PhysicalCopy.objects.at(flow.archive).existing().get().integrity == Integrity.OK
    assert RawDataPackage.objects.get().state == PackageState.ARCHIVED
    assert left(flow.output_buffer) == left(flow.source) == []


def test_a_direct_transfer_replaces_what_the_archive_lost(flow: Flow) -> None:
    DataTransferRoute.objects.create(
        name="direct", route_type=RouteType.DIRECT, origin_site=flow.ccat, destination_site=flow.cologne
    )
    change(flow.output_buffer, deletion_mode=DeletionMode.OFF)
    flow.observe(FILES)
    flow.run()
    copy = PhysicalCopy.objects.with_subjects().at(flow.archive).get()
    sidecar = flow.object_path(flow.archive, sidecar_key(copy.key))
    spoil_object(flow, copy, flip)
    age(flow, 100)
    flow.managers["resend"] = ResendManager()
    flow.run()
    good = PhysicalCopy.objects.at(flow.archive).existing().get()
    assert (good.pk != copy.pk, good.integrity) == (True, Integrity.OK)
    assert RawDataPackage.objects.get().state == PackageState.ARCHIVED
    assert not object_of(flow, copy).exists() and not sidecar.exists()
    assert flow.failures() == []


def test_a_bad_copy_of_which_nothing_is_left_is_not_read_again_and_again(flow: Flow, archived: PhysicalCopy) -> None:
    flow.run()
    spoil_object(flow, archived, flip)
    age(flow, 100)
    flow.run()
    assert Verification.objects.count() == 1
    archived.refresh_from_db()
    assert (archived.integrity, archived.wanted_check) == (Integrity.DAMAGED, "")
    assert RawDataPackage.objects.get().state == PackageState.FAILED


def test_a_store_that_gives_the_right_bytes_again_is_believed_again(flow: Flow, archived: PhysicalCopy) -> None:
    flow.run()
    path, content = object_of(flow, archived), object_of(flow, archived).read_bytes()
    spoil_object(flow, archived, flip)
    age(flow, 100)
    flow.run()
    path.write_bytes(content)
    until_the_server_shows(flow, archived, content)
    PhysicalCopy.objects.at(flow.archive).update(seen_at=timezone.now() - timedelta(days=2))
    flow.run()
    archived.refresh_from_db()
    assert (archived.integrity, archived.error_code) == (Integrity.OK, "")
    assert RawDataPackage.objects.get().state == PackageState.ARCHIVED


def write_anew(flow: Flow, copy: PhysicalCopy, content: bytes) -> None:
    """Another object under the same key."""
    S3Storage(flow.archive).client.put_object(Bucket=flow.archive.bucket_name, Key=copy.key, Body=content)


@pytest.mark.parametrize("is_same", [True, False])
def test_another_version_of_the_same_size_is_read_before_anything_rests_on_it(
    flow: Flow, archived: PhysicalCopy, is_same: bool
) -> None:
    copy = archived
    if is_same:  # as after a move to another server
        PhysicalCopy.objects.at(flow.archive).update(store_version="version-of-another-server")
        copy.refresh_from_db()
    else:
        content = bytearray(object_of(flow, copy).read_bytes())
        content[700] ^= 1
        write_anew(flow, copy, bytes(content))
    flow.plan("delete")
    flow.run_scheduled()
    copy.refresh_from_db()
    assert (copy.integrity, copy.error_code) == (Integrity.SUSPECT, "origin.changed")
    assert left(flow.source) != []

    flow.run("scrub")
    before = copy.store_version
    copy.refresh_from_db()
    assert copy.integrity == (Integrity.OK if is_same else Integrity.DAMAGED)
    assert (copy.store_version != before) == is_same
    flow.run()
    good = PhysicalCopy.objects.at(flow.archive).existing().get()
    assert (good.pk == copy.pk) == is_same
    assert left(flow.source) == []


@pytest.mark.parametrize("days", [1.5, 100, 5 * 365])
def test_old_evidence_is_renewed_and_everything_is_cleaned_without_a_person(
    flow: Flow, archived: PhysicalCopy, days: float
) -> None:
    age(flow, days)
    flow.run()
    assert left(flow.source) == left(flow.output_buffer) == left(flow.input_buffer) == []
    archived.refresh_from_db()
    assert archived.verified_at is not None
    assert timezone.now() - archived.verified_at < timedelta(minutes=1)
    assert flow.failures() == []


def test_a_young_read_is_not_repeated(flow: Flow, archived: PhysicalCopy) -> None:
    age(flow, 0.5)
    flow.run()
    assert left(flow.source) == []
    assert not Verification.objects.exists()


def test_a_store_that_does_not_answer_keeps_everything(flow: Flow, archived: PhysicalCopy) -> None:
    flow.plan("delete")
    key = flow.archive.full_name.upper()
    secret = os.environ.pop(f"CCATDC_S3_{key}_SECRET_KEY")
    os.environ[f"CCATDC_S3_{key}_SECRET_KEY"] = "expired"
    try:
        flow.run_scheduled()
        assert left(flow.source) == sorted(FILES)
        deletions = Deletion.objects.values_list("status", "attempts")
        assert set(deletions) == {("pending", 0)}
    finally:
        os.environ[f"CCATDC_S3_{key}_SECRET_KEY"] = secret
    flow.retry_now()
    flow.run()
    assert left(flow.source) == []


def test_a_bucket_that_was_wiped_keeps_everything(
    flow: Flow, archived: PhysicalCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its marker: as if this host could not see it."""
    flow.plan("delete")
    storage = S3Storage(flow.archive)
    for key in (archived.key, sidecar_key(archived.key), MARKER_KEY):
        storage.client.delete_object(Bucket=flow.archive.bucket_name, Key=key)
    with monkeypatch.context() as impatient:
        impatient.setattr(s70_delete, "LOOK_SECONDS", 0.0)
        flow.run_scheduled()
    assert left(flow.source) == sorted(FILES)
    assert PhysicalCopyStatus.DELETED not in set(
        PhysicalCopy.objects.non_polymorphic().values_list("status", flat=True)
    )


def flip_in_a_digest(path: Path) -> None:
    """It is good JSON all the same, and names its package."""
    content = path.read_bytes()
    at = content.index(b'"digest": "blake3:') + 20
    path.write_bytes(content[:at] + (b"0" if content[at : at + 1] != b"0" else b"1") + content[at + 1 :])


@pytest.mark.parametrize("spoil", [remove, lambda path: path.write_text("{"), flip_in_a_digest])
def test_a_sidecar_that_is_gone_or_damaged_is_written_anew(
    flow: Flow, archived: PhysicalCopy, spoil: Callable[[Path], None]
) -> None:
    path = flow.object_path(flow.archive, sidecar_key(archived.key))
    before = json.loads(path.read_bytes())
    spoil(path)
    age(flow, 100)
    flow.run()
    after = json.loads(path.read_bytes())
    assert after["package"]["digest"] == before["package"]["digest"]
    assert after["files"] == before["files"]
    assert package_id_of(path.read_bytes()) == before["package"]["id"]
