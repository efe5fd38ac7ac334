"""Stage 20: a package that is not good any more is set aside, the others of its bundle go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from accounts.models import SystemLog
from ccatdc.common.states import Status
from datamgmt.models import DataTransferPackage, PhysicalCopy, RawDataPackage
from datamgmt.states import Integrity, PackageState
from tests.flow import Flow, members_of
from tests.transfer.operations.spoiling import (
    as_tar,
    copy_of,
    cut,
    every_way,
    flip,
    packages,
    path_of,
    put_on_bad_sector,
)
from transfer.models import DataTransferPackageCreation


def in_bundle() -> list[RawDataPackage]:
    return list(DataTransferPackage.objects.get().raw_data_packages.order_by("name"))


def members(flow: Flow) -> set[str]:
    """The packages in the bundle's tar, without ``.tar``."""
    bundle = PhysicalCopy.objects.get(data_transfer_package=DataTransferPackage.objects.get())
    return {name.removesuffix(".tar") for name in members_of(Path(bundle.full_path))}


def test_a_package_that_is_not_good_any_more_leaves_the_bundle(flow: Flow) -> None:
    bad, good = packages(flow)
    flow.plan("bundle")
    PhysicalCopy.objects.of_package(bad.pk).at(flow.output_buffer).update(integrity=Integrity.DAMAGED)
    flow.run_scheduled()

    operation = DataTransferPackageCreation.objects.get()
    assert operation.status == Status.COMPLETED
    assert [(p["code"], p["subject"]) for p in operation.problems] == [("bundle.package_gone", bad.name)]
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.state, good.state) == (PackageState.FAILED, PackageState.TRANSFERRING)
    assert in_bundle() == [good]
    assert DataTransferPackage.objects.get().size == good.size
    line = SystemLog.objects.get(context__code="bundle.package_gone")
    assert line.object_id == str(bad.pk)


@every_way
def test_a_tar_of_tars_is_written_without_what_is_bad(
    flow: Flow, spoil: Callable[[Path], None], integrity: str
) -> None:
    as_tar(flow)
    bad, good = packages(flow)
    spoil(path_of(bad, flow.output_buffer))
    flow.plan("bundle")
    flow.run_scheduled()

    assert members(flow) == {good.name}
    assert in_bundle() == [good]
    assert copy_of(bad, flow.output_buffer).integrity == integrity
    assert copy_of(good, flow.output_buffer).integrity == Integrity.OK
    bad.refresh_from_db()
    assert bad.state == PackageState.FAILED


def test_all_that_are_bad_are_left_out_however_they_are_found(flow: Flow) -> None:
    as_tar(flow)
    flipped, gone, shorter, good = packages(flow, 4)
    flip(path_of(flipped, flow.output_buffer))
    path_of(gone, flow.output_buffer).unlink()
    cut(path_of(shorter, flow.output_buffer))
    flow.plan("bundle")
    flow.run_scheduled()

    assert members(flow) == {good.name}
    assert RawDataPackage.objects.filter(state=PackageState.FAILED).count() == 3
    assert len(DataTransferPackageCreation.objects.get().problems) == 3


def test_what_cannot_be_read_is_set_aside_by_the_last_attempt_only(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    as_tar(flow)
    bad, good = packages(flow)
    put_on_bad_sector(monkeypatch, path_of(bad, flow.output_buffer))
    flow.plan("bundle")
    flow.run_scheduled()
    operation = DataTransferPackageCreation.objects.get()
    for attempt in range(1, operation.max_attempts):
        operation.refresh_from_db()
        assert (operation.status, operation.attempts) == (Status.PENDING, attempt)
        assert copy_of(bad, flow.output_buffer).integrity == Integrity.OK
        flow.retry_now()

    assert members(flow) == {good.name}
    copy = copy_of(bad, flow.output_buffer)
    assert (copy.integrity, copy.error_code) == (Integrity.SUSPECT, "origin.unreadable")


@pytest.mark.parametrize("bundles", [lambda flow: None, as_tar], ids=["manifest", "tar"])
def test_a_bundle_without_any_good_package_fails(flow: Flow, bundles: Callable[[Flow], None]) -> None:
    bundles(flow)
    (bad,) = packages(flow, 1)
    flow.plan("bundle")
    if bundles is as_tar:
        flip(path_of(bad, flow.output_buffer))
    else:
        PhysicalCopy.objects.of_package(bad.pk).update(integrity=Integrity.DAMAGED)
    flow.run_scheduled()

    operation = DataTransferPackageCreation.objects.get()
    assert (operation.status, operation.error_code) == (Status.FAILED, "bundle.no_good_package")
    bad.refresh_from_db()
    assert bad.state == PackageState.FAILED
    assert copy_of(bad, flow.output_buffer).integrity == Integrity.DAMAGED
    assert not list((Path(flow.output_buffer.path) / "bundles").rglob("*.*"))
