"""Stage 30: a package whose copy turns out to be bad is set aside, the others of its bundle arrive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ccatdc.common.errors import TransportError
from ccatdc.common.states import Status
from datamgmt.models import DataTransferPackage, PhysicalCopy, RawDataPackage
from datamgmt.states import Integrity, PackageState, VerifiedHow
from tests.flow import Flow
from tests.transfer.operations.spoiling import (
    as_tar,
    copy_of,
    directly,
    every_way,
    flip,
    packages,
    path_of,
    put_on_bad_sector,
)
from transfer.models import DataTransfer
from transfer.transports.copying import Copying


def state_of(package: RawDataPackage) -> str:
    package.refresh_from_db()
    return package.state


def bundle_path(flow: Flow) -> Path:
    """The manifest or tar in the BUFFER in Chile."""
    copies = PhysicalCopy.objects.at(flow.output_buffer).filter(data_transfer_package__isnull=False)
    return Path(copies.with_subjects().get().full_path)


@pytest.mark.parametrize("way", [lambda flow: None, directly], ids=["buffer", "direct"])
@every_way
def test_a_bad_package_is_set_aside_and_the_others_are_archived(
    flow: Flow, spoil: Callable[[Path], None], integrity: str, way: Callable[[Flow], None]
) -> None:
    way(flow)
    bad, good = packages(flow)
    flow.run("bundle")
    spoil(path_of(bad, flow.output_buffer))
    flow.run("transfer", "unpack", "archive")

    transfer = DataTransfer.objects.get()
    assert transfer.status == Status.COMPLETED
    assert [p["subject"] for p in transfer.problems] == [bad.name]
    assert (state_of(bad), state_of(good)) == (PackageState.FAILED, PackageState.ARCHIVED)
    assert copy_of(bad, flow.output_buffer).integrity == integrity
    assert list(DataTransferPackage.objects.get().raw_data_packages.all()) == [good]
    assert PhysicalCopy.objects.at(flow.archive).count() == 1
    assert flow.failures() == []


def test_a_package_that_was_marked_meanwhile_is_not_sent(flow: Flow) -> None:
    bad, good = packages(flow)
    flow.run("bundle")
    PhysicalCopy.objects.of_package(bad.pk).update(integrity=Integrity.SUSPECT)
    flow.run("transfer", "unpack")

    transfer = DataTransfer.objects.get()
    assert [p["code"] for p in transfer.problems] == ["transfer.package_gone"]
    assert set(transfer.received) == {"bundle", str(good.pk)}
    assert state_of(bad) == PackageState.FAILED


def test_a_bundle_without_any_good_package_fails(flow: Flow) -> None:
    (bad,) = packages(flow, 1)
    flow.run("bundle")
    flip(path_of(bad, flow.output_buffer))
    flow.run("transfer", "unpack")

    transfer = DataTransfer.objects.get()
    assert (transfer.status, transfer.error_code) == (Status.FAILED, "transfer.no_good_package")
    assert state_of(bad) == PackageState.FAILED
    assert copy_of(bad, flow.output_buffer).integrity == Integrity.DAMAGED


def test_what_was_received_whole_counts_though_its_origin_is_lost_since(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = packages(flow)
    flow.run("bundle")
    honest = Copying.move

    def cut(self: Copying, cargo: Any, *args: Any) -> None:
        if second.name in cargo.origin_key:
            raise TransportError("The link was cut.")
        honest(self, cargo, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Copying, "move", cut)
        flow.plan("transfer")
        flow.run_scheduled()
    path_of(first, flow.output_buffer).unlink()
    PhysicalCopy.objects.of_package(first.pk).update(integrity=Integrity.MISSING)
    flow.retry_now()
    flow.run("unpack", "archive")

    assert DataTransfer.objects.get().problems == []
    assert (state_of(first), state_of(second)) == (PackageState.ARCHIVED, PackageState.ARCHIVED)


def test_what_cannot_be_read_is_set_aside_by_the_last_attempt_only(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = packages(flow)
    flow.run("bundle")
    put_on_bad_sector(monkeypatch, path_of(bad, flow.output_buffer))
    flow.plan("transfer")
    flow.run_scheduled()
    transfer = DataTransfer.objects.get()
    for attempt in range(1, transfer.max_attempts):
        transfer.refresh_from_db()
        assert (transfer.status, transfer.attempts) == (Status.PENDING, attempt)
        assert copy_of(bad, flow.output_buffer).integrity == Integrity.OK
        flow.retry_now()

    transfer.refresh_from_db()
    assert transfer.status == Status.COMPLETED
    assert copy_of(bad, flow.output_buffer).integrity == Integrity.SUSPECT
    assert (state_of(bad), state_of(good)) == (PackageState.FAILED, PackageState.TRANSFERRING)


@pytest.mark.parametrize("bundles", [lambda flow: None, as_tar], ids=["manifest", "tar"])
def test_a_bundle_that_is_damaged_itself_fails_before_anything_is_sent(
    flow: Flow, bundles: Callable[[Flow], None]
) -> None:
    bundles(flow)
    some = packages(flow)
    flow.run("bundle")
    flip(bundle_path(flow))
    flow.plan("transfer")
    flow.run_scheduled()
    transfer = DataTransfer.objects.get()
    assert (transfer.status, transfer.error_code) == (Status.PENDING, "origin.damaged")
    assert transfer.attempts == 0
    flow.retry_now()

    transfer.refresh_from_db()
    assert (transfer.status, transfer.error_code) == (Status.FAILED, "transfer.bundle_gone")
    assert {state_of(package) for package in some} == {PackageState.FAILED}
    assert {copy_of(package, flow.output_buffer).integrity for package in some} == {Integrity.OK}
    assert not list((Path(flow.input_buffer.path)).rglob("*.tar"))


@pytest.mark.parametrize("way", [lambda flow: None, directly], ids=["buffer", "direct"])
def test_a_copy_to_be_checked_again_is_good_when_it_was_sent(flow: Flow, way: Callable[[Flow], None]) -> None:
    way(flow)
    (package,) = packages(flow, 1)
    PhysicalCopy.objects.of_package(package.pk).update(
        integrity=Integrity.UNVERIFIED, verified_at=None, verified_how=""
    )
    flow.run("bundle", "transfer")

    copy = copy_of(package, flow.output_buffer)
    assert (copy.integrity, copy.verified_how) == (Integrity.OK, VerifiedHow.READ_BACK)
