"""Stage 60: the original tree, verified; a second job links it; a damaged object stages nothing."""

from __future__ import annotations

from pathlib import Path

from ccatdc.common.states import Status
from datamgmt.models import PhysicalCopy, RawDataFile, RawDataPackage
from datamgmt.states import Integrity, PhysicalCopyStatus, VerifiedHow, WantedCheck
from notifications.models import OutgoingMessage
from tests.factories.datamgmt import SiteFactory
from tests.factories.transfer import StagingJobFactory
from tests.flow import Flow
from tests.transfer.operations.spoiling import flip
from transfer.models import Staging, StagingJob

ARCHIVED = ("package", "bundle", "transfer", "unpack", "archive")
FILES = {"run1/a/b": b"deep", "run1/empty": b"", "run1/ü -x": b"name"}


def staged_files(folder: Path) -> dict[str, bytes]:
    """Everything below a job's folder, through its links, by the path below each package."""
    found = {}
    for package in folder.iterdir():
        for file in package.resolve().rglob("*"):
            if file.is_file():
                found[str(file.relative_to(package.resolve()))] = file.read_bytes()
    return found


def ask(flow: Flow) -> StagingJob:
    """A job for everything that is archived."""
    job: StagingJob = StagingJobFactory.create(
        destination_location=flow.processing, packages=RawDataPackage.objects.archived()
    )
    return job


def test_the_job_folder_holds_the_original_tree(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    job = ask(flow)
    flow.run("stage")

    job.refresh_from_db()
    assert job.status == Status.COMPLETED
    assert staged_files(Path(flow.processing.path) / "jobs" / str(job.pk)) == FILES
    copy = PhysicalCopy.objects.at(flow.processing).get()
    assert copy.status == PhysicalCopyStatus.STAGED


def test_a_second_job_for_the_same_package_shares_the_tree(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    first, second = ask(flow), ask(flow)
    flow.run("stage")

    assert PhysicalCopy.objects.at(flow.processing).count() == 1
    links = [next((Path(flow.processing.path) / "jobs" / str(j.pk)).iterdir()) for j in (first, second)]
    assert links[0].resolve() == links[1].resolve()
    assert set(StagingJob.objects.values_list("status", flat=True)) == {Status.COMPLETED}


def test_a_damaged_object_stages_nothing(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    copy = PhysicalCopy.objects.at(flow.archive).get()
    stored = flow.object_path(flow.archive, copy.key)
    content = bytearray(stored.read_bytes())
    content[512] ^= 1
    stored.write_bytes(content)
    ask(flow)
    flow.plan("stage")
    flow.run_scheduled()
    operation = Staging.objects.get()
    assert (operation.status, operation.error_code) == (Status.PENDING, "origin.damaged")
    copy.refresh_from_db()
    assert (copy.integrity, copy.error_code) == (Integrity.DAMAGED, "origin.damaged")
    flow.retry_now()
    flow.plan("stage")

    operation.refresh_from_db()
    assert (operation.status, operation.error_code, operation.attempts) == (
        Status.PENDING,
        "staging.no_archive_copy",
        0,
    )
    root = Path(flow.processing.path)
    assert [p for p in root.rglob("*") if p.is_file() and ".ccatdc" not in p.parts] == []
    assert StagingJob.objects.get().status == Status.IN_PROGRESS
    copy.refresh_from_db()
    assert copy.wanted_check == WantedCheck.READ


def test_a_job_goes_on_when_the_store_gives_the_right_bytes_again(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    copy = PhysicalCopy.objects.at(flow.archive).get()
    stored = flow.object_path(flow.archive, copy.key)
    content = stored.read_bytes()
    stored.write_bytes(content[:-1] + b"?")
    ask(flow)
    flow.run("stage")
    flow.retry_now()
    flow.run("stage", "scrub")  # nobody has good bytes: the copy is read again and is bad still
    copy.refresh_from_db()
    assert (copy.integrity, copy.wanted_check) == (Integrity.DAMAGED, "")

    stored.write_bytes(content)
    flow.retry_now()
    flow.run("stage", "scrub")
    flow.retry_now()
    flow.run("stage")
    assert StagingJob.objects.get().status == Status.COMPLETED
    copy.refresh_from_db()
    assert copy.integrity == Integrity.OK


def test_the_requester_is_told(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    job = ask(flow)
    job.requested_by.email = "scientist@example.org"
    job.requested_by.save()
    flow.run("stage")

    message = OutgoingMessage.objects.get(address="scientist@example.org")
    assert f"{flow.processing.path}/jobs/{job.pk}" in message.body


def test_a_damaged_copy_gives_way_to_that_of_another_archive(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    flow.bucket(SiteFactory.create(short_name="us"), "lta")
    flow.run("archive")
    copy = PhysicalCopy.objects.at(flow.archive).get()
    flip(flow.object_path(flow.archive, copy.key))
    job = ask(flow)
    flow.plan("stage")
    flow.run_scheduled()
    flow.retry_now()
    flow.plan("stage")

    job.refresh_from_db()
    assert job.status == Status.COMPLETED
    assert staged_files(Path(flow.processing.path) / "jobs" / str(job.pk)) == FILES
    copy.refresh_from_db()
    assert copy.integrity == Integrity.DAMAGED


def test_what_the_catalogue_does_not_know_is_no_damage_of_the_copy(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    RawDataFile.objects.filter(relative_path="run1/empty").update(raw_data_package=None)
    ask(flow)
    flow.plan("stage")
    flow.run_scheduled()

    operation = Staging.objects.get()
    assert (operation.status, operation.error_code) == (Status.FAILED, "package.member_unexpected")
    assert PhysicalCopy.objects.at(flow.archive).get().integrity == Integrity.OK


def test_a_copy_to_be_checked_again_is_good_when_it_was_staged(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    PhysicalCopy.objects.at(flow.archive).update(integrity=Integrity.UNVERIFIED, verified_at=None, verified_how="")
    ask(flow)
    flow.run("stage")

    copy = PhysicalCopy.objects.at(flow.archive).get()
    assert (copy.integrity, copy.verified_how) == (Integrity.OK, VerifiedHow.READ_BACK)
