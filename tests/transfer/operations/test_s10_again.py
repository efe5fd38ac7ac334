"""Stage 10 once more: a package without a good copy is made again of its files; nothing gets lost by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccatdc.common.errors import ConflictError, StorageError
from ccatdc.common.states import Status
from datamgmt.models import PhysicalCopy, RawDataFile, RawDataPackage
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus
from datamgmt.storage import storage_for
from tests.factories.accounts import UserFactory
from tests.flow import Flow, members_of
from tests.transfer.operations.spoiling import copy_of, flip, packages, path_of
from transfer.engine import dispatch
from transfer.models import RawDataPackageCreation
from transfer.operations.s10_package import CreatePackage
from transfer.operators.resend import send_again


def lost(flow: Flow) -> RawDataPackage:
    """A package whose only tar is damaged, and known to be."""
    (package,) = packages(flow, 1)
    flow.run("bundle")
    flip(path_of(package, flow.output_buffer))
    flow.run("transfer")
    package.refresh_from_db()
    assert package.state == PackageState.FAILED
    return package


def tars(flow: Flow) -> set[str]:
    return {key for key, _ in storage_for(flow.output_buffer).walk("packages")}


def test_the_new_tar_takes_the_place_of_the_bad_one(flow: Flow) -> None:
    package = lost(flow)
    old = copy_of(package, flow.output_buffer)
    send_again(package, UserFactory.create())
    assert RawDataPackage.objects.get().status != Status.COMPLETED, "nobody bundles it meanwhile"
    flow.run("package")

    new = copy_of(package, flow.output_buffer)
    assert (new.integrity, new.digest) == (Integrity.OK, RawDataPackage.objects.get().digest)
    assert tars(flow) == {new.key} != {old.key}
    assert members_of(Path(new.full_path)) == {"run0/a": b"\0" * 3000, "run0/b": b"b"}
    old.refresh_from_db()
    assert old.status == PhysicalCopyStatus.DELETED
    flow.run()
    assert RawDataPackage.objects.get().state == PackageState.ARCHIVED


def test_a_crash_between_the_end_of_the_old_and_the_record_of_the_new_is_repeated(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = lost(flow)
    send_again(package, UserFactory.create())

    def crash(self: CreatePackage) -> None:
        raise StorageError("The power failed.")

    with monkeypatch.context() as patch:
        patch.setattr(CreatePackage, "record", crash)
        patch.setattr(CreatePackage, "clean_up", lambda self: None)
        flow.run_scheduled()
    assert len(tars(flow)) == 1
    assert copy_of(package, flow.output_buffer).integrity == Integrity.DAMAGED
    flow.retry_now()

    new = copy_of(package, flow.output_buffer)
    assert new.integrity == Integrity.OK
    assert tars(flow) == {new.key}


@pytest.mark.parametrize("spoil", [flip, Path.unlink], ids=["damaged", "gone"])
def test_it_is_not_made_again_without_one_of_its_files(flow: Flow, spoil) -> None:  # type: ignore[no-untyped-def]
    package = lost(flow)
    send_again(package, UserFactory.create())
    source = Path(flow.source.path) / "run0/a"
    content = source.read_bytes()
    spoil(source)
    flow.run_scheduled()

    operation = RawDataPackageCreation.objects.order_by("-pk")[0]
    assert (operation.status, operation.error_code) == (Status.FAILED, "package.files_lost")
    old = copy_of(package, flow.output_buffer)
    assert Path(old.full_path).exists(), "it may be the last that has the file"
    assert package.raw_data_files.count() == 2
    at_source = PhysicalCopy.objects.get(raw_data_file__relative_path="run0/a")
    assert at_source.integrity in (Integrity.DAMAGED, Integrity.MISSING)
    with pytest.raises(ConflictError) as caught:
        send_again(package, UserFactory.create())
    assert caught.value.code == "package.nothing_left"

    source.write_bytes(content)
    PhysicalCopy.objects.filter(pk=at_source.pk).update(integrity=Integrity.UNVERIFIED)
    send_again(package, UserFactory.create())
    flow.run()
    assert RawDataPackage.objects.get().state == PackageState.ARCHIVED


def test_other_bytes_of_the_same_size_are_found_out_without_a_filed_checksum(flow: Flow) -> None:
    package = lost(flow)
    send_again(package, UserFactory.create())
    (Path(flow.source.path) / "run0/a").write_bytes(b"x" * 3000)
    flow.run_scheduled()

    at_source = PhysicalCopy.objects.get(raw_data_file__relative_path="run0/a")
    assert (at_source.integrity, at_source.error_code) == (Integrity.DAMAGED, "file.checksum_differs")
    assert package.raw_data_files.count() == 2


@pytest.mark.parametrize("state", [PackageState.WAITING, PackageState.ARCHIVED])
def test_what_has_a_good_copy_is_not_made_again(flow: Flow, state: str) -> None:
    package = lost(flow)
    send_again(package, UserFactory.create())
    old = copy_of(package, flow.output_buffer)
    if state == PackageState.WAITING:
        PhysicalCopy.objects.filter(pk=old.pk).update(integrity=Integrity.UNVERIFIED)
    else:
        RawDataPackage.objects.update(state=state)
    before = RawDataPackage.objects.values("digest", "size", "finalized_at").get()
    flow.run_scheduled()

    operation = RawDataPackageCreation.objects.order_by("-pk")[0]
    assert operation.status == RawDataPackage.objects.get().status == Status.COMPLETED
    assert RawDataPackage.objects.values("digest", "size", "finalized_at").get() == before
    assert tars(flow) == {old.key}
    assert copy_of(package, flow.output_buffer).pk == old.pk


def test_the_first_time_files_may_be_missing(flow: Flow) -> None:
    flow.observe({"run1/good": b"good", "run1/gone": b"gone"})
    (Path(flow.source.path) / "run1/gone").unlink()
    flow.plan("package")
    operation = RawDataPackageCreation.objects.get()
    dispatch.cancel(operation, user=None)
    send_again(RawDataPackage.objects.get(), UserFactory.create())
    flow.run("package")

    assert RawDataPackage.objects.get().file_count == 1
    assert RawDataFile.objects.unpackaged().count() == 1
