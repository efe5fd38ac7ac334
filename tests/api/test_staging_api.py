"""Staging over HTTP: one's own jobs, from the request to the path."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import RawDataPackage
from tests.api.conftest import ApiClient, client_with, problem
from tests.factories.datamgmt import ProcessingLocationFactory, RawDataPackageFactory, archive_package
from tests.factories.transfer import StagingFactory, StagingJobFactory
from transfer.models import StagingJob
from transfer.staging.requests import MAX_PACKAGES

pytestmark = pytest.mark.django_db

JOBS = "/api/staging/jobs/"


def archived() -> RawDataPackage:
    package = RawDataPackageFactory.create(archived=True)
    archive_package(package)
    return package


def request_body(*packages: RawDataPackage, **fields: Any) -> dict[str, Any]:
    return {
        "packages": [str(package.pk) for package in packages],
        "location": ProcessingLocationFactory.create().full_name,
        **fields,
    }


def own_job(api: ApiClient, **fields: Any) -> StagingJob:
    assert api.token is not None
    return StagingJobFactory.create(requested_by=api.token.user, **fields)


def test_a_job_is_asked_for_and_followed(scientist_api: ApiClient) -> None:
    package = archived()

    answer = scientist_api.post(JOBS, request_body(package, name="first look"))

    assert answer.status_code == 201, answer.content
    job = answer.json()
    assert (job["status"], job["name"], job["active"]) == ("pending", "first look", True)
    assert job["location"] == "cologne_ramses_processing"
    assert job["total_bytes"] == package.size
    assert [row["package"] for row in job["packages"]] == [str(package.pk)]
    assert job["packages"][0]["status"] == "pending"
    address = f"{JOBS}{job['id']}/"
    stored = StagingJob.objects.get(pk=job["id"])
    StagingFactory.create(staging_job=stored, raw_data_package=package, completed=True)
    (row,) = scientist_api.get(address).json()["packages"]
    assert row["status"] == "completed"
    assert row["path"].endswith(f"/jobs/{stored.pk}/{package.name}")
    listed = scientist_api.get(JOBS).json()["results"]
    assert [(each["id"], each["package_count"]) for each in listed] == [(stored.pk, 1)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"packages": []}, "packages"),
        ({"packages": "all"}, "packages"),
        ({"packages": ["x"]}, "packages"),
        ({"packages": [str(uuid4())] * (MAX_PACKAGES + 1)}, "packages"),
        ({"location": "cologne_nowhere"}, "location"),
        ({"location": "\x00"}, "location"),
        ({"location": 3.5}, "location"),
        ({"name": "x" * 129}, "name"),
        ({"name": None}, "name"),
        ({"priority": 1}, "priority"),
    ],
)
def test_a_field_that_makes_no_sense_is_named(scientist_api: ApiClient, change: dict[str, Any], field: str) -> None:
    answer = problem(scientist_api.post(JOBS, request_body(archived(), **change)), 400, "request.invalid")
    assert {error["field"].split(".")[0] for error in answer["errors"]} == {field}
    assert not StagingJob.objects.exists()


def test_what_cannot_be_staged_has_a_code_of_its_own(scientist_api: ApiClient) -> None:
    waiting = RawDataPackageFactory.create()
    problem(scientist_api.post(JOBS, request_body(waiting)), 400, "staging.not_archived")
    unknown = RawDataPackage(pk=uuid4())
    problem(scientist_api.post(JOBS, request_body(unknown)), 400, "staging.unknown_package")


def test_a_job_of_another_person_is_not_there(scientist_api: ApiClient) -> None:
    other = StagingJobFactory.create()
    problem(scientist_api.get(f"{JOBS}{other.pk}/"), 404, "request.not_found")
    for act in ("cancel", "retry"):
        problem(scientist_api.post(f"{JOBS}{other.pk}/{act}", {}), 404, "request.not_found")
    problem(scientist_api.post(f"{JOBS}{other.pk}/extend", {"days": 20}), 404, "request.not_found")
    assert scientist_api.get(JOBS).json()["results"] == []
    other.refresh_from_db()
    assert other.active


def test_operators_see_the_jobs_of_everybody(operator_api: ApiClient) -> None:
    job = StagingJobFactory.create()
    assert [row["id"] for row in operator_api.get(JOBS).json()["results"]] == [job.pk]
    assert operator_api.get(f"{JOBS}{job.pk}/").json()["requested_by"] == job.requested_by.username


def test_jobs_are_listed_by_status(scientist_api: ApiClient) -> None:
    failed = own_job(scientist_api, status=Status.FAILED)
    own_job(scientist_api)
    answer = scientist_api.get(JOBS, status="failed").json()
    assert [row["id"] for row in answer["results"]] == [failed.pk]
    problem(scientist_api.get(JOBS, status="lost"), 400, "request.invalid")


def test_a_job_that_is_over_says_so_and_is_listed_so(scientist_api: ApiClient) -> None:
    done, cancelled, expired = (own_job(scientist_api, status=Status.COMPLETED) for _ in range(3))
    StagingJob.objects.filter(pk=cancelled.pk).update(cancelled_at=timezone.now())
    StagingJob.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(days=1))
    for job, status in ((done, "completed"), (cancelled, "cancelled"), (expired, "expired")):
        assert scientist_api.get(f"{JOBS}{job.pk}/").json()["status"] == status
        assert [row["id"] for row in scientist_api.get(JOBS, status=status).json()["results"]] == [job.pk]
    both = scientist_api.get(JOBS, status="cancelled,expired").json()["results"]
    assert {row["id"] for row in both} == {cancelled.pk, expired.pk}


def test_whole_observations_are_asked_for_by_executions(scientist_api: ApiClient) -> None:
    package = archived()
    body = request_body(package)
    del body["packages"]
    assert package.executed_obs_unit is not None
    answer = scientist_api.post(JOBS, {**body, "executions": [str(package.executed_obs_unit.pk)]})
    assert answer.status_code == 201, answer.content
    assert [row["package"] for row in answer.json()["packages"]] == [str(package.pk)]
    both = {**request_body(package), "executions": [str(package.executed_obs_unit.pk)]}
    problem(scientist_api.post(JOBS, both), 400, "request.invalid")
    problem(scientist_api.post(JOBS, body), 400, "request.invalid")
    problem(scientist_api.post(JOBS, {**body, "executions": [str(uuid4())]}), 400, "staging.unknown_execution")


def test_a_job_is_cancelled_once(scientist_api: ApiClient) -> None:
    address = f"{JOBS}{own_job(scientist_api).pk}/cancel"
    answer = scientist_api.post(address)
    assert answer.status_code == 200, answer.content
    assert (answer.json()["active"], answer.json()["status"]) == (False, "cancelled")
    problem(scientist_api.post(address), 409, "staging.job_over")


def test_a_job_is_extended_by_days_or_until_a_moment(scientist_api: ApiClient) -> None:
    job = own_job(scientist_api)
    address = f"{JOBS}{job.pk}/extend"
    assert scientist_api.post(address, {"days": 20}).status_code == 200
    until = (timezone.now() + timedelta(days=30)).isoformat()
    assert scientist_api.post(address, {"until": until}).status_code == 200
    job.refresh_from_db()
    assert job.expires_at.isoformat() == until


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "request.invalid"),
        ({"days": 1, "until": "2026-05-01T00:00:00Z"}, "request.invalid"),
        ({"days": -1}, "request.invalid"),
        ({"days": 61}, "request.invalid"),
        ({"days": "nan"}, "request.invalid"),
        ({"until": "soon"}, "request.invalid"),
        ({"until": "9999-12-31T23:59:59Z"}, "staging.kept_too_long"),
        ({"days": 1}, "staging.not_longer"),
        ({"weeks": 1}, "request.invalid"),
    ],
)
def test_an_extension_that_makes_no_sense_is_refused(scientist_api: ApiClient, body: dict[str, Any], code: str) -> None:
    problem(scientist_api.post(f"{JOBS}{own_job(scientist_api).pk}/extend", body), 400, code)


def test_a_failed_job_is_tried_again(scientist_api: ApiClient) -> None:
    job = own_job(scientist_api, status=Status.FAILED)
    failed = StagingFactory.create(staging_job=job, failed=True)
    job.raw_data_packages.add(failed.raw_data_package)
    answer = scientist_api.post(f"{JOBS}{job.pk}/retry").json()
    assert answer["status"] == "in_progress"
    assert answer["packages"][0]["status"] == "pending"
    problem(scientist_api.post(f"{JOBS}{job.pk}/retry"), 409, "status.invalid_transition")


def test_many_jobs_take_as_many_queries_as_one(scientist_api: ApiClient, django_assert_max_num_queries: Any) -> None:
    for _ in range(6):
        own_job(scientist_api, packages=[archived()])
    scientist_api.get(JOBS)
    with django_assert_max_num_queries(2):
        assert len(scientist_api.get(JOBS).json()["results"]) == 6


def test_who_may_only_read_may_not_stage() -> None:
    reader = client_with("read:observations")
    problem(reader.post(JOBS, request_body(archived())), 403, "request.permission_denied")
