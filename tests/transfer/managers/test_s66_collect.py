"""When results are taken over and inputs let go."""

from __future__ import annotations

from typing import Any

import pytest

from datamgmt.models import DataProduct
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import ProcessingRunFactory
from tests.factories.transfer import ProcessingJobFactory, RunCollectionFactory, StagingJobFactory
from transfer.managers.s66_collect import CollectManager
from transfer.models import ProcessingJob, RunCollection
from transfer.models.runs import JobStatus

pytestmark = pytest.mark.django_db


def collecting(**fields: Any) -> ProcessingJob:
    run = ProcessingRunFactory.create(submitted_by=UserFactory.create(is_superuser=True))
    job: ProcessingJob = ProcessingJobFactory.create(processing_run=run, status=JobStatus.COLLECTING, **fields)
    return job


def planned(job: ProcessingJob) -> ProcessingJob:
    CollectManager().run_once()
    job.refresh_from_db()
    return job


def test_results_are_taken_over_once() -> None:
    job = collecting()
    for _ in range(2):
        assert planned(job).status == JobStatus.COLLECTING
    assert RunCollection.objects.get().processing_job == job


def test_what_was_collected_becomes_products() -> None:
    """Of two files that the command called one product, and one of its own."""
    job = collecting()
    files = [
        {"path": path, "key": f"runs/x/{path}", "size": 3, "checksum": "0" * 64}
        for path in ("science/map.fits", "science/weights.fits", "logs/log")
    ]
    collected = [{"about": {"name": "orion", "level": "l2"}, "files": files[:2]}, {"about": {}, "files": files[2:]}]
    RunCollectionFactory.create(processing_job=job, completed=True, collected=collected)
    assert planned(job).status == JobStatus.COMPLETED
    found = {product.name: (product.kind, product.files.count()) for product in DataProduct.objects.all()}
    assert found == {"orion": ("science", 2), f"{job.processing_run.name}/logs/log": ("log", 1)}


def test_a_collection_that_failed_ends_the_job() -> None:
    job = collecting()
    RunCollectionFactory.create(processing_job=job, failed=True)
    assert planned(job).status == JobStatus.FAILED


def test_the_inputs_of_an_ended_job_are_let_go() -> None:
    staging_job = StagingJobFactory.create()
    ProcessingJobFactory.create(status=JobStatus.FAILED, staging_job=staging_job)
    assert staging_job.active
    CollectManager().run_once()
    staging_job.refresh_from_db()
    assert not staging_job.active
