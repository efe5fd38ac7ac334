"""Standing pipelines: which observations get a run by themselves, and that each gets one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone

from ccatdc.common.errors import RequestError
from planning.models import ExecutedObsUnit, ExecutionQuality, ExecutionStatus
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import RawDataFileFactory, RawDataPackageFactory, ReductionSoftwareVersionFactory
from tests.factories.observatory import InstrumentModuleFactory
from tests.factories.planning import ExecutedObsUnitFactory, FixedSourceFactory, ObservingProgramFactory
from tests.factories.transfer import ReductionPipelineFactory
from transfer.models import ProcessingJob, ReductionPipeline, RunBackend
from transfer.models.runs import JobStatus
from transfer.runs import standing
from transfer.runs.requests import request_run
from transfer.runs.standing import StandingPipelines

pytestmark = pytest.mark.django_db


@pytest.fixture
def pipeline() -> ReductionPipeline:
    """A quick map of everything of the last year, for somebody who sees all programs."""
    made: ReductionPipeline = ReductionPipelineFactory.create(
        standing=True,
        since=timezone.now() - timedelta(days=365 * 10),
        requested_for=UserFactory.create(username="reducer", is_superuser=True),
        instrument_module=InstrumentModuleFactory.create(),
    )
    return made


def observed(**fields: Any) -> ExecutedObsUnit:
    """Over since an hour, and archived."""
    execution: ExecutedObsUnit = ExecutedObsUnitFactory.create(finished=True, **fields)
    ExecutedObsUnit.objects.filter(pk=execution.pk).update(finished_at=timezone.now() - timedelta(hours=1))
    RawDataPackageFactory.create(executed_obs_unit=execution, archived=True)
    return execution


def asked() -> int:
    return StandingPipelines().run()


def runs() -> list[Any]:
    return list(ProcessingJob.objects.values_list("processing_run__input_observations", flat=True))


def test_a_new_observation_gets_one_run(pipeline: ReductionPipeline) -> None:
    execution = observed()
    assert (asked(), asked()) == (1, 0)
    job = ProcessingJob.objects.get()
    assert (job.pipeline, job.status, job.requester) == (pipeline, JobStatus.PENDING, pipeline.requested_for)
    assert list(job.processing_run.input_observations.all()) == [execution]


def test_another_version_of_the_software_runs_it_anew(pipeline: ReductionPipeline) -> None:
    observed()
    asked()
    old = pipeline.software_version
    pipeline.software_version = ReductionSoftwareVersionFactory.create(
        reduction_software=old.reduction_software, version="2.0.0"
    )
    pipeline.save()
    assert (asked(), asked()) == (1, 0)
    versions = ProcessingJob.objects.values_list("processing_run__software_version__version", flat=True)
    assert sorted(versions) == sorted([old.version, "2.0.0"])


def test_a_run_that_failed_is_not_asked_for_again(pipeline: ReductionPipeline) -> None:
    observed()
    asked()
    ProcessingJob.objects.update(status=JobStatus.FAILED)
    assert asked() == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"status": ExecutionStatus.ABORTED},
        {"quality": ExecutionQuality.BAD},
        {"finished_at": timezone.now()},
        {"start_time": timezone.now() - timedelta(days=365 * 20)},
    ],
    ids=["aborted", "bad", "just over", "too old"],
)
def test_what_does_not_fit_is_left_alone(pipeline: ReductionPipeline, fields: dict[str, Any]) -> None:
    execution = observed()
    ExecutedObsUnit.objects.filter(pk=execution.pk).update(**fields)
    assert asked() == 0


def test_files_that_are_not_archived_are_waited_for(pipeline: ReductionPipeline) -> None:
    execution = observed()
    late = RawDataFileFactory.create(executed_obs_unit=execution)
    assert asked() == 0
    late.delete()
    assert asked() == 1


@pytest.mark.parametrize("name", ["observing_program", "source", "obs_mode", "instrument_module"])
def test_what_is_set_narrows(pipeline: ReductionPipeline, name: str) -> None:
    execution = observed()
    obs_unit = execution.obs_unit
    others = {
        "observing_program": ObservingProgramFactory.create(short_name="other"),
        "source": FixedSourceFactory.create(name="Elsewhere"),
        "obs_mode": None,
        "instrument_module": InstrumentModuleFactory.create(short_name="another"),
    }
    if others[name] is not None:
        ReductionPipeline.objects.update(**{name: others[name]})
        assert asked() == 0
    module = InstrumentModuleFactory.create()
    ReductionPipeline.objects.update(**{name: module if name == "instrument_module" else getattr(obs_unit, name)})
    assert asked() == 1


@pytest.mark.parametrize("switch", ["standing", "active", "backend"])
def test_what_is_off_asks_for_nothing(pipeline: ReductionPipeline, switch: str) -> None:
    observed()
    if switch == "backend":
        RunBackend.objects.update(active=False)
    else:
        ReductionPipeline.objects.update(**{switch: False})
    assert asked() == 0


def test_who_may_not_see_the_data_gets_no_run(pipeline: ReductionPipeline) -> None:
    observed()
    ReductionPipeline.objects.update(requested_for=UserFactory.create(username="stranger", sees_all=False))
    assert asked() == 0


def test_what_is_refused_is_in_the_log_and_does_not_hold_up_the_others(
    pipeline: ReductionPipeline, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    observed(), observed()
    refused: list[Any] = []

    def sometimes(*arguments: Any, **named: Any) -> Any:
        if not refused:
            refused.append(named)
            raise RequestError("Not this one.", code="run.configuration")
        return request_run(*arguments, **named)

    monkeypatch.setattr(standing, "request_run", sometimes)
    assert asked() == 1
    assert "Not this one." in caplog.text


def test_a_history_comes_in_portions_the_newest_first(
    pipeline: ReductionPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "MOST_OPEN", 2)
    executions = [observed() for _ in range(3)]
    for age, execution in enumerate(executions):
        start = timezone.now() - timedelta(days=10 - age)
        ExecutedObsUnit.objects.filter(pk=execution.pk).update(start_time=start, end_time=start + timedelta(minutes=30))
    assert (asked(), asked()) == (2, 0)
    assert set(runs()) == {executions[1].pk, executions[2].pk}
    ProcessingJob.objects.update(status=JobStatus.COMPLETED)
    assert asked() == 1


@pytest.mark.parametrize("name", ["since", "requested_for", "instrument_module"])
def test_a_standing_pipeline_says_for_whom_from_when_on_and_of_which_module(
    pipeline: ReductionPipeline, name: str
) -> None:
    setattr(pipeline, name, None)
    with pytest.raises(ValidationError, match="from when on"):
        pipeline.full_clean()
    with pytest.raises(IntegrityError, match="standing_is_bounded"):
        pipeline.save()


def test_the_loop_looks_now_and_then_only(pipeline: ReductionPipeline) -> None:
    observed()
    look = StandingPipelines(every_seconds=3600)
    assert look.run() == 1
    observed()
    assert look.run() == 0
