"""Stage 95: store and catalogue are compared both ways; what is lacking is marked, what is too much is adopted, removed or told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.db.models import F

from accounts.models import SystemLog, User
from ccatdc.common.errors import ConflictError
from datamgmt.copies.unrecorded import decide
from datamgmt.models import DataLocation, Decision, DiskDataLocation, PhysicalCopy, RawDataPackage, UnrecordedFile
from datamgmt.packaging.naming import sidecar_key
from datamgmt.packaging.sidecar import package_id_of
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus
from datamgmt.storage import storage_for
from datamgmt.storage.disk.parts import PARTS
from datamgmt.storage.disk.quarantine import QUARANTINE
from datamgmt.storage.keys import key_hash
from tests.factories.accounts import UserFactory
from tests.factories.transfer import StagingJobFactory
from tests.flow import Flow
from transfer.engine.worker.runner import run_operation
from transfer.models import Inventory, Operation, StagingJob
from transfer.operations.unrecorded import carry_out

ARCHIVED = ("package", "bundle", "transfer", "unpack", "archive")
FILES = {"run1/a": b"a" * 3000, "run1/b": b"b"}


@pytest.fixture
def archived(flow: Flow) -> PhysicalCopy:
    """A package that was archived; nothing has been deleted yet."""
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    return copy_at(flow.archive)


@pytest.fixture
def operator(flow: Flow) -> User:
    user: User = UserFactory.create(username="vera")
    return user


def copy_at(location: DataLocation) -> PhysicalCopy:
    packages = PhysicalCopy.objects.with_subjects().filter(raw_data_package__isnull=False)
    copy: PhysicalCopy = packages.at(location).existing().get()
    return copy


def take(location: DataLocation, *, is_full: bool = True) -> Inventory:
    """One inventory, done."""
    operation: Inventory = Inventory.objects.create(location=location, is_full=is_full)
    Operation.objects.non_polymorphic().filter(pk=operation.pk).update(status="scheduled")
    run_operation(operation.pk)
    operation.refresh_from_db()
    assert operation.status == "completed", operation.error_message
    return operation


def a_day_later() -> None:
    """What was found was found a day ago, and looks at copies are as old."""
    UnrecordedFile.objects.update(found_at=F("found_at") - timedelta(days=1), seen_at=F("seen_at") - timedelta(days=1))
    PhysicalCopy.objects.non_polymorphic().update(seen_at=F("seen_at") - timedelta(days=1))


def put(location: DataLocation, key: str, content: bytes) -> None:
    """Something that no operation recorded."""
    with storage_for(location).writer(key, "test", len(content)) as out:
        out.write(content)


def content_of(location: DataLocation, key: str) -> bytes:
    with storage_for(location).open(key) as stream:
        return stream.read()


def keys_at(location: DataLocation) -> set[str]:
    return {key for key, _ in storage_for(location).walk()}


def unrecorded(location: DataLocation) -> list[str]:
    return sorted(UnrecordedFile.objects.at(location).values_list("key", flat=True))


def left_by(copy: PhysicalCopy) -> str:
    """The key under which another attempt, whose operation is over, left the package of this copy."""
    return copy.key.replace(copy.key.rsplit(".", 2)[1], "1-7")


# Everything is as recorded


def test_everything_is_as_recorded_and_is_seen(flow: Flow, archived: PhysicalCopy) -> None:
    for location in (flow.source, flow.output_buffer, flow.input_buffer, flow.archive, flow.processing):
        operation = take(location)
        assert (operation.problems, unrecorded(location)) == ([], [])
        assert DataLocation.objects.get(pk=location.pk).inventory_at > operation.started_at
        unseen = PhysicalCopy.objects.non_polymorphic().at(location).not_seen_since(operation.started_at)
        assert not unseen.exists()


# What the catalogue has and the store lacks


def test_an_object_that_is_gone_is_found_and_its_package_is_repaired(flow: Flow, archived: PhysicalCopy) -> None:
    storage_for(flow.archive).delete(archived.key)
    (problem,) = take(flow.archive).problems
    assert problem["code"] == "origin.missing"
    assert copy_at(flow.archive).integrity == Integrity.MISSING
    flow.run(*ARCHIVED, "resend")
    good = PhysicalCopy.objects.at(flow.archive).good().get()
    assert good.key != archived.key
    assert RawDataPackage.objects.get().state == PackageState.ARCHIVED


def test_an_object_of_another_size_is_found(flow: Flow, archived: PhysicalCopy) -> None:
    flow.object_path(flow.archive, archived.key).write_bytes(b"short")
    take(flow.archive)
    assert copy_at(flow.archive).integrity in (Integrity.DAMAGED, Integrity.SUSPECT)


def test_a_source_file_that_is_gone_is_found(flow: Flow, archived: PhysicalCopy) -> None:
    Path(flow.source.path, "run1/b").unlink()
    take(flow.source)
    states = PhysicalCopy.objects.at(flow.source).values_list("raw_data_file__relative_path", "integrity")
    assert dict(states) == {"run1/a": Integrity.OK, "run1/b": Integrity.MISSING}


def test_a_listing_that_lies_marks_nothing(flow: Flow, archived: PhysicalCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datamgmt.storage.s3.store.S3Storage.walk", lambda _self, _prefix="": iter(()))
    assert take(flow.archive).problems == []
    assert copy_at(flow.archive).integrity == Integrity.OK


def test_what_a_deletion_took_out_gets_its_name_back(flow: Flow, archived: PhysicalCopy) -> None:
    copy = copy_at(flow.input_buffer)
    path = Path(flow.input_buffer.path)
    aside = path.joinpath(*QUARANTINE, f"file-{key_hash(copy.key)}-{'0' * 32}")
    aside.parent.mkdir(exist_ok=True)
    (path / copy.key).rename(aside)
    assert take(flow.input_buffer).problems == []
    assert (path / copy.key).exists()
    assert not aside.exists()
    assert copy_at(flow.input_buffer).integrity == Integrity.OK


# What the store has and the catalogue does not know


def test_a_file_that_nobody_filed_is_told_of_a_day_later_and_never_removed(
    flow: Flow, archived: PhysicalCopy, operator: User
) -> None:
    put(flow.source, "run1/new", b"new")
    take(flow.source)
    assert unrecorded(flow.source) == ["run1/new"]
    assert not UnrecordedFile.objects.undecided().exists()
    a_day_later()
    take(flow.source)
    file = UnrecordedFile.objects.undecided().get()
    with pytest.raises(ConflictError, match="never removed"):
        decide(file, Decision.REMOVE, operator)
    UnrecordedFile.objects.update(decision=Decision.REMOVE)
    (problem,) = take(flow.source).problems
    assert problem["code"] == "unrecorded.at_source"
    assert "run1/new" in keys_at(flow.source)


def test_a_file_that_is_still_written_is_no_finding(flow: Flow, archived: PhysicalCopy) -> None:
    put(flow.source, "run1/new", b"new")
    take(flow.source)
    a_day_later()
    Path(flow.source.path, "run1/new").write_bytes(b"new and longer")
    take(flow.source)
    assert not UnrecordedFile.objects.undecided().exists()


def test_what_was_filed_or_removed_meanwhile_is_forgotten(flow: Flow, archived: PhysicalCopy) -> None:
    put(flow.source, "run1/new", b"new")
    put(flow.source, "run1/other", b"other")
    take(flow.source)
    flow.observe({"run1/new": b"new"})
    Path(flow.source.path, "run1/other").unlink()
    take(flow.source)
    assert unrecorded(flow.source) == []


def test_what_an_attempt_left_of_an_archived_package_is_removed_after_a_day(flow: Flow, archived: PhysicalCopy) -> None:
    for location in (flow.archive, flow.input_buffer):
        key = left_by(copy_at(location))
        put(location, key, content_of(location, copy_at(location).key))
        take(location)
        assert key in keys_at(location)
    a_day_later()
    for location in (flow.archive, flow.input_buffer):
        # The archive's own inventory has seen the copy on which the removal rests.
        take(location)
        assert unrecorded(location) == []
        assert copy_at(location).key in keys_at(location)
        assert left_by(copy_at(location)) not in keys_at(location)
    assert SystemLog.objects.filter(message__startswith="Removed: its package is well archived").count() == 2


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(lambda copy: copy.update(integrity=Integrity.DAMAGED), id="its archive copy is damaged"),
        pytest.param(lambda copy: copy.update(verified_how="written"), id="it was never read back"),
        pytest.param(lambda copy: copy.update(seen_at=F("seen_at") - timedelta(days=9)), id="nobody saw it since"),
    ],
)
def test_what_an_attempt_left_stays_while_its_package_is_not_well_archived(
    flow: Flow, archived: PhysicalCopy, trouble: Callable[[object], None]
) -> None:
    key = left_by(copy_at(flow.input_buffer))
    put(flow.input_buffer, key, content_of(flow.input_buffer, copy_at(flow.input_buffer).key))
    take(flow.input_buffer)
    a_day_later()
    take(flow.archive)
    trouble(PhysicalCopy.objects.non_polymorphic().filter(pk=archived.pk))
    take(flow.input_buffer)
    assert key in keys_at(flow.input_buffer)


def test_what_an_open_operation_wrote_stays(flow: Flow, archived: PhysicalCopy) -> None:
    copy = copy_at(flow.input_buffer)
    open_one = Inventory.objects.create(location=flow.source)
    key = copy.key.replace(copy.key.rsplit(".", 2)[1], f"{open_one.pk}-1")
    put(flow.input_buffer, key, content_of(flow.input_buffer, copy.key))
    take(flow.input_buffer)
    a_day_later()
    take(flow.archive)
    take(flow.input_buffer)
    assert key in keys_at(flow.input_buffer)


def test_an_object_is_adopted_when_its_package_has_no_copy_left(flow: Flow, archived: PhysicalCopy) -> None:
    other = left_by(archived)
    put(flow.archive, other, content_of(flow.archive, archived.key))
    take(flow.archive)
    a_day_later()
    PhysicalCopy.objects.non_polymorphic().update(integrity=Integrity.MISSING)
    take(flow.archive)
    copy = PhysicalCopy.objects.at(flow.archive).good().get()
    assert (copy.key, copy.verified_how) == (other, "read_back")
    assert package_id_of(content_of(flow.archive, sidecar_key(other))) == str(copy.raw_data_package_id)
    ended = PhysicalCopy.objects.get(pk=archived.pk)
    assert ended.status == PhysicalCopyStatus.DELETED
    assert other not in unrecorded(flow.archive)


def test_an_object_with_other_bytes_is_not_adopted(flow: Flow, archived: PhysicalCopy, operator: User) -> None:
    content = bytearray(content_of(flow.archive, archived.key))
    content[700] ^= 1
    put(flow.archive, left_by(archived), bytes(content))
    take(flow.archive)
    file = UnrecordedFile.objects.get()
    decide(file, Decision.ADOPT, operator)
    (problem,) = take(flow.archive, is_full=False).problems
    assert problem["code"] == "unrecorded.other_bytes"
    file.refresh_from_db()
    assert file.decision == ""
    assert "is not" in file.error_message
    assert PhysicalCopy.objects.at(flow.archive).existing().get().key == archived.key


def test_a_person_decides(flow: Flow, archived: PhysicalCopy, operator: User) -> None:
    for name in ("junk", "known"):
        put(flow.archive, name, b"from somebody")
    take(flow.archive)
    junk, known = (UnrecordedFile.objects.get(key=key) for key in ("junk", "known"))
    decide(junk, Decision.REMOVE, operator)
    decide(known, Decision.KEEP, operator)
    with pytest.raises(ConflictError, match="has not the name of a package"):
        decide(known, Decision.ADOPT, operator)
    flow.run("inventory")
    assert "junk" not in keys_at(flow.archive)
    assert "known" in keys_at(flow.archive)
    assert unrecorded(flow.archive) == ["known"]
    assert SystemLog.objects.filter(message__startswith="Removed, as was decided", user=operator).exists()


def test_the_last_copy_is_never_removed(flow: Flow, archived: PhysicalCopy, operator: User) -> None:
    put(flow.archive, left_by(archived), content_of(flow.archive, archived.key))
    take(flow.archive)
    file = UnrecordedFile.objects.get()
    decide(file, Decision.REMOVE, operator)
    PhysicalCopy.objects.non_polymorphic().update(integrity=Integrity.MISSING)
    (problem,) = take(flow.archive, is_full=False).problems
    assert problem["code"] == "unrecorded.last_copy"
    assert file.key in keys_at(flow.archive)


def test_what_changed_since_it_was_seen_is_not_removed(flow: Flow, archived: PhysicalCopy, operator: User) -> None:
    put(flow.input_buffer, "junk", b"from somebody")
    take(flow.input_buffer)
    decide(UnrecordedFile.objects.get(), Decision.REMOVE, operator)
    Path(flow.input_buffer.path, "junk").write_bytes(b"and now it is data")
    (problem,) = take(flow.input_buffer, is_full=False).problems
    assert problem["code"] == "storage.changed"
    assert "junk" in keys_at(flow.input_buffer)


def test_what_is_recorded_by_now_is_not_removed(flow: Flow, archived: PhysicalCopy, operator: User) -> None:
    put(flow.input_buffer, "junk", b"from somebody")
    take(flow.input_buffer)
    decide(UnrecordedFile.objects.get(), Decision.REMOVE, operator)
    PhysicalCopy.objects.non_polymorphic().filter(pk=copy_at(flow.input_buffer).pk).update(key="junk")
    take(flow.input_buffer, is_full=False)
    assert "junk" in keys_at(flow.input_buffer)
    assert unrecorded(flow.input_buffer) == []


def test_staged_trees_are_seen_and_files_of_scientists_are_left_alone(flow: Flow, archived: PhysicalCopy) -> None:
    job: StagingJob = StagingJobFactory.create(
        packages=list(RawDataPackage.objects.all()), destination_location=flow.processing
    )
    flow.run("staging", "stage")
    assert job.stagings.get().status == "completed"
    Path(flow.processing.path, "results").mkdir()
    Path(flow.processing.path, "results/map.fits").write_bytes(b"mine")
    Path(flow.processing.path, "packages/left.1-7").mkdir()
    Path(flow.processing.path, "packages/left.1-7/file").write_bytes(b"left")
    assert take(flow.processing).problems == []
    assert unrecorded(flow.processing) == ["packages/left.1-7"]


def test_a_name_that_is_not_utf_8_is_told_and_not_touched(flow: Flow, archived: PhysicalCopy, operator: User) -> None:
    odd = os.fsencode(flow.source.path) + b"/run1/\xff\n\xfe"
    Path(os.fsdecode(odd)).write_bytes(b"odd")
    take(flow.source)
    (key,) = unrecorded(flow.source)
    assert key == "run1/\\udcff\n\\udcfe"


# What killed writers and deletions left


def parts_of(location: DiskDataLocation) -> Path:
    folder = Path(location.path).joinpath(*PARTS)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def old(path: Path) -> Path:
    """Untouched for two days."""
    moment = time.time() - 2 * 86400
    os.utime(path, (moment, moment))
    return path


def test_parts_of_attempts_that_are_over_are_removed(flow: Flow, archived: PhysicalCopy) -> None:
    running = Inventory.objects.create(location=flow.source)
    Operation.objects.non_polymorphic().filter(pk=running.pk).update(claims=2)
    folder = parts_of(flow.input_buffer)
    ends = {
        "over": f"1-7-{'a' * 32}-{'0' * 32}.part",
        "earlier": f"{running.pk}-1-{'a' * 32}-{'1' * 32}.part",
        "running": f"{running.pk}-2-{'a' * 32}-{'2' * 32}.part",
        "probe": f"probe-{'3' * 32}.part",
        "foreign": "somebody's",
    }
    for name in ends.values():
        (folder / name).write_bytes(b"left")
        old(folder / name)
    young = f"1-7-{'a' * 32}-{'4' * 32}.part"
    (folder / young).write_bytes(b"just written")
    take(flow.input_buffer)
    assert {path.name for path in folder.iterdir()} == {ends["running"], ends["foreign"], young}


def test_what_deletions_took_out_of_copies_that_are_deleted_is_removed(
    flow: Flow, archived: PhysicalCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transfer.operations.s95_inventory.LEFT_FOR", timedelta(0))
    quarantine = Path(flow.input_buffer.path).joinpath(*QUARANTINE)
    quarantine.mkdir(exist_ok=True)
    deleted = quarantine / f"file-{key_hash('gone')}-{'0' * 32}"
    deleted.write_bytes(b"deleted")
    copy = copy_at(flow.input_buffer)
    PhysicalCopy.objects.non_polymorphic().filter(pk=copy.pk).update(status=PhysicalCopyStatus.DELETION_IN_PROGRESS)
    open_deletion = quarantine / f"file-{key_hash(copy.key)}-{'0' * 32}"
    Path(flow.input_buffer.path, copy.key).rename(open_deletion)
    take(flow.input_buffer)
    assert list(quarantine.iterdir()) == [open_deletion]


def test_uploads_of_attempts_that_are_over_are_aborted(
    flow: Flow, archived: PhysicalCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transfer.operations.s95_inventory.LEFT_FOR", timedelta(0))
    client, bucket = storage_for(flow.archive).client, flow.archive.bucket_name  # type: ignore[attr-defined]
    running = Inventory.objects.create(location=flow.source)
    for key in (left_by(archived), f"a/b.{running.pk}-0.tar", "foreign"):
        client.create_multipart_upload(Bucket=bucket, Key=key)
    time.sleep(1.1)  # the server keeps whole seconds
    take(flow.archive)
    left = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    assert {upload["Key"] for upload in left} == {f"a/b.{running.pk}-0.tar", "foreign"}


def test_two_that_remove_at_once_remove_one(flow: Flow, archived: PhysicalCopy, operator: User) -> None:
    put(flow.input_buffer, "junk", b"from somebody")
    operation = take(flow.input_buffer)
    file = UnrecordedFile.objects.get()
    decide(file, Decision.REMOVE, operator)
    file.refresh_from_db()
    storage = storage_for(flow.input_buffer)

    class Lease:
        def check(self, _done: int | None = None, _total: int | None = None) -> None: ...

    carry_out(file, flow.input_buffer, storage, Lease())
    carry_out(file, flow.input_buffer, storage, Lease())
    assert operation.problems == []
    assert "junk" not in keys_at(flow.input_buffer)


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ("", ["a.tmp", "logs/2026/x.log", "run9/c"]),
        ("*.tmp", ["logs/2026/x.log", "run9/c"]),
        ("*.tmp\n\nlogs/*", ["run9/c"]),
        ("run9", ["a.tmp", "logs/2026/x.log", "run9/c"]),
    ],
)
def test_what_nobody_filed_at_a_source_is_told_unless_a_pattern_ignores_it(
    flow: Flow, patterns: str, left: list[str]
) -> None:
    root = Path(DiskDataLocation.objects.get(pk=flow.source.pk).path)
    for name in ("a.tmp", "logs/2026/x.log", "run9/c"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"nobody filed it")
    take(flow.source)
    assert unrecorded(flow.source) == ["a.tmp", "logs/2026/x.log", "run9/c"]

    DataLocation.objects.non_polymorphic().filter(pk=flow.source.pk).update(ignored_paths=patterns)
    take(flow.source)

    assert unrecorded(flow.source) == left


@pytest.mark.parametrize("patterns", ["x\n" * 50, "x" * 201])
def test_patterns_are_few_and_short(flow: Flow, patterns: str) -> None:
    location = DiskDataLocation.objects.get(pk=flow.source.pk)
    location.ignored_paths = patterns
    with pytest.raises(ValidationError, match="At most 50 patterns"):
        location.full_clean()
