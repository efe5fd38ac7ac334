"""The request and the pages that follow it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from ccatdc.common.states import Status
from datamgmt.models import DataLocation, RawDataPackage
from datamgmt.states import PackageState
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import BufferLocationFactory, ProcessingLocationFactory
from tests.factories.transfer import StagingFactory, StagingJobFactory
from tests.portal.conftest import logged_in, person
from transfer.models import Operation, Staging, StagingJob

REQUEST = "/staging/request/"


def choose(client: Client, packages: list[RawDataPackage]) -> None:
    client.post("/staging/", {"do": "review", "package": [str(p.pk) for p in packages]})


def place() -> Any:
    return DataLocation.objects.get(location_type="processing")


def test_the_sum_is_shown_before_anything_is_asked_for(client: Client, two_packages: list[RawDataPackage]) -> None:
    choose(client, two_packages)

    content = client.get(REQUEST).content.decode()

    assert "2 packages, 4 GB" in content
    # 85 % of 10 TB may be used, 1 TB is.
    assert "cologne_ramses_processing, 7.5 TB free" in content
    assert "orion_a" in content
    assert "orion_b" in content
    assert not StagingJob.objects.exists()


def test_a_name_of_two_lines_is_refused(client: Client, two_packages: list[RawDataPackage]) -> None:
    choose(client, two_packages)
    answer = client.post(REQUEST, {"location": place().pk, "name": "Orion\nBcc: everybody@example.org"})
    assert "Give one line of text" in answer.content.decode()
    assert not StagingJob.objects.exists()


def test_a_request_becomes_a_job_and_its_page(
    client: Client, scientist: User, two_packages: list[RawDataPackage]
) -> None:
    choose(client, two_packages)

    response = client.post(REQUEST, {"location": place().pk, "name": "Orion"}, follow=True)

    job = StagingJob.objects.get()
    assert response.redirect_chain[-1][0] == f"/staging/jobs/{job.pk}/"
    assert (job.name, job.requested_by, job.total_bytes) == ("Orion", scientist, 4 * 10**9)
    assert set(job.raw_data_packages.all()) == set(two_packages)
    content = response.content.decode()
    assert f"/nonexistent/cologne/ramses_processing/jobs/{job.pk}" in content
    assert "0 of 2 packages" in content
    # The choice is used up.
    assert client.get("/staging/").context["selection_count"] == 0


def test_a_location_that_is_not_for_this_is_refused(client: Client, two_packages: list[RawDataPackage]) -> None:
    buffer = BufferLocationFactory.create()
    off = ProcessingLocationFactory.create(name="off", active=False)
    choose(client, two_packages)

    for wrong in (buffer.pk, off.pk, 99999, "x", ""):
        response = client.post(REQUEST, {"location": wrong})
        assert response.status_code == 200
        assert response.context["form"].errors["location"]
    assert not StagingJob.objects.exists()


def test_a_package_that_is_no_longer_good_is_refused_with_the_reason(
    client: Client, two_packages: list[RawDataPackage]
) -> None:
    choose(client, two_packages)
    two_packages[0].copies.update(integrity="damaged")

    response = client.post(REQUEST, {"location": place().pk})

    assert "Without a good archive copy now: orion_a." in response.content.decode()
    assert not StagingJob.objects.exists()


def test_a_package_that_left_the_archive_meanwhile_is_left_out(
    client: Client, two_packages: list[RawDataPackage]
) -> None:
    choose(client, two_packages)
    RawDataPackage.objects.filter(name="orion_a").update(state=PackageState.FAILED)

    client.post(REQUEST, {"location": place().pk})

    assert [p.name for p in StagingJob.objects.get().raw_data_packages.all()] == ["orion_b"]


def test_a_place_without_room_says_so(client: Client, two_packages: list[RawDataPackage]) -> None:
    DataLocation.objects.non_polymorphic().filter(pk=place().pk).update(used_bytes=85 * 10**11)
    choose(client, two_packages)

    response = client.post(REQUEST, {"location": place().pk})

    assert "has room for" in response.content.decode()
    assert not StagingJob.objects.exists()


def test_asking_for_nothing_is_no_job(client: Client, two_packages: list[RawDataPackage]) -> None:
    response = client.post(REQUEST, {"location": place().pk})

    assert response.status_code == 200
    assert not StagingJob.objects.exists()


@pytest.fixture
def job(scientist: User, two_packages: list[RawDataPackage]) -> StagingJob:
    """One package is there, one failed."""
    row: StagingJob = StagingJobFactory.create(requested_by=scientist, packages=two_packages, total_bytes=4 * 10**9)
    common = {"staging_job": row, "location": row.destination_location}
    StagingFactory.create(**common, raw_data_package=two_packages[0], completed=True)
    StagingFactory.create(
        **common,
        raw_data_package=two_packages[1],
        failed=True,
        error_code="storage.no_space",
        error_message="There is no room.",
    )
    StagingJob.objects.filter(pk=row.pk).update(
        status=Status.FAILED, failure_error_message="1 of 2 packages could not be staged."
    )
    row.refresh_from_db()
    return row


def test_the_page_of_a_job_says_what_is_where_and_what_failed(client: Client, job: StagingJob) -> None:
    content = client.get(f"/staging/jobs/{job.pk}/").content.decode()

    assert "1 of 2 packages could not be staged." in content
    assert f"/nonexistent/cologne/ramses_processing/jobs/{job.pk}/orion_a" in content
    assert "There is no room." in content
    assert "Try the failed ones again" in content


def test_the_progress_stops_being_fetched_when_the_job_is_over(client: Client, job: StagingJob) -> None:
    address = f"/staging/jobs/{job.pk}/progress/"
    assert client.get(address).headers["X-Refresh"] == "stop"

    StagingJob.objects.filter(pk=job.pk).update(status=Status.IN_PROGRESS)

    response = client.get(address)
    assert "X-Refresh" not in response.headers
    assert "<html" not in response.content.decode()


def test_what_waits_says_why(client: Client, scientist: User) -> None:
    waiting = StagingFactory.create(staging_job__requested_by=scientist)
    waiting.staging_job.raw_data_packages.add(waiting.raw_data_package)

    content = client.get(f"/staging/jobs/{waiting.staging_job_id}/").content.decode()

    assert "No worker runs for cologne_ramses_processing." in content


def test_a_failed_job_is_tried_again(client: Client, job: StagingJob) -> None:
    response = client.post(f"/staging/jobs/{job.pk}/retry/", follow=True)

    assert "What failed is tried again." in response.content.decode()
    assert StagingJob.objects.get().status == Status.IN_PROGRESS
    assert not Operation.objects.failed().exists()


def test_a_job_is_cancelled_once(client: Client, job: StagingJob) -> None:
    first = client.post(f"/staging/jobs/{job.pk}/cancel/", follow=True)
    second = client.post(f"/staging/jobs/{job.pk}/cancel/", follow=True)

    assert "Cancelled." in first.content.decode()
    assert "is over" in second.content.decode()
    assert not StagingJob.objects.active().exists()
    assert "Keep longer" not in second.content.decode()


def test_data_is_kept_longer_up_to_the_limit(client: Client, job: StagingJob) -> None:
    address = f"/staging/jobs/{job.pk}/extend/"
    latest = job.created_at + timedelta(days=60)

    client.post(address, {"days": "7"})
    assert StagingJob.objects.get().expires_at == job.expires_at + timedelta(days=7)
    client.post(address, {"days": "30"})
    client.post(address, {"days": "30"})
    assert StagingJob.objects.get().expires_at == latest
    refused = client.post(address, {"days": "30"}, follow=True)
    assert "is kept until" in refused.content.decode()


@pytest.mark.parametrize("days", ["365", "-7", "", "x"])
def test_days_that_nobody_offered_are_refused(client: Client, job: StagingJob, days: str) -> None:
    response = client.post(f"/staging/jobs/{job.pk}/extend/", {"days": days}, follow=True)

    assert "Choose how many days." in response.content.decode()
    assert StagingJob.objects.get().expires_at == job.expires_at


ACTS = ("", "progress/", "cancel/", "extend/", "retry/")


def test_a_foreign_job_does_not_exist(job: StagingJob) -> None:
    other = logged_in(UserFactory.create(permissions=["read:observations", "stage:data"]))

    for act in ACTS:
        send = other.get if act in ("", "progress/") else other.post
        assert send(f"/staging/jobs/{job.pk}/{act}", {"days": "7"}).status_code == 404
    assert "Orion-KL, first look" not in other.get("/staging/jobs/").content.decode()
    assert "Orion-KL, first look" not in other.get("/").content.decode()
    assert Staging.objects.failed().exists()


def test_operators_may_help_with_any_job(job: StagingJob) -> None:
    operator = logged_in(person("admin"))

    assert operator.get(f"/staging/jobs/{job.pk}/").status_code == 200
    operator.post(f"/staging/jobs/{job.pk}/retry/")

    assert StagingJob.objects.get().status == Status.IN_PROGRESS


def test_acts_are_posted_and_never_followed_by_a_link(client: Client, job: StagingJob) -> None:
    for act in ("cancel/", "extend/", "retry/"):
        assert client.get(f"/staging/jobs/{job.pk}/{act}").status_code == 405


def test_forms_of_other_sites_are_refused(scientist: User, job: StagingJob) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(scientist)

    assert client.post(f"/staging/jobs/{job.pk}/cancel/").status_code == 403
    assert StagingJob.objects.active().exists()


def test_the_first_page_and_the_list_show_ones_jobs(client: Client, job: StagingJob) -> None:
    StagingJob.objects.filter(pk=job.pk).update(expires_at=timezone.now() - timedelta(days=1))

    assert "Orion-KL, first look" in client.get("/").content.decode()
    listed = client.get("/staging/jobs/").content.decode()
    assert "Expired" in listed
    assert "gone or going" in listed
