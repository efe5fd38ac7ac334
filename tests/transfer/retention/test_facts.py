"""The facts behind the rule of deletion, read from real rows; and what the rule makes of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import DataLocation, DataTransferPackage, PhysicalCopy, RawDataPackage, Site
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus, VerifiedHow
from tests.factories.transfer import (
    DataTransferFactory,
    LongTermArchiveTransferFactory,
    RawDataPackageCreationFactory,
    StagingFactory,
    StagingJobFactory,
)
from tests.transfer.world import World, change, days_ago, fill
from transfer.retention.facts import facts_about
from transfer.retention.rules import Facts, reasons_to_keep

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(world: World) -> World:
    """Whose archive copies are read regularly: what is kept is kept for another reason."""
    world.is_scrubbed = True
    return world


def about(copy: PhysicalCopy) -> Facts:
    """The facts about one copy, as the database has it now."""
    (facts,) = facts_about(list(PhysicalCopy.objects.with_subjects().filter(pk=copy.pk)))
    return facts


def codes(copy: PhysicalCopy) -> list[str]:
    """What keeps a copy."""
    return [reason.code for reason in reasons_to_keep(about(copy))]


def archived_in(world: World, place: DataLocation) -> tuple[RawDataPackage, PhysicalCopy]:
    """A package that was archived long ago, and its copy at this place."""
    package = world.archived(place)
    copy: PhysicalCopy = PhysicalCopy.objects.at(place).get(raw_data_package=package)
    return package, copy


# Kinds of copies that nothing needs


def test_a_file_whose_package_was_archived_long_ago_may_go(world: World) -> None:
    assert codes(world.source_file(world.archived())) == []


def test_a_package_in_either_buffer_may_go(world: World) -> None:
    package = world.archived(world.output_buffer, world.input_buffer)
    world.sent(world.bundle(package))
    for buffer in (world.output_buffer, world.input_buffer):
        assert codes(PhysicalCopy.objects.at(buffer).get(raw_data_package=package)) == []


def test_a_bundle_that_arrived_may_go_from_both_ends(world: World) -> None:
    bundle = world.bundle(world.package())
    world.sent(bundle)
    for place in (world.output_buffer, world.input_buffer):
        assert codes(world.bundle_copy(bundle, place)) == []


def test_an_unpackaged_file_has_no_package_and_stays(world: World) -> None:
    facts = about(world.source_file(None))
    assert facts.package is None
    assert [reason.code for reason in reasons_to_keep(facts)] == ["file.unpackaged"]


# What counts as evidence


@pytest.mark.parametrize("integrity", sorted(set(Integrity) - {Integrity.OK}))
def test_an_archive_copy_that_is_not_good_does_not_count(world: World, integrity: str) -> None:
    file = world.source_file(world.archived())
    PhysicalCopy.objects.at(world.archive).update(integrity=integrity)
    assert about(file).archive_copies == ()
    assert codes(file) == ["archive.too_few"]


@pytest.mark.parametrize("status", sorted(set(PhysicalCopyStatus) - {PhysicalCopyStatus.PRESENT}))
def test_an_archive_copy_that_is_not_present_does_not_count(world: World, status: str) -> None:
    file = world.source_file(world.archived())
    PhysicalCopy.objects.at(world.archive).update(status=status)
    assert codes(file) == ["archive.too_few"]


def test_an_archive_copy_that_was_only_written_does_not_count(world: World) -> None:
    file = world.source_file(world.archived())
    PhysicalCopy.objects.at(world.archive).update(verified_how=VerifiedHow.WRITTEN)
    assert codes(file) == ["archive.too_few"]


def test_an_archive_copy_verified_too_long_ago_does_not_count(world: World) -> None:
    file = world.source_file(world.archived())
    PhysicalCopy.objects.at(world.archive).update(verified_at=days_ago(181))
    assert codes(file) == ["archive.too_few"]
    PhysicalCopy.objects.at(world.archive).update(verified_at=None)
    assert codes(file) == ["archive.too_few"]


def test_an_archive_copy_with_another_digest_does_not_count(world: World) -> None:
    file = world.source_file(world.archived())
    PhysicalCopy.objects.at(world.archive).update(digest="blake3:" + "00" * 32)
    assert codes(file) == ["archive.too_few"]


def test_a_copy_in_an_archive_that_is_off_does_not_count(world: World) -> None:
    file = world.source_file(world.archived())
    change(world.archive, active=False)
    assert codes(file) == ["archive.too_few"]
    change(world.archive, active=True)
    Site.objects.filter(pk=world.cologne.pk).update(active=False)
    assert codes(file) == ["archive.too_few"]


def test_copies_in_buffers_and_staged_trees_are_no_evidence(world: World) -> None:
    package = world.package(world.input_buffer, world.processing, state=PackageState.ARCHIVED, archived_at=days_ago(99))
    file = world.source_file(package)
    assert codes(file) == ["archive.too_few"]
    buffered = PhysicalCopy.objects.at(world.input_buffer).get()
    assert codes(buffered) == ["archive.too_few", "archive.missing_here"]


def test_the_evidence_of_one_package_is_none_for_another(world: World) -> None:
    world.archived()
    lost = world.package(state=PackageState.ARCHIVED, archived_at=days_ago(99))
    assert codes(world.source_file(lost)) == ["archive.too_few"]


def test_two_archives_are_wanted_and_one_is_damaged(world: World) -> None:
    _, _, replica = world.third_site()
    change(world.source, min_archive_copies=2)
    package = world.archived()
    file = world.source_file(package)
    assert codes(file) == ["archive.too_few"]
    second = world.copy(package, replica)
    assert codes(file) == []
    PhysicalCopy.objects.filter(pk=second.pk).update(integrity=Integrity.DAMAGED)
    assert codes(file) == ["archive.too_few"]


def test_a_full_disk_does_not_make_a_proof_of_what_is_none(world: World) -> None:
    fill(world.source, 99)
    package = world.archived(days=0)
    file = world.source_file(package)
    assert codes(file) == []
    PhysicalCopy.objects.at(world.archive).update(verified_how=VerifiedHow.WRITTEN)
    assert codes(file) == ["archive.too_few"]


# The last copy


def test_the_last_good_copy_stays_when_the_archives_copy_turns_out_to_be_damaged(world: World) -> None:
    package = world.archived(world.output_buffer, world.input_buffer, world.processing)
    file = world.source_file(package)
    PhysicalCopy.objects.at(world.archive).update(integrity=Integrity.SUSPECT)
    outside = PhysicalCopy.objects.outside_archives()
    assert outside.count() == 4
    assert all("archive.too_few" in codes(copy) for copy in outside)
    assert "archive.too_few" in codes(file)


def test_a_damaged_copy_stays_although_the_archive_has_a_good_one(world: World) -> None:
    file = world.source_file(world.archived(), integrity=Integrity.DAMAGED)
    assert codes(file) == ["copy.not_ok"]


@pytest.mark.parametrize("state", sorted(set(PackageState) - {PackageState.ARCHIVED}))
def test_before_the_package_is_archived_nothing_goes(world: World, state: str) -> None:
    package = world.archived(world.output_buffer)
    type(package).objects.filter(pk=package.pk).update(state=state)
    assert codes(world.source_file(package)) == ["package.not_archived", "file.package_in_buffer"]
    buffered = PhysicalCopy.objects.at(world.output_buffer).get()
    assert codes(buffered) == ["package.not_archived"]


# Operations that read it


@pytest.mark.parametrize("trait", ["", "in_progress", "failed"])
def test_an_archive_transfer_keeps_its_origin_also_when_it_failed(world: World, trait: str) -> None:
    package, copy = archived_in(world, world.input_buffer)
    traits = {trait: True} if trait else {}
    LongTermArchiveTransferFactory.create(
        raw_data_package=package, location=world.lta(world.site("us")), origin_location=world.input_buffer, **traits
    )
    assert codes(copy) == ["operation.reads"]


def test_an_archive_transfer_that_is_done_keeps_nothing(world: World) -> None:
    package, copy = archived_in(world, world.input_buffer)
    LongTermArchiveTransferFactory.create(
        raw_data_package=package, location=world.archive, origin_location=world.input_buffer, completed=True
    )
    assert codes(copy) == []


def test_a_reader_keeps_the_copy_it_reads_and_no_other(world: World) -> None:
    package, copy = archived_in(world, world.output_buffer)
    LongTermArchiveTransferFactory.create(
        raw_data_package=package, location=world.archive, origin_location=world.input_buffer, failed=True
    )
    assert codes(copy) == []


@pytest.mark.parametrize("trait", ["in_progress", "failed"])
def test_a_package_that_is_being_made_keeps_its_files(world: World, trait: str) -> None:
    package = world.archived()
    file = world.source_file(package)
    RawDataPackageCreationFactory.create(raw_data_package=package, location=world.source, **{trait: True})
    assert codes(file) == ["operation.reads"]


def test_a_staging_keeps_the_tree_but_not_when_it_failed(world: World) -> None:
    package, copy = archived_in(world, world.processing)
    job = StagingJobFactory.create(destination_location=world.processing, cancelled_at=days_ago(1))
    staging = StagingFactory.create(staging_job=job, raw_data_package=package, in_progress=True)
    assert codes(copy) == ["operation.reads"]
    type(staging)._base_manager.filter(pk=staging.pk).update(status=Status.FAILED)
    assert codes(copy) == []


# Bundles on their way


def test_a_bundle_under_way_keeps_its_packages_where_it_sets_out(world: World) -> None:
    package = world.archived(world.output_buffer, world.input_buffer)
    bundle = world.bundle(package)
    here = PhysicalCopy.objects.at(world.output_buffer).get()
    there = PhysicalCopy.objects.at(world.input_buffer).get()
    assert codes(here) == ["bundle.under_way"]
    assert codes(there) == []
    transfer = world.sent(bundle, completed=False, unpack_status=Status.PENDING)
    assert codes(here) == ["bundle.under_way"]
    rows = type(transfer)._base_manager.filter(pk=transfer.pk)
    rows.update(status=Status.COMPLETED)
    assert codes(here) == ["bundle.under_way"]
    rows.update(unpack_status=Status.IN_PROGRESS)
    assert codes(here) == ["bundle.under_way"]
    rows.update(unpack_status=Status.COMPLETED)
    assert codes(here) == []


@pytest.mark.parametrize("where", ["bundle", "transfer", "unpacking"])
def test_a_failed_bundle_keeps_nothing_whose_package_went_another_way(world: World, where: str) -> None:
    package, copy = archived_in(world, world.output_buffer)
    bundle = world.bundle(package)
    if where == "bundle":
        DataTransferPackage.objects.update(status=Status.FAILED)
    elif where == "transfer":
        world.sent(bundle, completed=False, failed=True, unpack_status=Status.PENDING)
    else:
        world.sent(bundle, unpack_status=Status.FAILED)
    assert codes(copy) == []


def test_a_failed_bundle_keeps_packages_that_are_not_archived(world: World) -> None:
    package = world.package(world.output_buffer, state=PackageState.FAILED)
    bundle = world.bundle(package)
    world.sent(bundle, completed=False, failed=True, unpack_status=Status.PENDING)
    copy = PhysicalCopy.objects.at(world.output_buffer).get()
    assert "package.not_archived" in codes(copy)
    assert codes(world.bundle_copy(bundle, world.output_buffer)) == ["bundle.under_way"]


def test_a_relay_keeps_what_it_still_has_to_send_on(world: World) -> None:
    hub = world.site("hub")
    buffer = world.buffer(hub, "hub_buffer")
    own_archive = world.lta(hub)
    package = world.archived(buffer)
    world.copy(package, own_archive)
    copy = PhysicalCopy.objects.at(buffer).get()
    assert codes(copy) == []
    first = world.bundle(package, destination_site=hub, final_site=world.cologne)
    world.sent(first, destination_location=buffer)
    assert codes(copy) == ["bundle.under_way"]
    onward = world.bundle(package, origin_location=buffer, final_site=world.cologne)
    assert codes(copy) == ["bundle.under_way"]
    world.sent(onward)
    assert codes(copy) == []


def test_the_end_of_a_relay_has_nothing_to_send_on(world: World) -> None:
    package, copy = archived_in(world, world.input_buffer)
    onward = world.bundle(
        package, origin_location=world.buffer(world.site("hub"), "hub_buffer"), final_site=world.cologne
    )
    world.sent(onward)
    assert codes(copy) == []


# Bundles


def test_a_bundle_that_was_not_sent_yet_stays(world: World) -> None:
    bundle = world.bundle(world.archived())
    assert codes(world.bundle_copy(bundle, world.output_buffer)) == ["bundle.not_sent"]


@pytest.mark.parametrize(
    ("status", "unpack_status"),
    [
        ("pending", "pending"),
        ("scheduled", "pending"),
        ("in_progress", "pending"),
        ("completed", "pending"),
        ("completed", "scheduled"),
        ("completed", "in_progress"),
    ],
)
def test_a_bundle_stays_until_it_is_unpacked_even_if_its_packages_are_archived(
    world: World, status: str, unpack_status: str
) -> None:
    bundle = world.bundle(world.archived())
    traits = {"in_progress": True} if status == "in_progress" else {"status": status}
    DataTransferFactory.create(data_transfer_package=bundle, unpack_status=unpack_status, **traits)
    for place in (world.output_buffer, world.input_buffer):
        assert "bundle.under_way" in codes(world.bundle_copy(bundle, place))


@pytest.mark.parametrize(("status", "unpack_status"), [("failed", "pending"), ("completed", "failed")])
def test_the_bundle_of_a_failed_transfer_stays_until_its_packages_are_archived(
    world: World, status: str, unpack_status: str
) -> None:
    first, second = world.archived(), world.package(state=PackageState.FAILED)
    bundle = world.bundle(first, second)
    DataTransferFactory.create(data_transfer_package=bundle, status=status, unpack_status=unpack_status)
    copy = world.bundle_copy(bundle, world.output_buffer)
    assert codes(copy) == ["bundle.under_way"]
    type(second).objects.filter(pk=second.pk).update(state=PackageState.ARCHIVED)
    assert codes(copy) == []


def test_a_bundle_with_two_transfers_needs_both(world: World) -> None:
    _, far, _ = world.third_site()
    bundle = world.bundle(world.package())
    world.sent(bundle)
    copy = world.bundle_copy(bundle, world.output_buffer)
    world.sent(bundle, destination_location=far, unpack_status=Status.PENDING)
    facts = about(copy)
    assert (facts.finished_transfers, facts.unfinished_transfers) == (1, 1)
    assert codes(copy) == ["bundle.under_way"]


# Staging jobs


def test_an_active_job_keeps_what_it_asked_for(world: World) -> None:
    package, copy = archived_in(world, world.processing)
    job = StagingJobFactory.create(packages=[package])
    assert codes(copy) == ["job.active"]
    assert about(copy).needed_by_jobs == (job.pk,)


def test_a_completed_job_keeps_its_data_until_it_expires(world: World) -> None:
    package, copy = archived_in(world, world.processing)
    job = StagingJobFactory.create(packages=[package], status=Status.COMPLETED)
    assert codes(copy) == ["job.active"]
    type(job).objects.filter(pk=job.pk).update(expires_at=days_ago(1))
    assert codes(copy) == []


@pytest.mark.parametrize(
    "fields", [{"cancelled_at": days_ago(2)}, {"expires_at": days_ago(1)}], ids=["cancelled", "expired"]
)
def test_a_job_that_is_over_keeps_nothing(world: World, fields: dict[str, Any]) -> None:
    package, copy = archived_in(world, world.processing)
    StagingJobFactory.create(packages=[package], **fields)
    assert codes(copy) == []


def test_of_two_jobs_the_one_that_is_active_keeps_it(world: World) -> None:
    package, copy = archived_in(world, world.processing)
    StagingJobFactory.create(packages=[package], cancelled_at=days_ago(2))
    active = StagingJobFactory.create(packages=[package])
    assert about(copy).needed_by_jobs == (active.pk,)


def test_a_job_keeps_nothing_elsewhere_and_nothing_else(world: World) -> None:
    _, copy = archived_in(world, world.processing)
    other, elsewhere = archived_in(world, world.input_buffer)
    StagingJobFactory.create(packages=[other])
    assert codes(copy) == []
    assert codes(elsewhere) == []


def test_the_retention_of_staged_data_counts_from_the_end_of_its_last_job(world: World) -> None:
    change(world.processing, retention_days=3)
    package, copy = archived_in(world, world.processing)
    StagingJobFactory.create(packages=[package], expires_at=days_ago(9))
    last = StagingJobFactory.create(
        packages=[package], cancelled_at=days_ago(2), expires_at=timezone.now() + timedelta(days=9)
    )
    assert about(copy).released_at == last.cancelled_at
    assert codes(copy) == ["retention"]
    type(last).objects.filter(pk=last.pk).update(cancelled_at=days_ago(4))
    assert codes(copy) == []


# The rest of the world


def test_retention_elsewhere_counts_from_the_archival(world: World) -> None:
    package = world.archived(days=29.9)
    file = world.source_file(package)
    assert about(file).released_at == package.archived_at
    assert codes(file) == ["retention"]
    type(package).objects.filter(pk=package.pk).update(archived_at=days_ago(30))
    assert codes(file) == []


def test_a_file_waits_for_its_package_in_a_buffer_of_its_own_site(world: World) -> None:
    package = world.archived(world.output_buffer, world.input_buffer)
    file = world.source_file(package)
    assert codes(file) == ["file.package_in_buffer"]
    PhysicalCopy.objects.at(world.output_buffer).update(status=PhysicalCopyStatus.DELETED)
    assert codes(file) == []


def test_a_buffer_waits_for_every_archive_of_its_site_that_is_in_use(world: World) -> None:
    package, copy = archived_in(world, world.input_buffer)
    second = world.lta(world.cologne, "second_archive")
    world.lta(world.ccat)
    assert codes(copy) == ["archive.missing_here"]
    change(second, active=False)
    assert codes(copy) == []
    change(second, active=True)
    assert copy.raw_data_package is not None
    world.copy(package, second)
    assert codes(copy) == []


# Cost


def test_the_number_of_queries_does_not_grow_with_the_number_of_copies(world: World) -> None:
    def put(count: int) -> None:
        for _ in range(count):
            package = world.archived(world.output_buffer, world.input_buffer, world.processing)
            world.source_file(package)
            bundle = world.bundle(package)
            world.sent(bundle)
            world.bundle_copy(bundle, world.output_buffer)
            StagingJobFactory.create(packages=[package])

    def queries() -> tuple[int, int]:
        copies = list(PhysicalCopy.objects.outside_archives().with_subjects())
        with CaptureQueriesContext(connection) as captured:
            facts = facts_about(copies)
            for known in facts:
                reasons_to_keep(known)
        return len(facts), len(captured)

    put(1)
    queries()  # what Django remembers for good is asked for once
    few, for_few = queries()
    put(19)
    many, for_many = queries()
    assert (few, many) == (5, 100)
    assert for_many == for_few <= 13


def test_nothing_is_asked_about_nothing(world: World) -> None:
    assert facts_about([]) == []


# The last copy outside the archives


def old_evidence(world: World, *places: DataLocation) -> RawDataPackage:
    """A package in these places whose archive copy was read three days ago."""
    package = world.archived(*places)
    world.sent(world.bundle(package))
    PhysicalCopy.objects.at(world.archive).update(verified_at=days_ago(3))
    return package


def tar(package: RawDataPackage, place: DataLocation) -> PhysicalCopy:
    copy: PhysicalCopy = PhysicalCopy.objects.of_package(package.pk).at(place).get()
    return copy


def test_the_last_copy_waits_for_a_read_and_one_of_two_does_not(world: World) -> None:
    package = old_evidence(world, world.output_buffer, world.input_buffer)
    assert codes(tar(package, world.output_buffer)) == []
    PhysicalCopy.objects.at(world.input_buffer).update(status=PhysicalCopyStatus.DELETED)
    assert codes(tar(package, world.output_buffer)) == ["archive.read_too_old"]


@pytest.mark.parametrize(
    "fields",
    [
        {"status": PhysicalCopyStatus.DELETION_SCHEDULED},
        {"status": PhysicalCopyStatus.DELETION_IN_PROGRESS},
        {"integrity": Integrity.UNVERIFIED},
        {"integrity": Integrity.MISSING},
        {"verified_at": days_ago(200)},
    ],
    ids=["scheduled", "going", "unverified", "missing", "old"],
)
def test_of_two_that_go_at_once_each_is_the_last_as_is_one_beside_another_in_doubt(
    world: World, fields: dict[str, Any]
) -> None:
    package = old_evidence(world, world.output_buffer, world.input_buffer)
    PhysicalCopy.objects.at(world.input_buffer).update(**fields)
    assert codes(tar(package, world.output_buffer)) == ["archive.read_too_old"]


def test_a_copy_that_cannot_be_read_now_is_no_other_copy(world: World) -> None:
    package = old_evidence(world, world.output_buffer, world.input_buffer)
    change(world.input_buffer, active=False)
    assert codes(tar(package, world.output_buffer)) == ["archive.read_too_old"]


def test_the_files_at_source_are_another_copy_when_all_are_there(world: World) -> None:
    package = old_evidence(world, world.input_buffer)
    RawDataPackage.objects.update(file_count=2)
    files = [world.source_file(package, verified_at=days_ago(3)) for _ in range(2)]
    assert codes(tar(package, world.input_buffer)) == []
    PhysicalCopy.objects.filter(pk=files[0].pk).update(status=PhysicalCopyStatus.DELETED)
    assert codes(tar(package, world.input_buffer)) == ["archive.read_too_old"]


def test_a_file_at_source_is_no_other_copy_of_its_neighbour(world: World) -> None:
    package = old_evidence(world)
    RawDataPackage.objects.update(file_count=2)
    files = [world.source_file(package, verified_at=days_ago(3)) for _ in range(2)]
    assert [codes(file) for file in files] == [["archive.read_too_old"]] * 2


def test_a_staged_tree_is_no_other_copy(world: World) -> None:
    package = old_evidence(world, world.output_buffer, world.processing)
    assert codes(tar(package, world.output_buffer)) == ["archive.read_too_old"]
