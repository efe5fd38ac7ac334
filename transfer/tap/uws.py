"""``/tap/async``: queries as jobs, by the addresses of UWS 1.1."""

from __future__ import annotations

import threading
import time
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import FileResponse, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ccatdc.common.errors import NotFoundError, RequestError
from transfer.models import QueryJob
from transfer.models.queries import OPEN_PHASES, Phase
from transfer.observations.exports import VOTABLE_TYPE, votable_error
from transfer.tap import jobs
from transfer.tap.answers import FORMATS
from transfer.tap.asked import Asked
from transfer.tap.views import TapView, given

#: Of a list.
_MOST_LISTED: Final = 500
#: Seconds that a request waits for a job to go on, at most; and between two looks.
_MOST_WAIT: Final = 10.0
_LOOK: Final = 0.3
_waiters = threading.BoundedSemaphore(settings.MAX_WAITERS)


class _JobsView(TapView):
    """Everything about jobs is about one's own."""

    def job(self) -> QueryJob:
        """Raises NotFoundError for one that there is not, or that is somebody else's."""
        found = QueryJob.objects.of(self.request.user).filter(pk=self.kwargs["pk"]).first()
        if found is None:
            raise NotFoundError("There is no such job.")
        return found

    def back_to(self, job: QueryJob | None = None) -> HttpResponse:
        """303: look there."""
        where = f"{self.address}/async" + (f"/{job.pk}" if job is not None else "")
        response = HttpResponseRedirect(where)
        response.status_code = 303
        return response


@extend_schema(exclude=True)
class JobsView(_JobsView):
    """The list, and new ones."""

    def get(self, request: Request) -> Any:
        """One's own, the newest first; nobody lists the jobs of those without an account."""
        rows = QueryJob.objects.none()
        if request.user.is_authenticated:
            rows = QueryJob.objects.of(request.user).order_by("-created_at")
        asked = given(request)
        phases = [*request.query_params.getlist("PHASE"), *request.query_params.getlist("phase")]
        if phases:
            rows = rows.filter(phase__in=phases)
        if after := asked.get("AFTER"):
            rows = rows.filter(created_at__gt=_moment(after))
        last = asked.get("LAST", "")
        most = min(int(last), _MOST_LISTED) if last.isascii() and last.isdigit() and len(last) < 9 else _MOST_LISTED
        about = {"jobs": rows[:most], "address": self.address}
        return render(request._request, "tap/jobs.xml", about, content_type="text/xml; charset=utf-8")

    def post(self, request: Request) -> Any:
        """Made, and started where PHASE is RUN."""
        asked = given(request)
        job = jobs.make_job(request.user, Asked.of(asked))
        if asked.get("PHASE", "").upper() == "RUN":
            jobs.start(job)
        return self.back_to(job)


@extend_schema(exclude=True)
class JobView(_JobsView):
    """One job."""

    def get(self, request: Request, pk: UUID) -> Any:  # noqa: ARG002
        """All of it, after a while where WAIT is given and it has not gone on."""
        job = self.job()
        _wait(job, given(request))
        about = {"job": job, "address": self.address, "format": FORMATS[job.response_format][0]}
        return render(request._request, "tap/job.xml", about, content_type="text/xml; charset=utf-8")

    def post(self, request: Request, pk: UUID) -> Any:  # noqa: ARG002
        """Removed where ACTION is DELETE; else parameters."""
        job, asked = self.job(), given(request)
        if asked.get("ACTION", "").upper() == "DELETE":
            jobs.remove(job)
            return self.back_to()
        jobs.change(job, asked)
        return self.back_to(job)

    def delete(self, request: Request, pk: UUID) -> Any:  # noqa: ARG002
        """Removed, with its result."""
        jobs.remove(self.job())
        return self.back_to()


@extend_schema(exclude=True)
class JobPartView(_JobsView):
    """One property of a job as text, which some may set."""

    def get(self, request: Request, pk: UUID, part: str) -> Any:  # noqa: ARG002
        """The text; parameters, results and error are documents."""
        job = self.job()
        if part in ("parameters", "results"):
            about = {"job": job, "address": self.address, "format": FORMATS[job.response_format][0]}
            return render(request._request, f"tap/{part}.xml", about, content_type="text/xml; charset=utf-8")
        if part == "error":
            if not job.error:
                raise NotFoundError("The job has no error.")
            return HttpResponse(votable_error(job.error), content_type=VOTABLE_TYPE)
        texts = {
            "phase": job.phase,
            "executionduration": str(job.max_seconds),
            "destruction": f"{job.destroyed_at:%Y-%m-%dT%H:%M:%SZ}",
            "quote": "",
            "owner": str(job.owner or ""),
        }
        return HttpResponse(texts[part], content_type="text/plain; charset=utf-8")

    def post(self, request: Request, pk: UUID, part: str) -> Any:  # noqa: ARG002
        """Started, aborted, limited, or with other parameters."""
        job, asked = self.job(), given(request)
        if part == "phase":
            _steer(job, asked.get("PHASE", "").upper())
        elif part == "executionduration":
            jobs.limit_time(job, asked.get("EXECUTIONDURATION", ""))
        elif part == "destruction":
            jobs.limit_life(job, asked.get("DESTRUCTION", ""))
        elif part == "parameters":
            jobs.change(job, asked)
        else:
            raise RequestError("This cannot be set.")
        return self.back_to(job)


@extend_schema(exclude=True)
class ResultView(_JobsView):
    """The table."""

    def get(self, request: Request, pk: UUID) -> Any:  # noqa: ARG002
        """As it was written."""
        job = self.job()
        if not job.result:
            raise NotFoundError("The job has no result.")
        kind, ending, _ = FORMATS[job.response_format]
        return FileResponse(jobs.open_result(job), content_type=kind, filename=f"{job.pk}.{ending}")


def _steer(job: QueryJob, phase: str) -> None:
    if phase == "RUN":
        jobs.start(job)
    elif phase == "ABORT":
        jobs.abort(job)
    else:
        raise RequestError("PHASE is RUN or ABORT.")


def _wait(job: QueryJob, asked: dict[str, str]) -> None:
    """Until the phase is another one. As many wait as may, the others look at once."""
    text = asked.get("WAIT", "")
    if job.phase not in OPEN_PHASES or asked.get("PHASE", job.phase) != job.phase or not text:
        return
    seconds = min(float(text), _MOST_WAIT) if text.isascii() and text.isdigit() and len(text) < 9 else _MOST_WAIT
    if text == "0" or job.phase == Phase.PENDING or not _waiters.acquire(blocking=False):
        return
    try:
        ends_at, before = time.monotonic() + seconds, job.phase
        while job.phase == before and time.monotonic() < ends_at:
            time.sleep(_LOOK)
            job.refresh_from_db()
    except QueryJob.DoesNotExist as error:
        raise NotFoundError("There is no such job any more.") from error
    finally:
        _waiters.release()


def _moment(text: str) -> Any:
    try:
        found = parse_datetime(text[:40])
    except ValueError:
        found = None
    if found is None:
        raise RequestError("AFTER is a moment: 2026-05-01T22:00:00Z.")
    return found if timezone.is_aware(found) else timezone.make_aware(found)
