"""Runs on the cluster over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from datamgmt.models import RawDataPackage
from tests.api.conftest import ApiClient, client_with, problem
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.factories.datamgmt import RawDataPackageFactory
from tests.factories.transfer import ProcessingJobFactory, ReductionPipelineFactory
from transfer.models import ProcessingJob
from transfer.models.runs import JobStatus

pytestmark = pytest.mark.django_db
JOBS = "/api/processing_jobs/"


@pytest.fixture
def api() -> ApiClient:
    return client_with("write:products", "read:observations")


def body(**fields: Any) -> dict[str, Any]:
    package: RawDataPackage = RawDataPackageFactory.create(archived=True)
    ReductionPipelineFactory.create()
    return {"pipeline": "quick-map", "packages": [str(package.pk)], **fields}


def test_a_run_is_asked_for_followed_and_cancelled(api: ApiClient) -> None:
    """The same call again makes no second one."""
    wanted = body(id=str(uuid4()), configuration={"pixel_arcsec": 5})
    for _ in range(2):
        answer = api.post(JOBS, wanted)
        assert answer.status_code == 201, answer.content
    run = answer.json()
    assert (run["id"], run["status"], run["pipeline"], run["log"]) == (wanted["id"], "pending", "quick-map", "")
    assert ProcessingJob.objects.get().processing_run.configuration == {"pixel_arcsec": 5}
    assert [row["id"] for row in api.get(JOBS, status="pending").json()["results"]] == [run["id"]]
    assert api.post(f"{JOBS}{run['id']}/cancel").json()["cancel_requested_at"]
    problem(api.post(f"{JOBS}{run['id']}/retry"), 409, "run.not_failed")
    ProcessingJob.objects.update(status=JobStatus.FAILED)
    again = api.post(f"{JOBS}{run['id']}/retry")
    assert again.status_code == 201, again.content
    assert again.json()["retry_of"] == run["id"]


def test_what_is_refused(api: ApiClient) -> None:
    wanted = body()
    problem(api.post(JOBS, {**wanted, "pipeline": "unknown"}), 400, "request.invalid")
    problem(api.post(JOBS, {"pipeline": "quick-map"}), 400, "run.no_inputs")
    problem(api.post(JOBS, {**wanted, "configuration": {"command": "rm"}}), 400, "run.configuration")
    problem(api.post(JOBS, {**wanted, "packages": [str(uuid4())]}), 400, "product.unknown_input")
    reader = client_with("read:observations")
    assert reader.post(JOBS, wanted).status_code == 403


def test_others_runs_are_not_there() -> None:
    job = ProcessingJobFactory.create()
    scopes = ["write:products", "read:observations"]
    user = UserFactory.create(permissions=scopes, sees_all=False)
    stranger = ApiClient(ApiTokenFactory.create(user=user, scopes=scopes))
    assert stranger.get(f"{JOBS}{job.processing_run_id}/").status_code == 404
    assert stranger.get(JOBS).json()["results"] == []
    assert stranger.post(f"{JOBS}{job.processing_run_id}/cancel").status_code == 404
    job.refresh_from_db()
    assert job.cancel_requested_at is None
