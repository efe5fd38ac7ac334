"""Stage 62: hand a run over to the backend of its PROCESSING location.

In: a READY job, its inputs staged. Out: a folder ``runs/{run}/{submission}`` with the manifest, what to do, and empty folders for
what is made; the job SUBMITTED. Safe to repeat because: the folder appears whole and once, and the backend knows a
submission by its name.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from django.db.models.functions import Now

from ccatdc.common.errors import ConflictError, DataIntegrityError
from ccatdc.common.states import transition
from datamgmt.models import DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.states import PhysicalCopyStatus
from datamgmt.storage import storage_for
from transfer.backends import backend_of, containers
from transfer.backends import job as job_program
from transfer.backends.base import OUTPUT_FOLDERS, JobFolder
from transfer.models import ProcessingJob, RunSubmission
from transfer.models.run_parameters import RunParameters
from transfer.models.runs import JobStatus
from transfer.operations.base import StageOperation

MANIFEST_VERSION: Final = 1
#: Mounts of one image.
MAX_MOUNTS: Final = 2000


class SubmitRun(StageOperation[RunSubmission]):
    """Submits one run."""

    backend_id = ""

    def prepare(self) -> None:
        """Is it still to be submitted? Its inputs, as they are staged."""
        self.job = ProcessingJob.objects.for_listing().get(pk=self.operation.processing_job_id)
        if self.job.status != JobStatus.READY or self.job.submissions != self.operation.submission:
            raise ConflictError(f"{self.job} is {self.job.status}: there is nothing to submit.", code="run.over")
        location = DataLocation.objects.get(pk=self.operation.location_id)
        self.storage = storage_for(location)
        self.storage.check_identity()
        self.parameters = self.job.pipeline.run_backend.run_parameters
        self.folder = JobFolder(self.job.submission_name, self.storage, self.job.folder_key)
        for earlier in self.operation.earlier_attempt_names():
            self.storage.discard_attempt(self.folder.key, earlier)
        self.links = self._links(location)

    def _links(self, location: DataLocation) -> dict[RawDataPackage, dict[str, str]]:
        """What the staging job's folder shows of each package: keys, and what they lead to."""
        staging_job = self.job.staging_job
        if staging_job is None:
            return {}
        packages = staging_job.raw_data_packages.for_listing().oldest_first()
        here = PhysicalCopy.objects.at(location).existing().filter(status=PhysicalCopyStatus.STAGED)
        trees = dict(here.filter(raw_data_package__in=packages).values_list("raw_data_package", "key"))
        gone = [package.name for package in packages if package.pk not in trees]
        if gone:
            raise DataIntegrityError(
                f"{gone[0]} is not staged any more ({len(gone)} in all).",
                code="run.inputs_gone",
                remedy="Try the run again: its inputs are staged anew.",
            )
        return {package: staging_job.links_to(package, trees[package.pk]) for package in packages}

    def work(self) -> None:
        """The folder, unless an earlier claim made it; then the backend."""
        if not self.storage.exists(f"{self.folder.key}/{job_program.JOB}"):
            with self.storage.make_tree(self.folder.key, self.attempt, files=20) as folder:
                self._fill(folder)
        self.lease.check()
        backend = backend_of(self.job.pipeline.run_backend.backend, self.parameters)
        self.backend_id = backend.submit(self.folder)
        self.log.info("%s: submitted as %s.", self.folder.name, self.backend_id or "before")

    def _fill(self, folder: Path) -> None:
        for name in (
            job_program.WORKSPACE,
            job_program.LOGS,
            *(f"{job_program.OUTPUT}/{each}" for each in OUTPUT_FOLDERS),
        ):
            (folder / name).mkdir(parents=True)
        shutil.copy(job_program.__file__, folder / "job.py")
        environment = self._environment()
        (folder / "manifest.json").write_text(json.dumps(self._manifest(environment), indent=1))
        told = {
            "command": self._command(self.parameters),
            "environment": environment,
            "seconds": self.parameters.minutes * 60,
        }
        (folder / job_program.JOB).write_text(json.dumps(told, indent=1))

    @property
    def _inputs(self) -> Path:
        """The folder of the staged inputs, for the worker and the nodes."""
        key = self.job.staging_job.folder_key if self.job.staging_job is not None else self.folder.key
        path = self.storage.local_path(key)
        assert path is not None  # noqa: S101  a disk (RunBackend.clean)
        return path

    def _environment(self) -> dict[str, str]:
        """All that the command gets: nothing of the worker's own."""
        path, inside = self.folder.path, self.job.pipeline.image
        folders = dict(containers.INSIDE) if inside else containers.on_the_host(path, self._inputs)
        return {
            "PATH": f"/usr/local/bin:{os.defpath}",
            "LANG": "C.UTF-8",
            "HOME": str(path / job_program.WORKSPACE),
            "WORKFLOW_RUN": str(self.job.processing_run_id),
            **folders,
        }

    def _command(self, parameters: RunParameters) -> list[str]:
        pipeline = self.job.pipeline
        if not pipeline.image:
            return list(pipeline.command)
        mounts = {
            self._name_of(link): self.storage.local_path(target)
            for links in self.links.values()
            for link, target in links.items()
        }
        if len(mounts) > MAX_MOUNTS:
            raise ConflictError(
                f"{len(mounts)} inputs are too many for one image: at most {MAX_MOUNTS}.",
                code="run.too_many_inputs",
                remedy="Ask for several runs.",
            )
        inputs = {name: path for name, path in mounts.items() if path is not None}
        return containers.in_image(parameters.apptainer, pipeline.image, pipeline.command, self.folder.path, inputs)

    def _name_of(self, link: str) -> str:
        """Below the input folder."""
        assert self.job.staging_job is not None  # noqa: S101  there are links
        return link.removeprefix(f"{self.job.staging_job.folder_key}/")

    def _manifest(self, environment: dict[str, str]) -> dict[str, Any]:
        run, version = self.job.processing_run, self.job.pipeline.software_version
        return {
            "manifest_version": MANIFEST_VERSION,
            "run": str(run.pk),
            "name": run.name,
            "submission": self.job.submissions,
            "pipeline": self.job.pipeline.name,
            "software": {"name": version.reduction_software.name, "version": version.version},
            "configuration": run.configuration,
            "input": environment["WORKFLOW_INPUT_DIR"],
            "workspace": environment["WORKFLOW_WORKSPACE_DIR"],
            "output": environment["WORKFLOW_OUTPUT_DIR"],
            "output_folders": list(OUTPUT_FOLDERS),
            "inputs": [_described(package, sorted(map(self._name_of, links))) for package, links in self.links.items()],
        }

    def record(self) -> None:
        super().record()
        transition(self.job, JobStatus.SUBMITTED, submitted_at=Now(), backend_id=self.backend_id or self.job.backend_id)

    def clean_up(self) -> None:
        """What was not finished of the folder. One that is whole stays: its job may run."""
        if hasattr(self, "folder"):
            self.storage.discard_attempt(self.folder.key, self.attempt)


def _described(package: RawDataPackage, paths: list[str]) -> dict[str, Any]:
    """One input: what it is, and its folders or files below the input folder."""
    execution, module = package.executed_obs_unit, package.instrument_module
    return {
        "package": str(package.pk),
        "name": package.name,
        "paths": paths,
        "instrument": module.instrument.short_name,
        "module": module.short_name,
        "observation": str(execution.pk) if execution is not None else None,
        "obs_unit": execution.obs_unit.name if execution is not None else None,
        "target": package.of_what,
        "start_time": package.observed_from.isoformat(),
    }
