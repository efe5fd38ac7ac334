"""The rule of deletion, reason by reason: facts in, reasons out; no database.

``FREE`` has for each kind of copy the facts under which it may go; each test changes one of them.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from datamgmt.models import (
    DataLocation,
    DataTransferPackagePhysicalCopy,
    DeletionMode,
    DiskDataLocation,
    LocationType,
    PhysicalCopy,
    RawDataFilePhysicalCopy,
    RawDataPackage,
    RawDataPackagePhysicalCopy,
    Site,
)
from datamgmt.models.copies import CopyType
from datamgmt.states import NEEDS_ATTENTION, Integrity, PackageState, VerifiedHow
from transfer.retention.rules import ONLY_TIME, RULES, ArchiveEvidence, Facts, reasons_to_keep

NOW = datetime(2026, 5, 31, 12, 0, tzinfo=UTC)
DIGEST = "blake3:" + "1f" * 32
ARCHIVE = "cologne_long_term_archive"


def place(location_type: str, **fields: Any) -> DataLocation:
    """A location in Chile."""
    return DiskDataLocation(
        site=Site(pk=1, short_name="ccat"), name=location_type, location_type=location_type, **fields
    )


def proof(**fields: Any) -> ArchiveEvidence:
    """An archive copy that was read back in full an hour ago."""
    known = ArchiveEvidence(
        copy_id=1,
        location=ARCHIVE,
        site_id=2,
        key="a.tar",
        digest=DIGEST,
        verified_at=NOW - timedelta(hours=1),
        verified_how=VerifiedHow.READ_BACK,
        seen_at=NOW - timedelta(minutes=1),
        scrub_days=90,
    )
    return dataclasses.replace(known, **fields)


def copy_of(kind: type[PhysicalCopy]) -> PhysicalCopy:
    """A good copy of this kind."""
    return kind(type=kind.TYPE, integrity=Integrity.OK, size=1, digest=DIGEST)


def facts(kind: type[PhysicalCopy], location_type: str, **changed: Any) -> Facts:
    """Facts under which a copy of this kind may go, but for what is changed."""
    package = RawDataPackage(name="orion", state=PackageState.ARCHIVED, digest=DIGEST, archived_at=NOW - timedelta(100))
    known = Facts(
        copy=copy_of(kind),
        location=place(location_type),
        package=package,
        now=NOW,
        archive_copies=(proof(),),
        released_at=package.archived_at,
    )
    return dataclasses.replace(known, **changed)


def file_at_source(**changed: Any) -> Facts:
    """A raw file at SOURCE."""
    return facts(RawDataFilePhysicalCopy, LocationType.SOURCE, **changed)


def package_in_buffer(**changed: Any) -> Facts:
    """A package in a BUFFER."""
    return facts(RawDataPackagePhysicalCopy, LocationType.BUFFER, **changed)


def staged_package(**changed: Any) -> Facts:
    """A staged package, its last job over."""
    return facts(RawDataPackagePhysicalCopy, LocationType.PROCESSING, **changed)


def bundle_in_buffer(**changed: Any) -> Facts:
    """A bundle that was sent, received and unpacked."""
    bundle = {"package": None, "archive_copies": (), "released_at": None, "finished_transfers": 1}
    return facts(DataTransferPackagePhysicalCopy, LocationType.BUFFER, **(bundle | changed))


FREE = (file_at_source, package_in_buffer, staged_package, bundle_in_buffer)
every_kind = pytest.mark.parametrize("some", FREE, ids=lambda some: some.__name__)
of_a_package = pytest.mark.parametrize("some", FREE[:3], ids=lambda some: some.__name__)


def codes(known: Facts) -> list[str]:
    """What keeps the copy."""
    return [reason.code for reason in reasons_to_keep(known)]


@every_kind
def test_a_copy_that_nothing_needs_may_go(some: Any) -> None:
    assert codes(some()) == []


def troubled() -> list[Facts]:
    """Facts that together make every rule speak."""
    damaged = copy_of(RawDataFilePhysicalCopy)
    damaged.integrity = Integrity.DAMAGED
    waiting = RawDataPackage(name="orion", state=PackageState.WAITING)
    return [
        package_in_buffer(
            location=place(LocationType.LONG_TERM_ARCHIVE, deletion_mode=DeletionMode.OFF),
            archive_copies=(),
            read_by=("staging 1",),
            needed_by_jobs=(1, 2),
            unfinished_transfers=1,
        ),
        package_in_buffer(archives_at_site=frozenset({"ccat_archive"}), released_at=NOW),
        file_at_source(package=None, archive_copies=(), other_copy_at_site=True, copy=damaged),
        bundle_in_buffer(finished_transfers=0),
        file_at_source(package=waiting),
        package_in_buffer(
            archive_copies=(proof(seen_at=NOW - timedelta(days=1), verified_at=NOW - timedelta(days=2)),)
        ),
    ]


def test_every_rule_has_its_own_reason_in_a_sentence() -> None:
    reasons = {reason.code: reason.text for known in troubled() for reason in reasons_to_keep(known)}
    assert len(reasons) == len(RULES) + 1, "one for each rule; transfers have two"
    for text in reasons.values():
        assert len(text.split()) > 3
        assert text.endswith(".")


# archive.not_seen


@of_a_package
def test_the_store_is_asked_shortly_before(some: Any) -> None:
    known = some(archive_copies=(proof(seen_at=NOW - timedelta(minutes=11)),))
    assert codes(known) == ["archive.not_seen"]


@of_a_package
def test_a_look_ten_minutes_ago_counts(some: Any) -> None:
    assert codes(some(archive_copies=(proof(seen_at=NOW - timedelta(minutes=10)),))) == []


# archive.read_too_old


@of_a_package
def test_before_the_last_copy_goes_the_archive_was_read_within_a_day(some: Any) -> None:
    old = proof(verified_at=NOW - timedelta(hours=25))
    assert codes(some(archive_copies=(old,))) == ["archive.read_too_old"]
    assert codes(some(archive_copies=(old,), other_copies=1)) == []


@of_a_package
def test_copies_at_two_sites_count_as_long_as_they_are_scrubbed(some: Any) -> None:
    two = [proof(verified_at=NOW - timedelta(days=89), site_id=site) for site in (2, 3)]
    assert codes(some(archive_copies=tuple(two))) == []
    rotten = [dataclasses.replace(each, verified_at=NOW - timedelta(days=91)) for each in two]
    assert codes(some(archive_copies=tuple(rotten))) == ["archive.read_too_old"]
    never = [dataclasses.replace(each, scrub_days=0) for each in two]
    assert codes(some(archive_copies=tuple(never))) == ["archive.read_too_old"]


# archive.never


@of_a_package
def test_a_copy_in_an_archive_is_never_deleted(some: Any) -> None:
    assert codes(some(location=place(LocationType.LONG_TERM_ARCHIVE))) == ["archive.never"]


# location.deletion_off


@every_kind
def test_where_deletion_is_off_everything_stays(some: Any) -> None:
    known = some()
    known.location.deletion_mode = DeletionMode.OFF
    assert codes(known) == ["location.deletion_off"]


@every_kind
def test_approval_is_no_reason_to_keep(some: Any) -> None:
    known = some()
    known.location.deletion_mode = DeletionMode.APPROVAL
    assert codes(known) == []


# copy.not_ok


@every_kind
@pytest.mark.parametrize("integrity", sorted(NEEDS_ATTENTION))
def test_a_copy_in_trouble_stays_for_a_person_to_look_at(some: Any, integrity: str) -> None:
    known = some()
    known.copy.integrity = integrity
    assert codes(known) == ["copy.not_ok"]


def test_a_file_that_was_never_verified_stays() -> None:
    known = file_at_source()
    known.copy.integrity = Integrity.UNVERIFIED
    assert codes(known) == ["copy.not_ok"]


def test_a_package_that_a_person_had_checked_again_is_no_better_than_its_archive_copies() -> None:
    known = package_in_buffer()
    known.copy.integrity = Integrity.UNVERIFIED
    assert codes(known) == []
    assert "archive.too_few" in codes(dataclasses.replace(known, archive_copies=()))


# file.unpackaged


def test_a_file_in_no_package_stays() -> None:
    assert codes(file_at_source(package=None, released_at=None)) == ["file.unpackaged"]


# package.not_archived


@of_a_package
@pytest.mark.parametrize("state", sorted(set(PackageState) - {PackageState.ARCHIVED}))
def test_what_is_not_archived_stays_even_with_proven_copies(some: Any, state: str) -> None:
    known = some()
    known.package.state = state
    assert codes(known) == ["package.not_archived"]


# archive.too_few


@of_a_package
def test_without_any_archive_copy_it_stays(some: Any) -> None:
    assert codes(some(archive_copies=())) == ["archive.too_few"]


@of_a_package
@pytest.mark.parametrize(
    "fields",
    [
        {"digest": "blake3:" + "2e" * 32},
        {"digest": ""},
        {"verified_how": VerifiedHow.WRITTEN},
        {"verified_how": VerifiedHow.RECEIVED},
        {"verified_how": VerifiedHow.NONE},
        {"verified_at": NOW - timedelta(days=180, seconds=1)},
    ],
    ids=["other digest", "no digest", "written", "received", "unverified", "long ago"],
)
def test_an_archive_copy_that_proves_nothing_does_not_count(some: Any, fields: Any) -> None:
    assert codes(some(archive_copies=(proof(**fields),))) == ["archive.too_few"]


def test_two_empty_digests_are_no_proof() -> None:
    known = file_at_source(archive_copies=(proof(digest=""),))
    assert known.package is not None
    known.package.digest = ""
    assert codes(known) == ["archive.too_few"]


def test_a_copy_verified_at_the_last_moment_counts() -> None:
    assert codes(file_at_source(archive_copies=(proof(verified_at=NOW - timedelta(days=180)),), other_copies=1)) == []


def test_one_proven_copy_among_others_is_enough() -> None:
    copies = (proof(copy_id=2, digest="blake3:00"), proof())
    assert codes(file_at_source(archive_copies=copies)) == []


@of_a_package
def test_as_many_copies_as_the_location_wants_must_be_proven(some: Any) -> None:
    known = some()
    known.location.min_archive_copies = 2
    assert codes(known) == ["archive.too_few"]
    unproven = proof(copy_id=2, verified_how=VerifiedHow.WRITTEN)
    assert codes(dataclasses.replace(known, archive_copies=(proof(), unproven))) == ["archive.too_few"]
    second = proof(copy_id=2, location="us_lta")
    assert codes(dataclasses.replace(known, archive_copies=(proof(), second))) == []


def test_the_location_says_how_old_a_proof_may_be() -> None:
    known = file_at_source()
    known.location.evidence_max_age_days = 1 / 48
    assert codes(known) == ["archive.too_few"]


def test_a_bundle_needs_no_archive_copy_of_its_own() -> None:
    assert codes(bundle_in_buffer(archive_copies=())) == []


# archive.missing_here


def test_a_buffer_keeps_what_the_archive_of_its_site_lacks() -> None:
    known = package_in_buffer(archives_at_site=frozenset({ARCHIVE, "cologne_second"}))
    assert codes(known) == ["archive.missing_here"]


def test_a_buffer_keeps_what_the_archive_of_its_site_has_not_proven() -> None:
    copies = (proof(copy_id=2, location="us_lta"), proof(verified_how=VerifiedHow.WRITTEN))
    known = package_in_buffer(archives_at_site=frozenset({ARCHIVE}), archive_copies=copies)
    assert codes(known) == ["archive.missing_here"]


def test_a_buffer_lets_go_what_all_archives_of_its_site_have() -> None:
    assert codes(package_in_buffer(archives_at_site=frozenset({ARCHIVE}))) == []


@pytest.mark.parametrize("some", [file_at_source, staged_package])
def test_elsewhere_the_archives_of_the_site_do_not_matter(some: Any) -> None:
    assert codes(some(archives_at_site=frozenset({"ccat_other"}))) == []


# file.package_in_buffer


def test_a_file_stays_while_its_package_is_in_the_buffer_of_the_site() -> None:
    assert codes(file_at_source(other_copy_at_site=True)) == ["file.package_in_buffer"]


@pytest.mark.parametrize("some", [package_in_buffer, staged_package, bundle_in_buffer])
def test_only_files_wait_for_their_package(some: Any) -> None:
    assert codes(some(other_copy_at_site=True)) == []


# operation.reads


@every_kind
def test_what_an_operation_reads_stays(some: Any) -> None:
    assert codes(some(read_by=("long term archive transfer 7",))) == ["operation.reads"]


# bundle.under_way and bundle.not_sent


@pytest.mark.parametrize("some", [package_in_buffer, bundle_in_buffer])
def test_what_has_to_be_sent_on_stays(some: Any) -> None:
    assert codes(some(unfinished_transfers=1)) == ["bundle.under_way"]


def test_a_bundle_that_was_not_sent_stays() -> None:
    assert codes(bundle_in_buffer(finished_transfers=0)) == ["bundle.not_sent"]


def test_a_bundle_with_two_destinations_stays_until_both_have_it() -> None:
    assert codes(bundle_in_buffer(finished_transfers=1, unfinished_transfers=1)) == ["bundle.under_way"]


# job.active


def test_what_a_staging_job_needs_stays() -> None:
    assert codes(staged_package(needed_by_jobs=(3,))) == ["job.active"]


# retention


@of_a_package
def test_a_copy_stays_until_its_retention_ends(some: Any) -> None:
    known = some(released_at=NOW - timedelta(days=10))
    known.location.retention_days = 10.5
    assert codes(known) == ["retention"]
    known.location.retention_days = 10
    assert codes(known) == []


@pytest.mark.parametrize(("some", "days"), [(file_at_source, 30), (package_in_buffer, 7), (staged_package, 0)])
def test_without_a_word_of_the_location_its_type_says_how_long(some: Any, days: int) -> None:
    if days:
        just_before = NOW - timedelta(days=days) + timedelta(seconds=1)
        assert codes(some(released_at=just_before)) == ["retention"]
    assert codes(some(released_at=NOW - timedelta(days=days))) == []


def test_a_bundle_goes_at_once() -> None:
    known = bundle_in_buffer(released_at=NOW)
    known.location.retention_days = 100
    assert codes(known) == []


def under_pressure(known: Facts, percent: float = 85) -> Facts:
    """The same with a full disk."""
    known.location.capacity_bytes = 1000
    known.location.used_bytes = int(10 * percent)
    return known


@of_a_package
def test_a_full_disk_ends_retention(some: Any) -> None:
    fresh = some(released_at=NOW)
    fresh.location.retention_days = 100
    assert codes(under_pressure(fresh, 84)) == ["retention"]
    assert codes(under_pressure(fresh)) == []


@of_a_package
@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"archive_copies": ()}, "archive.too_few"),
        ({"archive_copies": (proof(digest="blake3:00"),)}, "archive.too_few"),
        ({"archive_copies": (proof(verified_how=VerifiedHow.WRITTEN),)}, "archive.too_few"),
        ({"archive_copies": (proof(verified_at=NOW - timedelta(181)),)}, "archive.too_few"),
        ({"read_by": ("staging 1",)}, "operation.reads"),
        ({"needed_by_jobs": (1,)}, "job.active"),
        ({"unfinished_transfers": 1}, "bundle.under_way"),
    ],
)
def test_a_full_disk_ends_nothing_else(some: Any, changed: Any, code: str) -> None:
    assert codes(under_pressure(some(released_at=NOW, **changed), 100)) == [code]


def test_a_full_disk_does_not_archive_anything() -> None:
    known = under_pressure(file_at_source())
    assert known.package is not None
    known.package.state = PackageState.TRANSFERRING
    assert codes(known) == ["package.not_archived"]


def test_only_retention_is_a_matter_of_time() -> None:
    assert frozenset({"retention"}) == ONLY_TIME


# evidence


def test_the_evidence_is_what_counted_and_nothing_else() -> None:
    second = proof(copy_id=2, location="us_lta")
    unproven = proof(copy_id=3, verified_how=VerifiedHow.WRITTEN)
    known = file_at_source(archive_copies=(proof(), second, unproven))
    assert [copy.copy_id for copy in known.evidence] == [1, 2]
    assert second.as_json() == {
        "copy": 2,
        "location": "us_lta",
        "key": "a.tar",
        "digest": DIGEST,
        "verified_at": "2026-05-31T11:00:00+00:00",
        "verified_how": "read_back",
        "seen_at": "2026-05-31T11:59:00+00:00",
    }


def test_all_reasons_are_told_not_only_the_first() -> None:
    known = file_at_source(archive_copies=(), read_by=("staging 1",), released_at=NOW)
    assert codes(known) == ["archive.too_few", "operation.reads", "retention"]


def test_the_kinds_of_copies_here_are_all_there_are() -> None:
    assert {some().copy.type for some in FREE} == set(CopyType)
