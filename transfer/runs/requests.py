"""Stages 62 to 66, the request: somebody asks for a run of a pipeline, cancels it, or asks for it again.

Called by the portal and the API; permission is the caller's business. What is asked for here is planned by the managers.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from accounts.models import ApiToken, User, record
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import ConflictError, RequestError
from datamgmt.filing.runs import RunReport, start_run
from datamgmt.models import RawDataPackage
from observatory.models import InstrumentModule
from planning.models import ExecutedObsUnit
from transfer.models import ProcessingJob, ReductionPipeline
from transfer.models.runs import JOB_ENDED, LONGEST_CONFIGURATION, JobStatus

#: From here on a run is not stopped any more.
_TOO_LATE: Final = (JobStatus.COLLECTING, *JOB_ENDED)


def request_run(
    user: User,
    pipeline: ReductionPipeline,
    *,
    packages: Collection[UUID] = (),
    observations: Collection[UUID] = (),
    products: Collection[UUID] = (),
    name: str = "",
    program: str = "",
    configuration: Mapping[str, Any] | None = None,
    run_id: UUID | None = None,
    retry_of: ProcessingJob | None = None,
    token: ApiToken | None = None,
) -> ProcessingJob:
    """Ask for a run of a pipeline over packages and products, or over whole observations. The same ``run_id`` again gives the
    run that there is.

    Raises RequestError: no inputs, both kinds, inputs that are not there or not the user's to see, a configuration that the
    pipeline does not have; ConflictError: the pipeline is off, another run has this id.
    """
    if not pipeline.active:
        raise ConflictError(f"{pipeline} is switched off.", code="run.pipeline_off", remedy="Choose another pipeline.")
    if observations and (packages or products):
        raise RequestError("Name observations, or packages and products, not both.", code="run.inputs_of_two_kinds")
    if not (observations or packages or products):
        raise RequestError("Name what the run reads.", code="run.no_inputs")
    version = pipeline.software_version
    module = pipeline.instrument_module or _module_of(observations)
    report = RunReport(
        id=run_id or uuid4(),
        name=name or _name_of(pipeline, observations),
        software=version.reduction_software.name,
        version=version.version,
        program=program,
        instrument=module.instrument.short_name if module is not None else "",
        module=module.short_name if module is not None else "",
        location=pipeline.run_backend.location.full_name,
        command=shlex.join(pipeline.command),
        configuration=_configuration(pipeline, configuration or {}),
        input_packages=tuple(map(str, packages)),
        input_observations=tuple(observations),
        input_products=tuple(products),
    )
    with transaction.atomic():
        run, _ = start_run(report, user=user, token=token)
        job, is_new = ProcessingJob.objects.get_or_create(
            processing_run=run, defaults={"pipeline": pipeline, "retry_of": retry_of}
        )
        if is_new:
            record("runs", f"{user} asks for a run: {job}.", about=job, user=user)
            notify_managers()
    return job


def cancel_run(job: ProcessingJob, *, user: User) -> ProcessingJob:
    """Stop a run: before it is submitted at once, else as soon as its backend is asked.

    Raises ConflictError when it is over, or its results are being taken over.
    """
    with transaction.atomic():
        job = ProcessingJob.objects.select_for_update(of=("self",)).get(pk=job.pk)
        if job.status in _TOO_LATE:
            raise ConflictError(f"{job} cannot be cancelled: it is {job.status}.", code="run.over")
        if job.cancel_requested_at is None:
            ProcessingJob.objects.filter(pk=job.pk).update(cancel_requested_at=timezone.now())
            job.refresh_from_db(fields=["cancel_requested_at"])
            record("runs", f"{user} cancels {job}.", about=job, user=user)
            notify_managers()
    return job


def retry_run(job: ProcessingJob, *, user: User) -> ProcessingJob:
    """A new run of the same pipeline over the same inputs, linked to the one that failed or was cancelled.

    Raises ConflictError when that one is not over, was well, or was tried again already; else what request_run raises.
    """
    if job.status not in (JobStatus.FAILED, JobStatus.CANCELLED):
        raise ConflictError(
            f"{job} cannot be tried again: it is {job.status}.",
            code="run.not_failed",
            remedy="Ask for a new run instead.",
        )
    with transaction.atomic():
        ProcessingJob.objects.select_for_update(of=("self",)).get(pk=job.pk)
        later = ProcessingJob.objects.filter(retry_of=job).first()
        if later is not None:
            raise ConflictError(
                f"{job} was tried again already.", code="run.retried", remedy=f"Look at run {later.processing_run_id}."
            )
        run = job.processing_run
        return request_run(
            user,
            job.pipeline,
            packages=list(run.input_packages.order_by("pk").values_list("pk", flat=True)),
            observations=list(run.input_observations.order_by("pk").values_list("pk", flat=True)),
            products=list(run.input_products.order_by("pk").values_list("pk", flat=True)),
            name=run.name,
            program=run.observing_program.short_name,
            configuration={
                name: run.configuration[name] for name in job.pipeline.configuration if name in run.configuration
            },
            retry_of=job,
        )


def _name_of(pipeline: ReductionPipeline, observations: Collection[UUID]) -> str:
    """Products of a later run under the same name are newer versions: an observation names its own."""
    if len(observations) == 1:
        (pk,) = observations
        execution = ExecutedObsUnit.objects.select_related("obs_unit").filter(pk=pk).first()
        if execution is not None:
            return f"{pipeline} {execution.obs_unit.name} {execution.start_time:%Y-%m-%dT%H:%M:%S}"[:200]
    return f"{pipeline} {timezone.now():%Y-%m-%dT%H:%M:%S}"


def _module_of(observations: Collection[UUID]) -> InstrumentModule | None:
    """The one that wrote the data of all of these; None where there are several, or the packages say."""
    packages = RawDataPackage.objects.order_by().filter(executed_obs_unit__in=observations)
    modules = InstrumentModule.objects.filter(pk__in=packages.values("instrument_module")).select_related("instrument")
    found = list(modules[:2])
    return found[0] if len(found) == 1 else None


def _configuration(pipeline: ReductionPipeline, wanted: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(map(str, wanted)) - set(pipeline.configuration))
    if unknown:
        has = ", ".join(sorted(pipeline.configuration)) or "nothing that may be changed"
        raise RequestError(f"{pipeline} has no {unknown[0][:64]!r}; it has {has}.", code="run.configuration")
    merged = {**pipeline.configuration, **wanted}
    if len(json.dumps(merged)) > LONGEST_CONFIGURATION:
        raise RequestError(
            f"The configuration has more than {LONGEST_CONFIGURATION} characters.", code="run.configuration"
        )
    return merged
