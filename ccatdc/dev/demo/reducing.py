"""The night's reduction: a map of the Prime-Cam observation is asked for as a scientist would, and found again in the archive."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from ccatdc.dev.demo.filing import Api
from ccatdc.dev.demo.home import Home
from ccatdc.dev.demo.verification import Expected, Findings, check_archived, stored
from datamgmt.checksums import digest_stream
from datamgmt.models import DataLocation, ReductionSoftware, ReductionSoftwareVersion
from datamgmt.states import PackageState
from observatory.models import InstrumentModule
from transfer.models import ProcessingJob, ReductionPipeline, RunBackend
from transfer.models.runs import JobStatus

PIPELINE: Final = "quick-map"
#: Site and name of the location that takes results over.
RESULTS: Final = ("cologne", "ramses_results")
_REDUCTION: Final = Path(__file__).resolve().parents[1] / "reduction.py"


def ensure_pipeline() -> None:
    """The backend, and the pipeline of the small reduction; what an operator changed stays."""
    place, results = (_location(*name) for name in (("cologne", "ramses_processing"), RESULTS))
    backend, _ = RunBackend.objects.get_or_create(
        location=place, defaults={"results_location": results, "backend": "local", "follow_seconds": 1}
    )
    # The interpreter of this start: it has numpy, astropy and Pillow.
    RunBackend.objects.filter(pk=backend.pk).update(parameters={**backend.parameters, "python": sys.executable})
    software, _ = ReductionSoftware.objects.get_or_create(
        name=PIPELINE, defaults={"description": "The demo's reduction: the mean of all samples by pixel"}
    )
    version, _ = ReductionSoftwareVersion.objects.get_or_create(reduction_software=software, version="1.0.0")
    ReductionPipeline.objects.update_or_create(
        name=PIPELINE,
        defaults={"command": [sys.executable, str(_REDUCTION)]},
        create_defaults={
            "command": [sys.executable, str(_REDUCTION)],
            "software_version": version,
            "configuration": {"pixels": 64},
            "run_backend": backend,
            "instrument_module": InstrumentModule.objects.get(instrument__short_name="prime-cam", short_name="280ghz"),
        },
    )


def ask_for_map(home: Home, portal_url: str, observation: UUID) -> UUID:
    """By the API, of one observation; the id of the run."""
    wanted: dict[str, Any] = {"pipeline": PIPELINE, "observations": [str(observation)]}
    with Api(portal_url, home.token("scientist")) as api:
        return UUID(api.call("POST", "/api/processing_jobs/", wanted)["id"])


def state_of(run: UUID) -> tuple[str, bool, bool]:
    """How far the run is, in words; whether its products are archived; whether that will not come."""
    job = ProcessingJob.objects.select_related("processing_run").get(processing_run=run)
    if job.status != JobStatus.COMPLETED:
        failed = job.status in (JobStatus.FAILED, JobStatus.CANCELLED)
        return f"Reduction {job.status}. {job.message}".rstrip(), False, failed
    packages = job.processing_run.raw_data_packages
    archived = packages.filter(state=PackageState.ARCHIVED).count()
    all_archived = 0 < archived == packages.count()
    return f"Reduced; {archived} of {packages.count()} packages of products archived", all_archived, False


def check_products(home: Home, run: UUID, findings: Findings) -> int:
    """What is archived of the run is what its command wrote; how many products."""
    job = ProcessingJob.objects.select_related("processing_run").get(processing_run=run)
    output = home.disk("cologne", "ramses_processing") / job.folder_key / "output"
    packages = [stored(package) for package in job.processing_run.raw_data_packages.all()]
    expected = {}
    for path in (path for package in packages for path in package.files):
        with (output / path.removeprefix(f"{job.results_key}/")).open("rb") as stream:
            expected[path] = Expected(*digest_stream(stream))
    for kind in ("science", "plots"):
        found = any(path.startswith(f"{job.results_key}/{kind}/") for path in expected)
        findings.require("products", f"run {run}", "" if found else f"made no {kind}")
    for package in packages:
        for archived in package.archived(home):
            check_archived(archived, expected, findings)
        findings.require("products", package.name, "" if package.copies else "is in no archive")
    return job.processing_run.data_products.count()


def _location(site: str, name: str) -> DataLocation:
    location: DataLocation = DataLocation.objects.get(site__short_name=site, name=name)
    return location
