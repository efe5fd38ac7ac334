"""Queries as jobs: made and changed through the addresses of UWS (uws.py), run in turn by the loop of
``run_notifications``, removed when their time is over. A job of a process that died is run again.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import storages
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ccatdc.common.errors import CcatError, ConflictError, InvalidTransition, RequestError
from ccatdc.common.states import transition
from transfer.models import QueryJob
from transfer.models.queries import MOST_STARTS, Phase, lease, one_more
from transfer.tap.answers import FORMATS, write_answer
from transfer.tap.asked import Asked
from transfer.tap.running import Asker, Limits, TooBusyError, rows_of_query
from transfer.tap.translating import translate

logger = logging.getLogger(__name__)

#: Of one person, and of all who have no account together, that are not over.
MOST_JOBS: Final = 20
MOST_ANONYMOUS_JOBS: Final = 200
#: After how long a result is removed where nobody says it, and at most.
USUAL_DAYS: Final = 3
MOST_DAYS: Final = 14
#: After its time a job's process is taken for dead.
_GRACE_SECONDS: Final = 60
#: Bytes of an answer that are kept in memory.
_IN_MEMORY: Final = 1_000_000


def make_job(user: Any, asked: Asked) -> QueryJob:
    """Made, not started. Raises ConflictError for one too many."""
    owner = user if user.is_authenticated else None
    most = MOST_ANONYMOUS_JOBS if owner is None else MOST_JOBS
    if QueryJob.objects.of(user).unfinished().count() >= most:
        raise ConflictError(
            "Too many jobs are not over.", code="tap.too_many_jobs", remedy="Wait for them, or abort some."
        )
    return QueryJob.objects.create(
        owner=owner,
        query=asked.query,
        language=asked.language,
        response_format=asked.response_format,
        max_rows=asked.max_rows,
        run_id=asked.run_id,
        max_seconds=settings.TAP_JOB_SECONDS,
        destroyed_at=timezone.now() + timedelta(days=USUAL_DAYS),
    )


def start(job: QueryJob) -> None:
    """Into the queue. Whether the query is one is found when it runs, as TAP has it."""
    transition(job, Phase.QUEUED, field="phase", queued_at=Now())


def abort(job: QueryJob) -> None:
    """It does not run, or its answer is thrown away. One that is over stays as it is."""
    if not job.is_over:
        transition(job, Phase.ABORTED, field="phase", ended_at=Now())


def change(job: QueryJob, given: Mapping[str, str]) -> None:
    """Parameters of one that was not started. Raises RequestError for those that make no sense."""
    if job.phase != Phase.PENDING:
        raise ConflictError("The job was started already.", code="tap.started")
    asked = Asked.of({**_parameters(job), **given})
    rows = QueryJob.objects.filter(pk=job.pk)
    rows.update(
        query=asked.query,
        language=asked.language,
        response_format=asked.response_format,
        max_rows=asked.max_rows,
        run_id=asked.run_id,
    )
    job.refresh_from_db()


def _parameters(job: QueryJob) -> dict[str, str]:
    rows = {} if job.max_rows is None else {"MAXREC": str(job.max_rows)}
    return {
        "QUERY": job.query,
        "LANG": job.language,
        "RESPONSEFORMAT": job.response_format,
        "RUNID": job.run_id,
        **rows,
    }


def limit_time(job: QueryJob, text: str) -> None:
    """Seconds that it may run; never more than the setting."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise RequestError("EXECUTIONDURATION is a number of seconds.")
    wanted = min(int(text), settings.TAP_JOB_SECONDS) or settings.TAP_JOB_SECONDS
    QueryJob.objects.filter(pk=job.pk).update(max_seconds=wanted)


def limit_life(job: QueryJob, text: str) -> None:
    """When it is removed; never later than so many days after it was made."""
    try:
        moment = parse_datetime(text.strip()[:40].removesuffix("Z") + "+00:00")
    except ValueError:
        moment = None
    if not isinstance(moment, datetime):
        raise RequestError("DESTRUCTION is a moment: 2026-05-01T22:00:00Z.")
    latest = job.created_at + timedelta(days=MOST_DAYS)
    QueryJob.objects.filter(pk=job.pk).update(destroyed_at=min(moment, latest))


def remove(job: QueryJob) -> None:
    """With its result."""
    if job.result:
        _results().delete(job.result)
    QueryJob.objects.filter(pk=job.pk).delete()


def remove_expired() -> int:
    """How many."""
    expired = list(QueryJob.objects.expired()[:1000])
    for job in expired:
        remove(job)
    return len(expired)


def take_back_abandoned() -> int:
    """Jobs whose process died wait again; one that was started too often ends."""
    found = list(QueryJob.objects.abandoned())
    for job in found:
        if job.starts >= MOST_STARTS:
            why = "Who ran it stopped several times."
            transition(job, Phase.ERROR, field="phase", ended_at=Now(), error=why, error_code="tap.abandoned")
        else:
            transition(job, Phase.QUEUED, field="phase")
    return len(found)


def run_next() -> QueryJob | None:
    """The one that has waited longest; None where none waits."""
    with transaction.atomic():
        job = QueryJob.objects.next_for_run()
        if job is None:
            return None
        until = lease(job.max_seconds + _GRACE_SECONDS)
        transition(job, Phase.EXECUTING, field="phase", started_at=Now(), runs_until=until, starts=one_more())
    _run(job)
    return job


def run_waiting(stopping: Callable[[], bool]) -> None:
    """One after the other, until none waits."""
    take_back_abandoned()
    while not stopping() and run_next() is not None:
        pass


def _run(job: QueryJob) -> None:
    try:
        rows, key = _answer(job)
    except TooBusyError:
        transition(job, Phase.QUEUED, field="phase")
        return
    except CcatError as error:
        _end(job, Phase.ERROR, error=str(error), error_code=error.code)
        return
    except Exception:
        # A query must not stop the loop, whatever it stumbles over; it does so again each time.
        logger.exception("The query job %s failed.", job)
        _end(job, Phase.ERROR, error="The query cannot be computed.", error_code="internal.error")
        return
    if not _end(job, Phase.COMPLETED, rows=rows, result=key):
        _results().delete(key)


def _end(job: QueryJob, phase: Phase, **fields: Any) -> bool:
    """Whether it was still ours to end: it may have been aborted or removed meanwhile."""
    try:
        transition(job, phase, field="phase", ended_at=Now(), **fields)
    except InvalidTransition:
        return False
    return True


def _answer(job: QueryJob) -> tuple[int, str]:
    """Number of rows, and the key of the file."""
    most = settings.TAP_JOB_ROWS if job.max_rows is None else min(job.max_rows, settings.TAP_JOB_ROWS)
    Asked(job.query, job.language).require_adql()
    owner = QueryJob.objects.with_owner().get(pk=job.pk).owner
    asker = Asker.of(owner) if owner is not None and owner.may("read:observations") else Asker()
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        with rows_of_query(translate(job.query), asker, Limits(most, job.max_seconds)) as (columns, rows):
            count = write_answer(job.response_format, columns, rows, most, cast("Any", file))
        file.seek(0)
        key = f"{job.pk}.{job.starts}.{FORMATS[job.response_format][1]}"
        return count, _results().save(key, File(cast("Any", file)))


def _results() -> Any:
    return storages["results"]


def open_result(job: QueryJob) -> Any:
    """The file of the answer."""
    return _results().open(job.result)
