"""Stage 60, the manager: jobs become operations, follow them, and who asked is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from ccatdc.common.states import Status
from datamgmt.models import PhysicalCopy
from datamgmt.states import Integrity
from notifications.models import OutgoingMessage
from tests.factories.accounts import UserFactory
from tests.factories.transfer import StagingJobFactory
from tests.transfer.parallel import race
from tests.transfer.world import World, change, days_ago
from transfer.engine import dispatch
from transfer.managers.s60_stage import StagingManager
from transfer.models import Operation, Staging, StagingJob, StagingJobLog
from transfer.staging.requests import cancel_job, retry_job

pytestmark = pytest.mark.django_db


def codes(manager: StagingManager) -> list[str]:
    """For what its last pass's work waits."""
    return [entry["code"] for entry in manager.waiting]


def job_for(world: World, *packages: Any, **fields: Any) -> StagingJob:
    """A job of Vera's."""
    if "requested_by" not in fields:
        vera = User.objects.filter(username="vera").first()
        fields["requested_by"] = vera or UserFactory.create(username="vera")
    fields.setdefault("destination_location", world.processing)
    job: StagingJob = StagingJobFactory.create(packages=packages, **fields)
    return job


def end(job: StagingJob, status: str, count: int = 1) -> None:
    """Workers end so many of the job's open operations."""
    ids = list(Staging.objects.open().filter(staging_job=job).values_list("pk", flat=True))[:count]
    assert len(ids) == count
    Operation.objects.non_polymorphic().filter(pk__in=ids).update(status=status)


def status_of(job: StagingJob) -> str:
    """As the database has it."""
    job.refresh_from_db()
    return job.status


def test_each_package_of_a_job_becomes_one_operation(world: World) -> None:
    packages = [world.archived(), world.archived()]
    job = job_for(world, *packages)
    manager = StagingManager()
    assert manager.run_once() == 2

    stagings = Staging.objects.order_by("pk")
    assert [staging.raw_data_package for staging in stagings] == packages
    for staging in stagings:
        assert staging.staging_job == job
        assert staging.location == world.processing
        assert staging.origin_location == world.archive
        assert staging.status == Status.SCHEDULED
        assert staging.total_bytes == packages[0].size
    assert status_of(job) == Status.IN_PROGRESS
    assert manager.waiting == []


def test_a_second_pass_plans_nothing(world: World) -> None:
    job_for(world, world.archived())
    assert [StagingManager().run_once(), StagingManager().run_once()] == [1, 0]


@pytest.mark.parametrize(
    "fields", [{"cancelled_at": days_ago(1)}, {"expires_at": days_ago(1)}], ids=["cancelled", "expired"]
)
def test_a_job_that_is_over_is_not_served(world: World, fields: dict[str, Any]) -> None:
    job = job_for(world, world.archived(), **fields)
    assert StagingManager().run_once() == 0
    assert status_of(job) == Status.PENDING


def test_older_jobs_are_served_first(world: World) -> None:
    young = job_for(world, world.archived(), created_at=days_ago(1))
    old = job_for(world, world.archived(), created_at=days_ago(2))
    StagingManager().run_once()
    jobs = Staging.objects.order_by("pk").values_list("staging_job", flat=True)
    assert list(jobs) == [old.pk, young.pk]


def test_a_large_job_is_planned_in_portions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transfer.managers.s60_stage.PASS_LIMIT", 2)
    job = job_for(world, *[world.archived() for _ in range(5)])
    manager = StagingManager()
    assert [manager.run_once() for _ in range(4)] == [2, 2, 1, 0]
    assert job.stagings.count() == 5


# Following


def test_a_job_is_completed_when_all_its_packages_are(world: World) -> None:
    job = job_for(world, world.archived(), world.archived())
    manager = StagingManager()
    manager.run_once()
    end(job, Status.COMPLETED)
    manager.run_once()
    assert status_of(job) == Status.IN_PROGRESS
    end(job, Status.COMPLETED)
    manager.run_once()
    assert status_of(job) == Status.COMPLETED
    assert job.finished_at is not None
    assert list(job.logs.order_by("timestamp").values_list("status", flat=True)) == [
        Status.IN_PROGRESS,
        Status.COMPLETED,
    ]
    assert list(manager.find_work()) == []


def test_a_job_fails_when_some_packages_did_and_none_is_left(world: World) -> None:
    job = job_for(world, *[world.archived() for _ in range(3)])
    manager = StagingManager()
    manager.run_once()
    end(job, Status.FAILED)
    manager.run_once()
    assert status_of(job) == Status.IN_PROGRESS, "the others go on"
    end(job, Status.COMPLETED, 2)
    manager.run_once()
    assert status_of(job) == Status.FAILED
    assert job.failure_error_message == "1 of 3 packages could not be staged."
    assert list(manager.find_work()) == []


def test_a_failed_job_follows_the_retry_of_an_operation(world: World) -> None:
    job = job_for(world, world.archived())
    manager = StagingManager()
    manager.run_once()
    end(job, Status.FAILED)
    manager.run_once()
    assert status_of(job) == Status.FAILED
    dispatch.retry(Staging.objects.get(), user=None)
    manager.run_once()
    assert status_of(job) == Status.IN_PROGRESS
    assert (job.finished_at, job.failure_error_message) == (None, "")
    end(job, Status.COMPLETED)
    manager.run_once()
    assert status_of(job) == Status.COMPLETED


def test_a_failed_job_whose_retry_ended_between_two_looks_is_completed(world: World) -> None:
    job = job_for(world, world.archived())
    manager = StagingManager()
    manager.run_once()
    end(job, Status.FAILED)
    manager.run_once()
    Operation.objects.non_polymorphic().update(status=Status.COMPLETED)
    manager.run_once()
    assert status_of(job) == Status.COMPLETED
    assert job.failure_error_message == ""


def test_a_failed_job_is_tried_again_by_who_asked(world: World) -> None:
    job = job_for(world, world.archived(), world.archived())
    manager = StagingManager()
    manager.run_once()
    end(job, Status.FAILED)
    end(job, Status.COMPLETED)
    manager.run_once()
    retry_job(job, user=job.requested_by)
    manager.run_once()
    assert status_of(job) == Status.IN_PROGRESS
    end(job, Status.COMPLETED, 1)
    manager.run_once()
    assert status_of(job) == Status.COMPLETED


def test_a_failed_job_nobody_tried_again_is_left_alone(world: World) -> None:
    job = job_for(world, world.archived())
    manager = StagingManager()
    manager.run_once()
    end(job, Status.FAILED)
    manager.run_once()
    entries = StagingJobLog.objects.count()
    manager.run_once()
    assert StagingJobLog.objects.count() == entries
    assert job.stagings.count() == 1


def test_a_cancelled_job_is_not_followed(world: World) -> None:
    job = job_for(world, world.archived())
    manager = StagingManager()
    manager.run_once()
    cancel_job(job, user=job.requested_by)
    manager.run_once()
    assert status_of(job) == Status.IN_PROGRESS
    assert Staging.objects.get().error_code == "operation.cancelled"
    assert list(manager.find_work()) == []


# Two jobs for one package


def test_a_second_job_for_the_same_package_waits_for_its_turn(world: World) -> None:
    package, other = world.archived(), world.archived()
    first = job_for(world, package)
    second = job_for(world, package, other)
    manager = StagingManager()
    assert manager.run_once() == 2
    assert second.stagings.get().raw_data_package == other
    assert manager.waiting == []
    end(first, Status.COMPLETED)
    assert manager.run_once() == 1
    assert second.stagings.count() == 2
    assert status_of(first) == Status.COMPLETED


def test_a_second_job_is_served_also_when_the_first_failed(world: World) -> None:
    package = world.archived()
    first = job_for(world, package)
    second = job_for(world, package)
    manager = StagingManager()
    manager.run_once()
    end(first, Status.FAILED)
    assert manager.run_once() == 1
    assert second.stagings.get().status == Status.SCHEDULED


def test_two_jobs_for_two_places_do_not_wait_for_each_other(world: World) -> None:
    package = world.archived()
    job_for(world, package)
    other = type(world.processing).objects.create(
        site=world.ccat,
        name="processing",
        location_type="processing",
        path="/nonexistent/p",
        registered_at=timezone.now(),
    )
    job_for(world, package, destination_location=other)
    assert StagingManager().run_once() == 2


# What work waits for


def test_a_place_that_is_off_waits_and_goes_on(world: World) -> None:
    job = job_for(world, world.archived(), name="Orion")
    change(world.processing, active=False)
    manager = StagingManager()
    assert manager.run_once() == 0
    assert codes(manager) == ["location.inactive"]
    assert manager.waiting[0]["what"] == "Orion"
    assert status_of(job) == Status.PENDING
    change(world.processing, active=True)
    assert manager.run_once() == 1
    assert manager.waiting == []


def test_a_job_is_followed_also_while_its_place_is_off(world: World) -> None:
    job = job_for(world, world.archived())
    manager = StagingManager()
    manager.run_once()
    end(job, Status.COMPLETED)
    change(world.processing, active=False)
    manager.run_once()
    assert status_of(job) == Status.COMPLETED


def test_a_package_without_a_good_archive_copy_waits_and_the_others_go_on(world: World) -> None:
    bad, good = world.archived(name="bad"), world.archived()
    PhysicalCopy.objects.filter(raw_data_package=bad).update(integrity=Integrity.SUSPECT)
    job = job_for(world, bad, good, name="Orion")
    manager = StagingManager()
    assert manager.run_once() == 1
    assert codes(manager) == ["staging.no_archive_copy"]
    assert manager.waiting[0]["what"] == "package bad for Orion"
    end(job, Status.COMPLETED)
    manager.run_once()
    assert status_of(job) == Status.IN_PROGRESS
    PhysicalCopy.objects.filter(raw_data_package=bad).update(integrity=Integrity.OK)
    assert manager.run_once() == 1
    assert manager.waiting == []


# The mail


def texts() -> list[tuple[str, str, str]]:
    """What waits to be sent: address, subject and text."""
    return list(OutgoingMessage.objects.order_by("created_at").values_list("address", "subject", "body"))


def test_who_asked_is_told_where_the_data_is(world: World) -> None:
    expiry = timezone.now() + timedelta(days=3)
    job = job_for(world, world.archived(), name="Orion", expires_at=expiry)
    manager = StagingManager()
    manager.run_once()
    assert texts() == []
    end(job, Status.COMPLETED)
    manager.run_once()
    manager.run_once()
    ((address, subject, body),) = texts()
    assert address == "vera@example.org"
    assert subject == "[CCAT] Orion: completed."
    assert f"/nonexistent/cologne/ramses_processing/jobs/{job.pk} until" in body
    assert f"{expiry:%Y-%m-%d %H:%M} UTC" in body
    assert f"/staging/jobs/{job.pk}/" in body
    job.refresh_from_db()
    assert job.notified_at is not None


def test_who_asked_is_told_that_it_failed_and_again_when_it_succeeds_after_all(world: World) -> None:
    job = job_for(world, world.archived(), name="Orion")
    manager = StagingManager()
    manager.run_once()
    end(job, Status.FAILED)
    manager.run_once()
    ((_, subject, body),) = texts()
    assert subject == "[CCAT] Orion: failed."
    assert "1 of 1 packages could not be staged." in body
    retry_job(job, user=job.requested_by)
    end(job, Status.COMPLETED)
    manager.run_once()
    assert texts()[1][1] == "[CCAT] Orion: completed."


def test_a_name_of_two_lines_is_one_line_of_the_subject(world: World) -> None:
    job = job_for(world, world.archived(), name="a\nBcc: x@example.org")
    manager = StagingManager()
    manager.run_once()
    end(job, Status.COMPLETED)
    manager.run_once()
    assert texts()[0][1] == "[CCAT] a Bcc: x@example.org: completed."


def test_who_has_no_address_is_not_written_to(world: World) -> None:
    job = job_for(world, world.archived(), requested_by=UserFactory.create(email=""))
    manager = StagingManager()
    manager.run_once()
    end(job, Status.COMPLETED)
    manager.run_once()
    assert texts() == []
    assert status_of(job) == Status.COMPLETED


# Several managers


@pytest.mark.django_db(transaction=True)
def test_two_managers_at_once_serve_each_package_of_a_job_once(world: World) -> None:
    job = job_for(world, *[world.archived() for _ in range(4)])
    managers = race(StagingManager)
    assert job.stagings.count() == 4
    assert status_of(job) == Status.IN_PROGRESS
    assert job.logs.count() == 1
    assert [manager.waiting for manager in managers] == [[], []]


@pytest.mark.django_db(transaction=True)
def test_two_managers_at_once_tell_it_once(world: World) -> None:
    job = job_for(world, world.archived())
    StagingManager().run_once()
    end(job, Status.COMPLETED)
    managers = race(StagingManager)
    assert [manager.waiting for manager in managers] == [[], []]
    assert len(texts()) == 1
    assert status_of(job) == Status.COMPLETED


@pytest.mark.django_db(transaction=True)
def test_two_managers_with_two_jobs_stage_a_package_once_at_a_time(world: World) -> None:
    package = world.archived()
    job_for(world, package)
    job_for(world, package)
    race(StagingManager)
    assert Staging.objects.open().count() == 1
    assert StagingManager().run_once() == 0
