"""Nothing is deleted on the strength of a row alone: what is gone, changed or rotted in an archive is found before another copy goes."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from ccatdc.common.errors import KeyMissingError, StorageError
from datamgmt.checksums import digest_stream
from datamgmt.copies.recording import want_check
from datamgmt.models import DataLocation, DeletionMode, DiskDataLocation, PhysicalCopy, RawDataPackage
from datamgmt.packaging.naming import sidecar_key
from datamgmt.packaging.sidecar import package_id_of
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus, WantedCheck
from datamgmt.storage import storage_for
from datamgmt.storage.disk.quarantine import QUARANTINE
from datamgmt.storage.keys import MARKER_KEY, key_hash
from datamgmt.storage.s3.store import S3Storage
from tests.factories.accounts import UserFactory
from tests.factories.transfer import StagingJobFactory
from tests.flow import Flow
from tests.transfer.world import change
from transfer.engine.worker.runner import run_operation
from transfer.managers.resend import ResendManager
from transfer.models import DataTransferRoute, Deletion, RouteType, Staging, StagingJob, Verification
from transfer.operations import s70_delete
from transfer.operations.s60_stage import StagePackage
from transfer.retention.deletions import approve, schedule

ARCHIVED = ("package", "bundle", "transfer", "unpack", "archive")
FILES = {"run1/a": b"a" * 3000, "run1/b": b"b"}


def left(location: DataLocation) -> list[str]:
    """Keys of the files at a location."""
    return sorted(key for key, _ in storage_for(location).walk())


@pytest.fixture
def archived(flow: Flow) -> PhysicalCopy:
    """A package that was archived; nothing has been deleted yet."""
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    copy: PhysicalCopy = PhysicalCopy.objects.with_subjects().at(flow.archive).get()
    return copy


def age(flow: Flow, days: float) -> None:
    """As if it had been archived, and read, so long ago."""
    then = timezone.now() - timedelta(days=days)
    PhysicalCopy.objects.non_polymorphic().update(verified_at=then, seen_at=then)
    RawDataPackage.objects.update(archived_at=then)


def object_of(flow: Flow, copy: PhysicalCopy) -> Path:
    """The bytes in the store."""
    return flow.object_path(flow.archive, copy.key)


def remove(path: Path) -> None:
    """A lifecycle rule did it."""
    path.unlink()


def flip(path: Path) -> None:
    """One bit, same length."""
    content = bytearray(path.read_bytes())
    content[700] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    """The store lost the end."""
    path.write_bytes(path.read_bytes()[:-512])


def until_the_server_shows(flow: Flow, copy: PhysicalCopy, content: bytes | None) -> None:
    """It keeps what it knows of a folder for a second."""
    storage = storage_for(flow.archive)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with storage.open(copy.key) as stream:
                found: bytes | None = stream.read()
        except KeyMissingError:
            found = None
        except StorageError:  # in between
            continue
        if found == content:
            return
        time.sleep(0.1)
    raise AssertionError("the server does not show what was changed")


def spoil_object(flow: Flow, copy: PhysicalCopy, spoil: Callable[[Path], None]) -> None:
    """In the store, behind everybody's back."""
    path = object_of(flow, copy)
    spoil(path)
    until_the_server_shows(flow, copy, path.read_bytes() if path.exists() else None)


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


def only_at_source(flow: Flow) -> None:
    """The buffers are empty already; deletion at SOURCE is on from now on."""
    change(flow.source, deletion_mode=DeletionMode.OFF)
    flow.run()
    assert left(flow.output_buffer) == left(flow.input_buffer) == []
    change(flow.source, deletion_mode=DeletionMode.AUTOMATIC)


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


@pytest.fixture
def blind(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """The hosts that delete have no credentials of the archive; what is done while they wait."""
    done: list[Callable[[], object]] = []
    key = f"CCATDC_S3_{flow.archive.full_name.upper()}_SECRET_KEY"

    def elsewhere(_: float) -> None:
        with pytest.MonkeyPatch.context() as there:
            there.setenv(key, flow.secret_key)
            for action in done:
                action()

    monkeypatch.setattr(s70_delete, "sleep", elsewhere)
    monkeypatch.setattr(s70_delete, "LOOK_SECONDS", 0.5)
    return done


def delete_without_credentials(flow: Flow) -> None:
    """One pass of the deletions."""
    flow.plan("delete")
    with pytest.MonkeyPatch.context() as here:
        here.delenv(f"CCATDC_S3_{flow.archive.full_name.upper()}_SECRET_KEY")
        flow.run_scheduled()


def scrub(flow: Flow) -> None:
    """A worker of the archive."""
    flow.plan("scrub")
    for pk in Verification.objects.filter(status="scheduled").values_list("pk", flat=True):
        run_operation(pk)


def test_a_host_that_cannot_ask_the_store_has_it_asked(
    flow: Flow, archived: PhysicalCopy, blind: list[Callable[[], object]]
) -> None:
    blind.append(lambda: scrub(flow))
    delete_without_credentials(flow)
    assert left(flow.output_buffer) == []
    assert {each.kind for each in Verification.objects.all()} == {"look"}


def test_a_host_that_cannot_ask_the_store_keeps_what_the_archive_lost(
    flow: Flow, archived: PhysicalCopy, blind: list[Callable[[], object]]
) -> None:
    spoil_object(flow, archived, remove)
    blind.append(lambda: scrub(flow))
    delete_without_credentials(flow)
    assert left(flow.output_buffer) != []
    archived.refresh_from_db()
    assert archived.integrity == Integrity.MISSING


def test_where_nobody_asks_the_store_the_deletion_waits(
    flow: Flow, archived: PhysicalCopy, blind: list[Callable[[], object]]
) -> None:
    delete_without_credentials(flow)
    assert left(flow.output_buffer) != []
    found = Deletion.objects.values_list("status", "attempts", "error_code")
    assert set(found) == {("pending", 0, "deletion.waits_for_check")}
    scrub(flow)
    with pytest.MonkeyPatch.context() as here:
        here.delenv(f"CCATDC_S3_{flow.archive.full_name.upper()}_SECRET_KEY")
        flow.retry_now()
    assert left(flow.output_buffer) == []
    assert set(Deletion.objects.values_list("status", flat=True)) == {"completed"}


def test_of_the_last_two_copies_that_go_at_once_one_waits_for_a_read(flow: Flow, archived: PhysicalCopy) -> None:
    """The files at SOURCE and the tar in Cologne, each scheduled on the strength of the other."""
    change(flow.source, deletion_mode=DeletionMode.OFF)
    change(flow.input_buffer, deletion_mode=DeletionMode.OFF)
    flow.run()
    age(flow, 2)
    for place in (flow.source, flow.input_buffer):
        change(place, deletion_mode=DeletionMode.AUTOMATIC)
    spoil_object(flow, archived, flip)
    copies = PhysicalCopy.objects.non_polymorphic()
    for place in (flow.source, flow.input_buffer):
        schedule(place, list(copies.at(place).deletable_states().values_list("pk", flat=True)))
    flow.run_scheduled()
    assert left(flow.source) or left(flow.input_buffer)
    flow.run()
    flow.retry_now()
    flow.run()
    good = PhysicalCopy.objects.at(flow.archive).existing().get()
    assert (good.integrity, good.pk != archived.pk) == (Integrity.OK, True)
    assert left(flow.source) == left(flow.input_buffer) == []


def test_an_approved_deletion_reads_the_archive_first(flow: Flow, archived: PhysicalCopy) -> None:
    only_at_source(flow)
    change(flow.source, deletion_mode=DeletionMode.APPROVAL)
    flow.run()
    age(flow, 300)
    flow.plan("delete")
    pending = list(PhysicalCopy.objects.at(flow.source).existing())
    assert {copy.status for copy in pending} == {PhysicalCopyStatus.DELETION_PENDING}
    approve(pending, UserFactory.create())
    flow.run_scheduled()
    assert left(flow.source) == sorted(FILES)
    flow.run()
    flow.retry_now()
    assert left(flow.source) == []
    assert Verification.objects.get().kind == "read"


def edit_keeping_the_times(path: Path, content: bytes) -> None:
    """As ``touch -r`` after an edit."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


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


def second_job(flow: Flow) -> Staging:
    """Somebody else asks for what is staged."""
    job = StagingJobFactory.create(destination_location=flow.processing, packages=RawDataPackage.objects.all())
    flow.run("stage")
    staging: Staging = Staging.objects.get(staging_job=job)
    return staging


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


def test_what_a_killed_attempt_had_begun_waits_for_a_check_too(flow: Flow, archived: PhysicalCopy) -> None:
    only_at_source(flow)
    flow.plan("delete")
    copies = PhysicalCopy.objects.non_polymorphic().at(flow.source)
    assert set(copies.values_list("status", flat=True)) == {PhysicalCopyStatus.DELETION_SCHEDULED}
    copies.update(status=PhysicalCopyStatus.DELETION_IN_PROGRESS)
    age(flow, 2)
    flow.run_scheduled()
    assert left(flow.source) == sorted(FILES), "the archive was read two days ago"
    assert PhysicalCopy.objects.get(pk=archived.pk).wanted_check == WantedCheck.READ
    flow.run()
    assert left(flow.source) == []
    assert flow.failures() == []
