"""Stage 40: what did not arrive as it was sent is set aside, and all that did counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ccatdc.common.states import Status
from datamgmt.models import PhysicalCopy, RawDataPackage
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus
from datamgmt.storage import storage_for
from tests.flow import Flow, digest_of
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
from transfer.models import DataTransfer, DataTransferUnpacking


def arrived(flow: Flow, what: RawDataPackage | None = None) -> Path:
    """Where a package, or the bundle itself, lies in the BUFFER in Cologne."""
    received = DataTransfer.objects.get().received
    return Path(flow.input_buffer.path, received["bundle" if what is None else str(what.pk)])


def unproved() -> None:
    """As a transport leaves it that does not compare what it moved (rsync)."""
    DataTransfer._base_manager.update(checksum_verified=False)


def states(*some: RawDataPackage) -> list[str]:
    found = dict(RawDataPackage.objects.values_list("pk", "state"))
    return [found[package.pk] for package in some]


def keys(flow: Flow) -> set[str]:
    """All tars of packages in the BUFFER in Cologne."""
    return {key for key, _ in storage_for(flow.input_buffer).walk("packages")}


@every_way
def test_a_package_that_did_not_arrive_whole_is_set_aside(
    flow: Flow, spoil: Callable[[Path], None], integrity: str
) -> None:
    bad, good = packages(flow)
    flow.run("bundle", "transfer")
    unproved()
    spoil(arrived(flow, bad))
    flow.run("unpack", "archive")

    operation = DataTransferUnpacking.objects.get()
    assert operation.status == Status.COMPLETED
    assert [p["subject"] for p in operation.problems] == [bad.name]
    assert states(bad, good) == [PackageState.FAILED, PackageState.ARCHIVED]
    assert not arrived(flow, bad).exists(), "no row names it"
    assert copy_of(bad, flow.output_buffer).integrity == Integrity.OK
    assert integrity != Integrity.OK


def test_what_was_proved_on_the_way_must_have_its_size_still(flow: Flow) -> None:
    bad, good = packages(flow)
    flow.run("bundle", "transfer")
    cut(arrived(flow, bad))
    flow.run("unpack")

    assert states(bad, good) == [PackageState.FAILED, PackageState.TRANSFERRING]


def test_what_was_not_proved_on_the_way_is_read(flow: Flow) -> None:
    (package,) = packages(flow, 1)
    flow.run("bundle", "transfer")
    unproved()
    flow.run("unpack")

    assert copy_of(package, flow.input_buffer).verified_how == "read_back"


@pytest.mark.parametrize("spoil", [flip, Path.unlink], ids=["damaged", "gone"])
def test_a_bad_manifest_is_noted_and_holds_nothing_up(flow: Flow, spoil: Callable[[Path], None]) -> None:
    some = packages(flow)
    flow.run("bundle", "transfer")
    spoil(arrived(flow))
    flow.run("unpack")

    operation = DataTransferUnpacking.objects.get()
    assert (operation.status, len(operation.problems)) == (Status.COMPLETED, 1)
    assert {copy_of(package, flow.input_buffer).integrity for package in some} == {Integrity.OK}


def test_of_a_tar_with_one_bad_package_the_others_are_taken(flow: Flow) -> None:
    as_tar(flow)
    bad, good = packages(flow)
    flow.run("bundle", "transfer")
    flip(arrived(flow), offset=2000)
    flow.run("unpack", "archive")

    assert DataTransferUnpacking.objects.get().status == Status.COMPLETED
    assert states(bad, good) == [PackageState.FAILED, PackageState.ARCHIVED]
    assert digest_of(path_of(good, flow.input_buffer)) == good.digest
    assert len(keys(flow)) == 1


def test_of_a_tar_that_is_cut_off_what_came_whole_is_taken(flow: Flow) -> None:
    as_tar(flow)
    first, second = packages(flow)
    flow.run("bundle", "transfer")
    cut(arrived(flow))
    flow.run("unpack")

    assert states(first, second) == [PackageState.TRANSFERRING, PackageState.FAILED]
    assert digest_of(path_of(first, flow.input_buffer)) == first.digest


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: flip(path, 0)], ids=["gone", "no tar"])
def test_of_a_tar_that_is_none_nothing_is_taken_and_nothing_waits(flow: Flow, spoil: Callable[[Path], None]) -> None:
    as_tar(flow)
    some = packages(flow)
    flow.run("bundle", "transfer")
    spoil(arrived(flow))
    flow.run("unpack")

    assert DataTransferUnpacking.objects.get().status == Status.COMPLETED
    assert states(*some) == [PackageState.FAILED] * 2
    assert keys(flow) == set()


@pytest.mark.parametrize("is_tar", [False, True], ids=["manifest", "tar"])
def test_what_cannot_be_read_is_set_aside_by_the_last_attempt_only(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, is_tar: bool
) -> None:
    if is_tar:
        as_tar(flow)
    bad = packages(flow, 1)[0]
    flow.run("bundle", "transfer")
    unproved()
    put_on_bad_sector(monkeypatch, arrived(flow, None if is_tar else bad))
    flow.plan("unpack")
    flow.run_scheduled()
    operation = DataTransferUnpacking.objects.get()
    for attempt in range(1, operation.max_attempts):
        operation.refresh_from_db()
        assert (operation.status, operation.attempts) == (Status.PENDING, attempt)
        assert states(bad) == [PackageState.TRANSFERRING]
        flow.retry_now()

    operation.refresh_from_db()
    assert operation.status == Status.COMPLETED
    assert states(bad) == [PackageState.FAILED]


@pytest.mark.parametrize("integrity", [Integrity.DAMAGED, Integrity.UNVERIFIED])
def test_what_comes_takes_the_place_of_a_copy_that_is_not_good(flow: Flow, integrity: str) -> None:
    (package,) = packages(flow, 1)
    flow.run("bundle", "transfer", "unpack")
    old = copy_of(package, flow.input_buffer)
    PhysicalCopy.objects.filter(pk=old.pk).update(integrity=integrity)
    RawDataPackage.objects.update(state=PackageState.WAITING)
    flow.run("bundle", "transfer", "unpack")

    new = copy_of(package, flow.input_buffer)
    assert new.pk != old.pk
    assert keys(flow) == {new.key}
    old.refresh_from_db()
    assert (old.status, old.evidence) == (PhysicalCopyStatus.DELETED, {"replaced_because": f"{package} was resent."})


@pytest.mark.parametrize("status", [PhysicalCopyStatus.PRESENT, PhysicalCopyStatus.DELETION_PENDING])
def test_what_is_here_already_is_left_alone_and_what_came_again_goes(flow: Flow, status: str) -> None:
    (package,) = packages(flow, 1)
    flow.run("bundle", "transfer", "unpack")
    old = copy_of(package, flow.input_buffer)
    PhysicalCopy.objects.filter(pk=old.pk).update(status=status)
    RawDataPackage.objects.update(state=PackageState.WAITING)
    flow.run("bundle", "transfer", "unpack")

    assert copy_of(package, flow.input_buffer).pk == old.pk
    assert keys(flow) == {old.key}


def test_a_package_that_was_set_aside_before_is_not_looked_for(flow: Flow) -> None:
    bad, good = packages(flow)
    flow.run("bundle")
    path_of(bad, flow.output_buffer).unlink()
    flow.run("transfer", "unpack")

    assert DataTransferUnpacking.objects.get().problems == []
    assert copy_of(good, flow.input_buffer).integrity == Integrity.OK
    assert states(bad) == [PackageState.FAILED]


def test_a_second_attempt_does_not_bring_back_what_was_set_aside(flow: Flow) -> None:
    bad, _ = packages(flow)
    flow.run("bundle")
    path_of(bad, flow.output_buffer).unlink()
    flow.run("transfer")
    marker = Path(flow.input_buffer.path) / ".ccatdc/location.json"
    marker.rename(marker.with_suffix(".away"))
    flow.plan("unpack")
    flow.run_scheduled()
    assert DataTransferUnpacking.objects.get().status == Status.PENDING
    assert states(bad) == [PackageState.FAILED]
    marker.with_suffix(".away").rename(marker)
    flow.retry_now()

    assert DataTransferUnpacking.objects.get().status == Status.COMPLETED
    assert states(bad) == [PackageState.FAILED]
