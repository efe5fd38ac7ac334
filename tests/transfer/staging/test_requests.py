"""Stage 60, the request: what may be asked for, and what becomes of a job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from ccatdc.common.errors import ConflictError, InvalidTransition, RequestError
from ccatdc.common.states import Status
from datamgmt.models import RawDataPackage
from datamgmt.states import Integrity, PackageState
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    BufferLocationFactory,
    ProcessingLocationFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    S3DataLocationFactory,
    archive_package,
)
from tests.factories.transfer import StagingFactory, StagingJobFactory
from tests.transfer.staging.asking import archived, refusal, scientist
from transfer.managers.s60_stage import StagingManager
from transfer.models import Staging, StagingJob, StagingJobLog
from transfer.models.jobs import DEFAULT_KEEP_DAYS, MAX_KEEP_DAYS
from transfer.staging import requests
from transfer.staging.requests import cancel_job, extend_job, progress_of, request_staging, retry_job

pytestmark = pytest.mark.django_db


class TestRequest:
    def test_a_request_becomes_a_job_that_waits_for_its_manager(self) -> None:
        user, location = scientist(), ProcessingLocationFactory.create()
        packages = [archived(size=1000), archived(size=500)]

        job = request_staging(user, [p.pk for p in packages], location, "first look")

        job.refresh_from_db()
        assert (job.status, job.name, job.requested_by) == (Status.PENDING, "first look", user)
        assert job.total_bytes == 1500
        assert set(job.raw_data_packages.all()) == set(packages)
        assert job.destination_location_id == location.pk
        kept = job.expires_at - timezone.now()
        assert timedelta(days=DEFAULT_KEEP_DAYS, minutes=-1) < kept
        assert StagingJobLog.objects.get().staging_job == job

    def test_a_package_that_is_named_twice_counts_once(self) -> None:
        package = archived()
        job = request_staging(scientist(), [package.pk, package.pk], ProcessingLocationFactory.create())
        assert job.total_bytes == package.size

    def test_nothing_is_no_request(self) -> None:
        assert refusal([]).code == "staging.no_packages"

    def test_too_many_packages_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(requests, "MAX_PACKAGES", 1)
        assert refusal([archived(), archived()]).code == "staging.too_many_packages"

    def test_an_unknown_package_is_named(self) -> None:
        unknown = RawDataPackage(pk=uuid4())
        refused = refusal([archived(), unknown])
        assert refused.code == "staging.unknown_package"
        assert str(unknown.pk) in str(refused)

    @pytest.mark.parametrize("state", [PackageState.WAITING, PackageState.TRANSFERRING, PackageState.FAILED])
    def test_a_package_that_is_not_archived_is_named(self, state: PackageState) -> None:
        early = RawDataPackageFactory.create(built=True, state=state)
        archive_package(early)
        refused = refusal([archived(), early])
        assert refused.code == "staging.not_archived"
        assert early.name in str(refused)

    @pytest.mark.parametrize("integrity", [Integrity.DAMAGED, Integrity.MISSING, Integrity.SUSPECT])
    def test_a_package_without_a_good_archive_copy_is_named(self, integrity: Integrity) -> None:
        package = RawDataPackageFactory.create(archived=True)
        RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, archived=True, integrity=integrity)
        RawDataPackagePhysicalCopyFactory.create(raw_data_package=package)  # in a buffer only
        refused = refusal([package])
        assert refused.code == "staging.no_good_copy"
        assert package.name in str(refused)

    def test_only_processing_locations_on_disk_take_staged_data(self) -> None:
        for location in (
            BufferLocationFactory.create(),
            ArchiveLocationFactory.create(),
            S3DataLocationFactory.create(name="s3", location_type="processing"),
        ):
            assert refusal([archived()], location).code == "staging.not_processing"

    def test_a_location_that_is_switched_off_is_refused(self) -> None:
        off = ProcessingLocationFactory.create(active=False)
        assert refusal([archived()], off).code == "staging.location_inactive"

    def test_so_is_one_at_a_site_that_is_switched_off(self) -> None:
        location = ProcessingLocationFactory.create()
        location.site.active = False
        location.site.save()
        assert refusal([archived()], location).code == "staging.location_inactive"


class TestCancel:
    def test_cancelling_ends_the_job_and_its_open_operations(self) -> None:
        user, job = UserFactory.create(), StagingJobFactory.create()
        waiting = StagingFactory.create(staging_job=job)
        running = StagingFactory.create(staging_job=job, in_progress=True)
        done = StagingFactory.create(staging_job=job, completed=True)
        of_another = StagingFactory.create()

        job = cancel_job(job, user=user)

        assert job.cancelled_at is not None
        assert not job.active
        for operation in (waiting, running, done, of_another):
            operation.refresh_from_db()
        assert (waiting.status, waiting.error_code) == (Status.FAILED, "operation.cancelled")
        assert running.cancel_requested_at is not None
        assert done.status == Status.COMPLETED
        assert of_another.status == Status.PENDING

    def test_cancelling_twice_is_a_conflict(self) -> None:
        job = cancel_job(StagingJobFactory.create(), user=UserFactory.create())
        with pytest.raises(ConflictError) as refused:
            cancel_job(job, user=UserFactory.create())
        assert refused.value.code == "staging.job_over"


class TestExtend:
    def test_an_active_job_is_kept_longer(self) -> None:
        job = StagingJobFactory.create()
        until = job.created_at + timedelta(days=MAX_KEEP_DAYS)
        assert extend_job(job, until, user=UserFactory.create()).expires_at == until

    @pytest.mark.parametrize(
        ("days", "code"), [(MAX_KEEP_DAYS + 0.001, "staging.kept_too_long"), (1, "staging.not_longer")]
    )
    def test_not_for_too_long_and_not_shorter(self, days: float, code: str) -> None:
        job = StagingJobFactory.create()
        with pytest.raises(RequestError) as refused:
            extend_job(job, job.created_at + timedelta(days=days), user=UserFactory.create())
        assert refused.value.code == code

    def test_what_expired_is_not_revived(self) -> None:
        """Its data may be going at this moment."""
        job = StagingJobFactory.create(expires_at=timezone.now() - timedelta(seconds=1))
        with pytest.raises(ConflictError) as refused:
            extend_job(job, timezone.now() + timedelta(days=1), user=UserFactory.create())
        assert refused.value.code == "staging.job_over"
        assert "expired" in str(refused.value)


class TestRetry:
    def test_failed_packages_are_tried_again(self) -> None:
        job = StagingJobFactory.create(
            status=Status.FAILED, failure_error_message="1 of 2 packages could not be staged."
        )
        failed = StagingFactory.create(staging_job=job, failed=True)
        done = StagingFactory.create(staging_job=job, completed=True)

        job = retry_job(job, user=UserFactory.create())

        assert (job.status, job.failure_error_message) == (Status.IN_PROGRESS, "")
        failed.refresh_from_db()
        done.refresh_from_db()
        assert (failed.status, failed.attempts) == (Status.PENDING, 0)
        assert done.status == Status.COMPLETED

    @pytest.mark.parametrize("status", [Status.PENDING, Status.IN_PROGRESS, Status.COMPLETED])
    def test_only_what_failed_is_tried_again(self, status: Status) -> None:
        job = StagingJobFactory.create(status=status)
        if status == Status.IN_PROGRESS:
            StagingFactory.create(staging_job=job, in_progress=True)
        with pytest.raises(InvalidTransition):
            retry_job(job, user=UserFactory.create())

    def test_while_another_job_stages_the_same_it_has_to_wait(self) -> None:
        job = StagingJobFactory.create(status=Status.FAILED)
        failed = StagingFactory.create(staging_job=job, failed=True)
        StagingFactory.create(raw_data_package=failed.raw_data_package)

        with pytest.raises(ConflictError) as refused:
            retry_job(job, user=UserFactory.create())

        assert (refused.value.code, refused.value.retryable) == ("staging.busy", True)
        job.refresh_from_db()
        assert job.status == Status.FAILED, "all or nothing"

    def test_a_cancelled_job_is_not_tried_again(self) -> None:
        job = StagingJobFactory.create(status=Status.FAILED, cancelled_at=timezone.now())
        with pytest.raises(ConflictError) as refused:
            retry_job(job, user=UserFactory.create())
        assert refused.value.code == "staging.job_over"


class TestProgress:
    def test_each_package_has_its_status_and_its_folder_when_it_is_there(self) -> None:
        packages = [archived() for _ in range(3)]
        job = StagingJobFactory.create(packages=packages)
        StagingFactory.create(staging_job=job, raw_data_package=packages[0], completed=True)
        StagingFactory.create(staging_job=job, raw_data_package=packages[1], failed=True)

        progress = progress_of(job)

        assert [row.package for row in progress] == packages
        assert [row.status for row in progress] == ["completed", "failed", "pending"]
        root = "/nonexistent/cologne/ramses_processing"
        assert progress[0].path == f"{root}/jobs/{job.pk}/{packages[0].name}"
        assert [row.path for row in progress[1:]] == ["", ""]
        assert progress[1].staging is not None
        assert progress[1].staging.error_code == "storage.key_missing"

    def test_what_is_over_promises_no_folder(self) -> None:
        staging = StagingFactory.create(completed=True)
        job = staging.staging_job
        job.raw_data_packages.add(staging.raw_data_package)
        job = cancel_job(job, user=UserFactory.create())
        assert [row.path for row in progress_of(job)] == [""]

    def test_many_packages_take_as_many_queries_as_few(self, django_assert_max_num_queries: Any) -> None:
        job = StagingJobFactory.create(packages=[archived() for _ in range(12)])
        for package in job.raw_data_packages.all():
            StagingFactory.create(staging_job=job, raw_data_package=package)
        with django_assert_max_num_queries(7):
            progress_of(StagingJob.objects.get(pk=job.pk))


def test_the_manager_serves_what_was_asked_for() -> None:
    """The request and its manager agree on what a job is."""
    place = ProcessingLocationFactory.create(registered_at=timezone.now())
    package = archived()
    job = request_staging(scientist(), [package.pk], place)

    StagingManager().run_once()

    operation = Staging.objects.get()
    assert (operation.staging_job, operation.raw_data_package) == (job, package)
    job.refresh_from_db()
    assert job.status == Status.IN_PROGRESS
