"""Stage 10: one tar of good files; bad ones are set aside with a reason and the others go on."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from ccatdc.common.states import Status
from datamgmt.models import PhysicalCopy, RawDataFile, RawDataPackage
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus, VerifiedHow
from datamgmt.storage.base import Stored, in_64_bits
from tests.flow import Flow, digest_of, members_of
from transfer.models import RawDataPackageCreation

FILES = {
    "run1/17500/rfsoc01_drone1/r01d1_1750012345_000.g3": b"timestream" * 1000,
    "run1/hk/with space and ünïcödé ☄.g3": b"housekeeping",
    "run1/-leading-dash": b"dash",
    "run1/new\nline": b"newline",
    "run1/empty": b"",
    "run1/" + "deep-directory-name/" * 12 + "file": b"deeper than a hundred characters",
    "run1/" + "n" * 255: b"as long as a name may be",
}


def the_tar(flow: Flow) -> Path:
    """The only package's tar in the buffer."""
    copy = PhysicalCopy.objects.at(flow.output_buffer).with_subjects().get()
    return Path(copy.full_path)


def test_every_file_is_in_the_tar_under_its_relative_path(flow: Flow, tmp_path: Path) -> None:
    flow.observe(FILES)
    flow.run("package")

    assert members_of(the_tar(flow)) == FILES
    out = tmp_path / "extracted"
    out.mkdir()
    subprocess.run(["tar", "-xf", the_tar(flow), "-C", out], check=True, timeout=60)
    found = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert found == FILES


def test_package_and_copies_are_recorded_with_their_digests(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run("package")

    package = RawDataPackage.objects.get()
    tar = the_tar(flow)
    assert (package.status, package.state) == (Status.COMPLETED, PackageState.WAITING)
    assert (package.size, package.digest) == (tar.stat().st_size, digest_of(tar))
    assert package.file_count == len(FILES)
    copy = PhysicalCopy.objects.at(flow.output_buffer).get()
    assert (copy.status, copy.integrity, copy.verified_how) == (
        PhysicalCopyStatus.PRESENT,
        Integrity.OK,
        VerifiedHow.WRITTEN,
    )
    for file in RawDataFile.objects.all():
        source = Path(flow.source.path) / file.relative_path
        at_source = file.copies.get()
        assert file.digest == digest_of(source) == at_source.digest
        assert at_source.integrity == Integrity.OK
        assert (at_source.mtime_ns, at_source.inode) == (source.stat().st_mtime_ns, source.stat().st_ino)


@pytest.mark.parametrize(
    ("spoil", "integrity", "code"),
    [
        (lambda path: path.unlink(), Integrity.MISSING, "file.missing"),
        (lambda path: path.write_bytes(b"longer than filed"), Integrity.DAMAGED, "file.size_differs"),
    ],
)
def test_a_bad_file_is_set_aside_and_the_others_go_on(  # type: ignore[no-untyped-def]
    flow: Flow, spoil, integrity: str, code: str
) -> None:
    flow.observe({"run1/good": b"good", "run1/bad": b"bad"}, finish=True)
    spoil(Path(flow.source.path) / "run1/bad")
    flow.run("package")

    assert members_of(the_tar(flow)) == {"run1/good": b"good"}
    bad = RawDataFile.objects.get(relative_path="run1/bad")
    assert bad.raw_data_package is None
    copy = bad.copies.get()
    assert (copy.integrity, copy.error_code) == (integrity, code)
    operation = RawDataPackageCreation.objects.get()
    assert operation.status == Status.COMPLETED
    assert [problem["code"] for problem in operation.problems] == [code]
    assert RawDataPackage.objects.get().file_count == 1


def test_a_wrong_filed_checksum_sets_the_file_aside(flow: Flow) -> None:
    flow.observe({"run1/good": b"good", "run1/wrong": b"wrong"}, finish=True)
    for path, content in (("run1/good", b"good"), ("run1/wrong", b"other bytes")):
        RawDataFile.objects.filter(relative_path=path).update(
            checksum=hashlib.sha256(content).hexdigest(), checksum_algorithm="sha256"
        )
    flow.run("package")

    assert members_of(the_tar(flow)) == {"run1/good": b"good"}
    copy = RawDataFile.objects.get(relative_path="run1/wrong").copies.get()
    assert (copy.integrity, copy.error_code) == (Integrity.DAMAGED, "file.checksum_differs")


@pytest.mark.parametrize("seconds", [-(2**31), 10_500_000_000], ids=["1901", "2302"])
def test_times_that_are_out_of_the_ordinary_do_not_stop_a_file(flow: Flow, seconds: int) -> None:
    flow.observe({"run1/clock": b"had no time from the network"})
    os.utime(Path(flow.source.path) / "run1/clock", (seconds, seconds))
    flow.run("package", "bundle", "transfer", "unpack", "archive", "delete")

    assert RawDataPackage.objects.get().state == PackageState.ARCHIVED
    copy = RawDataFile.objects.get().copies.get()
    assert copy.status == PhysicalCopyStatus.DELETED, "it was known again when it was deleted"


def test_an_inode_of_all_64_bits_is_known_again() -> None:
    seen = Stored(1, 2**63 + 5, 2**64 - 1)
    stored = Stored(1, in_64_bits(2**63 + 5), in_64_bits(2**64 - 1))

    assert stored.agrees_with(seen)
    assert not stored.agrees_with(Stored(1, 2**63 + 5, 2**64 - 2))


def test_a_link_at_source_is_not_followed(flow: Flow, tmp_path: Path) -> None:
    secret = tmp_path / "outside"
    secret.write_bytes(b"bad")
    flow.observe({"run1/good": b"good", "run1/bad": b"bad"}, finish=True)
    link = Path(flow.source.path) / "run1/bad"
    link.unlink()
    link.symlink_to(secret)
    flow.run("package")

    assert members_of(the_tar(flow)) == {"run1/good": b"good"}
    assert RawDataFile.objects.get(relative_path="run1/bad").copies.get().error_code


def test_with_no_good_file_the_operation_fails_and_says_so(flow: Flow) -> None:
    flow.observe({"run1/bad": b"bad"}, finish=True)
    (Path(flow.source.path) / "run1/bad").unlink()
    flow.run("package")

    operation = RawDataPackageCreation.objects.get()
    assert (operation.status, operation.error_code) == (Status.FAILED, "package.no_good_file")
    assert RawDataPackage.objects.get().state == PackageState.FAILED
    assert RawDataFile.objects.get().copies.get().integrity == Integrity.MISSING


def test_a_restored_file_goes_into_a_further_package_when_checked_again(flow: Flow) -> None:
    flow.observe({"run1/good": b"good", "run1/bad": b"bad"}, finish=True)
    bad = Path(flow.source.path) / "run1/bad"
    bad.unlink()
    flow.run("package")
    bad.write_bytes(b"bad")
    PhysicalCopy.objects.needing_attention().update(integrity=Integrity.UNVERIFIED)
    flow.run("package")

    assert RawDataFile.objects.unpackaged().count() == 0
    assert sorted(RawDataPackage.objects.values_list("is_late", flat=True)) == [False, True]


def test_an_unmounted_source_is_no_missing_file(flow: Flow) -> None:
    flow.observe({"run1/good": b"good"})
    Path(flow.source.path).rename(f"{flow.source.path}.away")
    Path(flow.source.path).mkdir()
    flow.plan("package")
    flow.run_scheduled()

    operation = RawDataPackageCreation.objects.get()
    assert (operation.status, operation.error_code) == (Status.PENDING, "location.marker_missing")
    assert RawDataFile.objects.get().copies.get().integrity == Integrity.UNVERIFIED
    assert RawDataFile.objects.get().raw_data_package is not None


def test_nothing_is_written_into_a_buffer_that_is_not_itself(flow: Flow) -> None:
    flow.observe({"run1/good": b"good"})
    Path(flow.output_buffer.path).rename(f"{flow.output_buffer.path}.away")
    Path(flow.output_buffer.path).mkdir()
    flow.plan("package")
    flow.run_scheduled()

    assert list(Path(flow.output_buffer.path).rglob("*")) == []
    assert RawDataPackageCreation.objects.get().error_code == "location.marker_missing"


def test_leftovers_of_a_lost_claim_are_removed_by_the_next(flow: Flow) -> None:
    flow.observe({"run1/good": b"good"})
    flow.plan("package")
    operation = RawDataPackageCreation.objects.get()
    package = operation.raw_data_package
    day = package.executed_obs_unit.start_time.strftime("%Y/%m/%d")
    stale = Path(flow.output_buffer.path) / f"packages/{day}/{package.name}.{operation.pk}-1.tar"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"renamed, never recorded")
    RawDataPackageCreation._base_manager.filter(pk=operation.pk).update(claims=1)
    flow.run_scheduled()

    assert not stale.exists()
    assert the_tar(flow).name.endswith(f".{operation.pk}-2.tar")


def test_nothing_is_written_into_a_buffer_that_was_switched_off_meanwhile(flow: Flow) -> None:
    flow.observe({"run1/good": b"good"})
    flow.plan("package")
    buffers = type(flow.output_buffer).objects.filter(pk=flow.output_buffer.pk)
    buffers.update(active=False)
    flow.run_scheduled()

    operation = RawDataPackageCreation.objects.get()
    assert (operation.status, operation.error_code) == (Status.PENDING, "location.inactive")
    assert operation.attempts == 0
    assert not PhysicalCopy.objects.at(flow.output_buffer).exists()
