"""Runs on the cluster, with real processes: from the request to the archived product, and all that can go wrong on the way."""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import User
from ccatdc.common.errors import ConflictError, RequestError
from ccatdc.common.states import Status
from ccatdc.dev.s3server import S3Server
from datamgmt.models import (
    DataProduct,
    DiskDataLocation,
    LocationType,
    PhysicalCopy,
    ProcessingRun,
    RawDataPackage,
    RunStatus,
)
from datamgmt.states import PackageState
from planning.models import ExecutedObsUnit
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import (
    RawDataFileFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    ReductionSoftwareFactory,
    ReductionSoftwareVersionFactory,
)
from tests.flow import Flow, digest_of, members_of
from tests.transfer.processes import eventually
from transfer.backends import job as job_program
from transfer.engine.worker.logs import end_of_log
from transfer.models import Operation, ProcessingJob, ReductionPipeline, RunBackend, RunSubmission, StagingJob
from transfer.models.runs import MAX_SUBMISSIONS, JobStatus
from transfer.operations.s62_submit import SubmitRun
from transfer.runs.requests import cancel_run, request_run, retry_run
from transfer.staging.requests import cancel_job

ARCHIVED = ("package", "bundle", "transfer", "unpack", "archive")
RUNS = ("submit", "stage", "follow", "collect")
#: Reads its inputs by the manifest, and writes a map and what is not to be taken.
REDUCTION = """
import json, os, pathlib
manifest = json.load(open(os.environ["WORKFLOW_MANIFEST"]))
here = pathlib.Path(manifest["input"])
raw = [p.read_bytes() for i in manifest["inputs"] for e in i["paths"] for p in sorted((here / e).rglob("*")) if p.is_file()]
out = pathlib.Path(os.environ["WORKFLOW_OUTPUT_DIR"])
(out / "science" / "map.fits").write_bytes(b"map of " + b"".join(raw))
(out / "plots" / "map.png").write_bytes(b"plot")
(out / "science" / "link").symlink_to("/etc/passwd")
(out / "secrets").symlink_to("/etc")
(out / "stray").write_text("stray")
about = {"files": ["science/map.fits"], "level": "l2", "quality_metrics": {"rms": 0.5}}
(out / "manifest.json").write_text(json.dumps({"products": [about]}))
print("scale", manifest["configuration"]["scale"], "DATABASE_URL" in os.environ)
"""


@pytest.fixture
def flow(transactional_db: None, tmp_path: Path, s3_server: S3Server, settings: Any) -> Flow:
    logs = {**settings.STORAGES["logs"], "OPTIONS": {"location": tmp_path / "log"}}
    settings.STORAGES = {**settings.STORAGES, "logs": logs}
    return Flow(tmp_path, s3_server, ("ccat-test-access", "ccat-test-secret"))


@pytest.fixture
def backend(flow: Flow) -> RunBackend:
    results = flow.disk(flow.cologne, "ramses_results", LocationType.SOURCE)
    return RunBackend.objects.create(
        location=flow.processing,
        results_location=results,
        backend="local",
        parameters={"python": sys.executable},
        follow_seconds=0,
    )


@pytest.fixture
def observation(flow: Flow) -> ExecutedObsUnit:
    """An archived observation."""
    execution = flow.observe({"run1/a": b"raw a,", "run1/b": b"raw b"})
    flow.run(*ARCHIVED)
    return execution


@pytest.fixture
def staged(flow: Flow) -> ExecutedObsUnit:
    """An archived observation that another job has staged: quicker than the whole way."""
    content = {"run1/a": b"raw a,", "run1/b": b"raw b"}
    package = RawDataPackageFactory.create(archived=True, instrument_module=flow.module, source_location=flow.source)
    for place, fields in ((flow.archive, {"archived": True}), (flow.processing, {"status": "staged"})):
        copy = RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, data_location=place, **fields)
    for path, data in content.items():
        target = Path(flow.processing.path) / copy.key / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        RawDataFileFactory.create(
            relative_path=path,
            size=len(data),
            digest=digest_of(target),
            raw_data_package=package,
            executed_obs_unit=package.executed_obs_unit,
            instrument_module=flow.module,
            source_location=flow.source,
        )
    assert package.executed_obs_unit is not None
    return package.executed_obs_unit


@pytest.fixture
def scientist(transactional_db: None) -> User:
    return UserFactory.create(is_superuser=True)


def pipeline(backend: RunBackend, *command: str) -> ReductionPipeline:
    """A pipeline of this command; by default the reduction above."""
    return ReductionPipeline.objects.create(
        name="quick-map",
        software_version=ReductionSoftwareVersionFactory.create(reduction_software=ReductionSoftwareFactory.create()),
        command=list(command) or [sys.executable, "-c", REDUCTION],
        configuration={"scale": 1},
        run_backend=backend,
    )


def fresh(job: ProcessingJob) -> ProcessingJob:
    return ProcessingJob.objects.for_listing().get(pk=job.pk)


def run_until(flow: Flow, job: ProcessingJob, *states: str, seconds: float = 20) -> ProcessingJob:
    """Managers and operations, until the job is in one of these states."""

    def reached() -> bool:
        flow.plan(*RUNS)
        flow.run_scheduled()
        return fresh(job).status in states

    assert eventually(reached, seconds), (fresh(job).status, fresh(job).message, flow.failures())
    return fresh(job)


def started(job: ProcessingJob, flow: Flow) -> dict[str, Any]:
    path = Path(flow.processing.path) / fresh(job).folder_key / job_program.STARTED
    assert eventually(path.exists)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def kill(record: dict[str, Any]) -> None:
    """As when the node dies: the job and its command are gone at once."""
    for child in Path(f"/proc/{record['pid']}/task/{record['pid']}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    os.kill(record["pid"], signal.SIGKILL)


def test_a_run_from_the_request_to_the_archive(
    flow: Flow, backend: RunBackend, observation: ExecutedObsUnit, scientist: User
) -> None:
    job = request_run(scientist, pipeline(backend), observations=[observation.pk], configuration={"scale": 2})
    assert (job.status, job.processing_run.status) == (JobStatus.PENDING, RunStatus.PENDING)
    job = run_until(flow, job, JobStatus.COMPLETED)
    run = job.processing_run
    assert (run.status, run.exit_code, job.message) == (RunStatus.COMPLETED, 0, "2 products.")
    assert run.start_time is not None
    assert run.end_time is not None
    assert (job.wall_seconds or 0) > 0
    assert (job.peak_bytes or 0) > 0
    assert "scale 2 False" in (end_of_log(job.log_name) or "")
    chart, plot = DataProduct.objects.order_by("-name")
    assert (chart.name, chart.kind, chart.level, chart.quality_metrics) == (
        f"{run.name}/science/map.fits",
        "science",
        "l2",
        {"rms": 0.5},
    )
    assert (plot.kind, plot.level) == ("plot", "")
    flow.run(*RUNS)
    assert StagingJob.objects.get().cancelled_at is not None, "the inputs are still kept"
    flow.run(*ARCHIVED)
    package = run.raw_data_packages.get()
    assert package.state == PackageState.ARCHIVED
    copy = PhysicalCopy.objects.of_package(package.pk).at(flow.archive).get()
    assert members_of(flow.object_path(flow.archive, copy.key)) == {
        f"runs/{run.pk}/science/map.fits": b"map of raw a,raw b",
        f"runs/{run.pk}/plots/map.png": b"plot",
    }
    assert {problem["subject"] for problem in job.run_collection.problems} == {"stray"}
    # What it made is an input like any other now.
    again = request_run(scientist, job.pipeline, products=[chart.pk])
    again = run_until(flow, again, JobStatus.COMPLETED)
    place = backend.results_location
    assert isinstance(place, DiskDataLocation)
    results = Path(place.path) / f"runs/{again.processing_run_id}"
    assert b"map of raw a,raw b" in (results / "science" / "map.fits").read_bytes()


def test_the_same_pipeline_again_makes_newer_versions(
    flow: Flow, backend: RunBackend, staged: ExecutedObsUnit, scientist: User
) -> None:
    quick = pipeline(backend)
    for version in (1, 2):
        run_until(flow, request_run(scientist, quick, observations=[staged.pk]), JobStatus.COMPLETED)
        assert DataProduct.objects.get(name__endswith="map.fits", superseded_by=None).version == version


def test_a_command_that_fails(flow: Flow, backend: RunBackend, staged: ExecutedObsUnit, scientist: User) -> None:
    """Its log is kept, nothing of it is filed, its inputs go; the retry is a new run, once."""
    quick = pipeline(backend, "/bin/sh", "-c", "touch $WORKFLOW_OUTPUT_DIR/science/half; echo no source >&2; exit 3")
    job = run_until(flow, request_run(scientist, quick, observations=[staged.pk]), JobStatus.FAILED)
    assert (job.error_code, job.message) == ("run.command_failed", "The command ended with exit code 3.")
    assert (job.processing_run.status, job.processing_run.exit_code) == (RunStatus.FAILED, 3)
    assert "no source" in (end_of_log(job.log_name) or "")
    flow.run(*RUNS)
    assert not StagingJob.objects.active().exists()
    assert not DataProduct.objects.exists()
    ReductionPipeline.objects.update(command=[sys.executable, "-c", REDUCTION])
    again = retry_run(fresh(job), user=scientist)
    assert again.retry_of == job
    assert run_until(flow, again, JobStatus.COMPLETED).processing_run.name == job.processing_run.name
    with pytest.raises(ConflictError) as refused:
        retry_run(fresh(job), user=scientist)
    assert refused.value.code == "run.retried"
    with pytest.raises(ConflictError) as refused:
        retry_run(fresh(again), user=scientist)
    assert refused.value.code == "run.not_failed"


def test_a_lost_node_is_no_failure(flow: Flow, backend: RunBackend, staged: ExecutedObsUnit, scientist: User) -> None:
    """It is submitted again, in a folder of its own, until it may be the command that kills them."""
    job = request_run(scientist, pipeline(backend, "/bin/sleep", "600"), observations=[staged.pk])
    for submission in range(1, MAX_SUBMISSIONS + 1):
        run_until(flow, job, JobStatus.RUNNING)
        assert fresh(job).submissions == submission
        kill(started(job, flow))
        run_until(flow, job, JobStatus.READY, JobStatus.SUBMITTED, JobStatus.FAILED)
        assert f"{submission}" in fresh(job).message
    job = fresh(job)
    assert (job.status, job.error_code) == (JobStatus.FAILED, "run.lost")


def test_a_worker_that_dies_after_submitting(
    flow: Flow, backend: RunBackend, staged: ExecutedObsUnit, scientist: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one finds the job that runs, and submits no second one."""
    marks = Path(flow.processing.path) / "marks"
    job = request_run(
        scientist, pipeline(backend, "/bin/sh", "-c", f"echo x >> {marks}; sleep 1"), observations=[staged.pk]
    )
    with monkeypatch.context() as patch:

        def die(_self: SubmitRun) -> None:
            raise OSError("the worker is gone")

        patch.setattr(SubmitRun, "record", die)
        run_until(flow, job, JobStatus.READY)
        for _ in range(3):
            flow.plan(*RUNS)
            flow.run_scheduled()
    assert eventually(marks.exists)
    assert fresh(job).status == JobStatus.READY
    flow.retry_now()
    assert fresh(job).status in (JobStatus.SUBMITTED, JobStatus.RUNNING)
    run_until(flow, job, JobStatus.COMPLETED)
    assert marks.read_text() == "x\n"
    assert fresh(job).message == "It made nothing."


class TestCancelling:
    def test_before_it_is_submitted(
        self, flow: Flow, backend: RunBackend, staged: ExecutedObsUnit, scientist: User
    ) -> None:
        backend.active = False
        backend.save()
        job = request_run(scientist, pipeline(backend), observations=[staged.pk])
        run_until(flow, job, JobStatus.READY)
        flow.plan("submit")
        assert [entry["code"] for entry in flow.managers["submit"].waiting] == ["run.backend_off"]
        cancel_run(job, user=scientist)
        job = run_until(flow, job, JobStatus.CANCELLED)
        assert job.processing_run.status == RunStatus.CANCELLED
        flow.run(*RUNS)
        assert not StagingJob.objects.active().exists()

    def test_while_it_runs(self, flow: Flow, backend: RunBackend, staged: ExecutedObsUnit, scientist: User) -> None:
        """At once, though its backend is not due to be asked for long. Old questions are forgotten."""
        job = request_run(scientist, pipeline(backend, "/bin/sleep", "600"), observations=[staged.pk])
        run_until(flow, job, JobStatus.RUNNING)
        questions = Operation.objects.non_polymorphic().of_types("run_following")
        assert questions.update(finished_at=timezone.now() - timedelta(hours=2))
        RunBackend.objects.update(follow_seconds=3600)
        cancel_run(job, user=scientist)
        flow.plan("follow")
        assert questions.count() == 1
        job = run_until(flow, job, JobStatus.CANCELLED)
        assert job.processing_run.status == RunStatus.CANCELLED
        with pytest.raises(ConflictError) as refused:
            cancel_run(job, user=scientist)
        assert refused.value.code == "run.over"
        assert job_program.start_ticks(started(job, flow)["pid"]) is None


def test_runs_at_once_are_limited(flow: Flow, backend: RunBackend, staged: ExecutedObsUnit, scientist: User) -> None:
    backend.parameters = {"python": sys.executable, "at_once": 1}
    backend.save()
    quick = pipeline(backend, "/bin/sleep", "600")
    first, second = (request_run(scientist, quick, observations=[staged.pk], name=name) for name in "ab")
    run_until(flow, first, JobStatus.RUNNING)
    run_until(flow, second, JobStatus.READY)
    flow.plan("submit")
    assert [entry["code"] for entry in flow.managers["submit"].waiting] == ["run.backend_busy"]
    cancel_run(first, user=scientist)
    run_until(flow, first, JobStatus.CANCELLED)
    run_until(flow, second, JobStatus.RUNNING)
    cancel_run(second, user=scientist)
    run_until(flow, second, JobStatus.CANCELLED)


def test_inputs_that_are_given_up(flow: Flow, backend: RunBackend, staged: ExecutedObsUnit, scientist: User) -> None:
    job = request_run(scientist, pipeline(backend), observations=[staged.pk])
    flow.plan("submit")
    cancel_job(StagingJob.objects.get(), user=scientist)
    job = run_until(flow, job, JobStatus.FAILED)
    assert job.error_code == "run.inputs_not_staged"


def test_an_output_that_cannot_be_filed(
    flow: Flow, backend: RunBackend, staged: ExecutedObsUnit, scientist: User
) -> None:
    """Whatever the command says about its files is judged as if it had been filed by hand."""
    quick = pipeline(backend, "/bin/sh", "-c", "")
    for name, script, code in (
        ("a", "echo no json > manifest.json", "run.about"),
        ("b", """echo '{"products": [{"files": ["science/m"]}]}' > manifest.json""", "run.about"),
        (
            "c",
            """echo x > science/m; echo '{"products": [{"files": ["science/m"], "level": "l9"}]}' > manifest.json""",
            "filing.invalid_rows",
        ),
        ("d", "mkdir manifest.json; touch manifest.json/x; echo x > science/m", None),
    ):
        ReductionPipeline.objects.update(command=["/bin/sh", "-c", f"cd $WORKFLOW_OUTPUT_DIR; {script}"])
        quick.refresh_from_db()
        job = request_run(scientist, quick, observations=[staged.pk], name=name)
        job = run_until(flow, job, JobStatus.FAILED, JobStatus.COMPLETED)
        assert job.error_code == (code or "")
    assert DataProduct.objects.count() == 1


class TestRequests:
    def test_what_is_refused(self, flow: Flow, backend: RunBackend, staged: ExecutedObsUnit, scientist: User) -> None:
        quick = pipeline(backend)
        stranger = UserFactory.create()
        package = RawDataPackage.objects.get()
        for user, fields, code in (
            (scientist, {}, "run.no_inputs"),
            (scientist, {"observations": [staged.pk], "packages": [package.pk]}, "run.inputs_of_two_kinds"),
            (scientist, {"observations": [uuid4()]}, "product.unknown_input"),
            (stranger, {"observations": [staged.pk]}, "product.unknown_input"),
            (scientist, {"packages": [package.pk], "configuration": {"command": "rm"}}, "run.configuration"),
            (scientist, {"packages": [package.pk], "configuration": {"scale": "x" * 200_000}}, "run.configuration"),
        ):
            with pytest.raises(RequestError) as refused:
                request_run(user, quick, **fields)
            assert refused.value.code == code
        quick.active = False
        with pytest.raises(ConflictError) as off:
            request_run(scientist, quick, packages=[package.pk])
        assert off.value.code == "run.pipeline_off"
        assert not ProcessingRun.objects.exists()

    def test_the_same_request_again_is_the_same_run(
        self, flow: Flow, backend: RunBackend, staged: ExecutedObsUnit, scientist: User
    ) -> None:
        quick, pk = pipeline(backend), uuid4()
        first = request_run(scientist, quick, observations=[staged.pk], run_id=pk)
        assert request_run(scientist, quick, observations=[staged.pk], run_id=pk) == first
        with pytest.raises(ConflictError):
            request_run(scientist, quick, packages=[RawDataPackage.objects.get().pk], run_id=pk)


def test_a_refused_submission_ends_the_run(
    flow: Flow, backend: RunBackend, staged: ExecutedObsUnit, scientist: User
) -> None:
    """The parameters of the backend became wrong after they were checked."""
    job = request_run(scientist, pipeline(backend), observations=[staged.pk])
    run_until(flow, job, JobStatus.STAGING)
    RunBackend.objects.update(parameters={"python": "/no/such/python"})
    run_until(flow, job, JobStatus.READY)
    flow.plan(*RUNS)
    flow.run_scheduled()
    submission = RunSubmission.objects.get()
    assert (submission.status, submission.error_code) == (Status.PENDING, "run.backend_away")
    RunBackend.objects.update(parameters={"cpus": 0})
    flow.retry_now()
    job = run_until(flow, job, JobStatus.FAILED)
    assert job.error_code == "run.parameters"


def test_a_backend_that_an_operator_sets_up(flow: Flow, backend: RunBackend) -> None:
    backend.clean()
    for fields in (
        {"parameters": {"cpus": 0}},
        {"location": flow.input_buffer},
        {"results_location": flow.processing},
        {"results_location": flow.source},
    ):
        before = {name: getattr(backend, name) for name in fields}
        for name, value in fields.items():
            setattr(backend, name, value)
        with pytest.raises(ValidationError):
            backend.clean()
        for name, value in before.items():
            setattr(backend, name, value)
    assert isinstance(backend.location, DiskDataLocation)
