"""Standing pipelines: a run is asked for, for each new observation that fits, once with each version of the software.

A step of the managers' loop, beside the stages: it asks as a person does (:mod:`transfer.runs.requests`), and stages 62 to
66 do the rest. The runs that there are say what is done: nothing is remembered elsewhere.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.models import User
from ccatdc.common.errors import CcatError
from ccatdc.common.visibility import visible
from datamgmt.filing.milestones import Milestone, has_reached
from datamgmt.models import RawDataPackage
from planning.models import ExecutedObsUnit, ExecutionQuality, ExecutionStatus
from transfer.models import ProcessingJob, ReductionPipeline
from transfer.models.runs import JOB_ENDED
from transfer.runs.requests import request_run

#: Seconds between two looks: nothing of this is urgent.
EVERY_SECONDS: Final = 30.0
#: Runs of one pipeline that may be asked for and not over: an older history comes in portions.
MOST_OPEN: Final = 20
#: Observations that one look tries: those that are not archived yet are tried again.
MOST_TRIED: Final = 100

logger = logging.getLogger(__name__)


class StandingPipelines:
    """All of them, looked at now and then."""

    def __init__(self, every_seconds: float = EVERY_SECONDS) -> None:
        self._every, self._next_at = every_seconds, 0.0

    def run(self) -> int:
        """How many runs were asked for."""
        if time.monotonic() < self._next_at:
            return 0
        self._next_at = time.monotonic() + self._every
        return sum(_ask_for_runs_of(pipeline.pk) for pipeline in ReductionPipeline.objects.standing())


def observations_without_run(pipeline: ReductionPipeline, user: User) -> Any:
    """Over and usable, of what the pipeline is for and the person may see, not run with its software version yet; the
    newest first.
    """
    run = ProcessingJob.objects.filter(
        pipeline=pipeline,
        processing_run__software_version=pipeline.software_version_id,
        processing_run__input_observations=OuterRef("pk"),
    )
    over_since = timezone.now() - timedelta(seconds=pipeline.cooldown_seconds)
    rows = ExecutedObsUnit.objects.filter(
        status=ExecutionStatus.COMPLETED, start_time__gte=pipeline.since, finished_at__lte=over_since
    ).exclude(quality=ExecutionQuality.BAD)
    wanted = {
        "obs_unit__observing_program": pipeline.observing_program_id,
        "obs_unit__obs_mode": pipeline.obs_mode_id,
        "obs_unit__source": pipeline.source_id,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
    packages = RawDataPackage.objects.filter(
        executed_obs_unit=OuterRef("pk"), instrument_module=pipeline.instrument_module_id
    )
    return visible(rows, user).filter(Exists(packages)).filter(~Q(Exists(run))).order_by("-start_time")


def _ask_for_runs_of(key: int) -> int:
    """Under a lock of the pipeline, so that two processes do not ask for the same run."""
    with transaction.atomic():
        pipeline = ReductionPipeline.objects.select_for_update(of=("self",)).get(pk=key)
        if not pipeline.standing or not pipeline.active:
            return 0
        # As every process may read a person: without what logs them in.
        user = User.objects.defer("password").get(pk=pipeline.requested_for_id or 0)
        there = ProcessingJob.objects.filter(pipeline=pipeline).exclude(status__in=JOB_ENDED).count()
        asked = 0
        for execution in observations_without_run(pipeline, user)[:MOST_TRIED]:
            if there + asked >= MOST_OPEN:
                break
            if has_reached(execution.pk, Milestone.ARCHIVED):
                asked += _ask(pipeline, user, execution)
    return asked


def _ask(pipeline: ReductionPipeline, user: User, execution: ExecutedObsUnit) -> int:
    try:
        with transaction.atomic():
            request_run(user, pipeline, observations=[execution.pk])
    except CcatError as error:
        # It is tried again: somebody has to change the pipeline or the rights.
        logger.warning("%s cannot be run for %s: %s", pipeline, execution, error)
        return 0
    return 1
