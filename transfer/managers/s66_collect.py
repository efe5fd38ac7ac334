"""Stage 66: what runs made is taken over and becomes products; then their inputs are let go.

In: jobs that are COLLECTING, and ended jobs whose inputs are still kept. Out: one RunCollection each, then products by the
filing that everybody uses (datamgmt/filing/products.py), from where stage 10 goes on. Safe to repeat because: ids of products and
files follow from run and path, and products, the end of the run and that of the job are one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import uuid5

from django.db import transaction
from django.utils import timezone

from ccatdc.common.errors import RequestError
from ccatdc.common.states import Status, transition
from datamgmt.filing.product_rows import MAX_PRODUCTS, read_product_reports
from datamgmt.filing.products import register_products
from datamgmt.models import DataLocation, ProductKind, RunStatus
from transfer.managers.base import StageManager
from transfer.models import ProcessingJob, RunCollection
from transfer.models.runs import JobStatus, end_run
from transfer.staging.requests import cancel_job

#: The folders of an output, and what their files are.
KINDS: Final = {
    "science": ProductKind.SCIENCE,
    "qa": ProductKind.QA_METRIC,
    "plots": ProductKind.PLOT,
    "statistics": ProductKind.STATISTICS,
    "logs": ProductKind.LOG,
}


class CollectManager(StageManager[ProcessingJob]):
    """One job at a time, oldest first."""

    name = "collect"

    def find_work(self) -> Iterable[ProcessingJob]:
        """Results to take over, and inputs to let go."""
        rows = ProcessingJob.objects.collecting() | ProcessingJob.objects.to_release()
        return rows.order_by("created_at", "pk")

    def plan(self, work: ProcessingJob) -> int:
        job = ProcessingJob.objects.select_for_update(of=("self",)).for_listing().get(pk=work.pk)
        if job.is_over:
            return _release(job)
        collection = RunCollection.objects.filter(processing_job=job).first()
        if collection is None:
            backend = job.pipeline.run_backend
            return self.submit(
                RunCollection.objects.create(
                    processing_job=job,
                    location=DataLocation.objects.with_site().get(pk=backend.location_id),
                    results_location_id=backend.results_location_id,
                )
            )
        if collection.status == Status.FAILED:
            return _fail(job, collection.error_code, collection.error_message)
        if collection.status != Status.COMPLETED:
            return 0
        try:
            with transaction.atomic():
                _file(job, collection)
        except RequestError as error:
            return _fail(job, error.code, f"What it made cannot be filed: {error}")
        return 1


def _file(job: ProcessingJob, collection: RunCollection) -> None:
    """Products, the end of the run, and the end of the job."""
    run = job.processing_run
    user = job.requester
    place = DataLocation.objects.with_site().get(pk=collection.results_location_id)
    rows = [_product(job, collected, place) for collected in collection.collected]
    for first in range(0, len(rows), MAX_PRODUCTS):
        register_products(read_product_reports(rows[first : first + MAX_PRODUCTS]), user=user)
    end_run(run, RunStatus.COMPLETED, exit_code=0)
    made = f"{len(rows)} products." if rows else "It made nothing."
    transition(job, JobStatus.COMPLETED, finished_at=timezone.now(), message=made)


def _product(job: ProcessingJob, collected: dict[str, Any], place: DataLocation) -> dict[str, Any]:
    """One product, with what the command said about it."""
    run = job.processing_run
    first = collected["files"][0]["path"]
    files = [
        {
            "id": str(uuid5(run.pk, f"file {file['path']}")),
            "source_location": place.full_name,
            "relative_path": file["key"],
            "size": file["size"],
            "checksum": file["checksum"],
            "checksum_algorithm": "blake3",
        }
        for file in collected["files"]
    ]
    return {
        "name": f"{run.name}/{first}",
        "kind": KINDS[first.partition("/")[0]],
        **collected["about"],
        "id": str(uuid5(run.pk, f"product {first}")),
        "processing_run": str(run.pk),
        "files": files,
    }


def _release(job: ProcessingJob) -> int:
    """Its inputs may go."""
    if job.staging_job is not None and job.staging_job.active:
        cancel_job(job.staging_job, user=job.requester)
        return 1
    return 0


def _fail(job: ProcessingJob, code: str, message: str) -> int:
    transition(job, JobStatus.FAILED, finished_at=timezone.now(), error_code=code, message=message)
    return 1
