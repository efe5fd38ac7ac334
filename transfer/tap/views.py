"""``/tap/sync`` and what describes the service (VOSI): for everybody, with a token, a log-in or neither."""

from __future__ import annotations

import tempfile
from http import HTTPStatus
from typing import Any, Final, cast

from django.conf import settings
from django.http import FileResponse, HttpResponse
from django.shortcuts import render
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request

from accounts.auth.tokens import may
from ccatdc.common.errors import CcatError, ConflictError, NotFoundError, RequestError
from transfer.observations.cone_search import PublicView
from transfer.observations.exports import VOTABLE_TYPE, votable_error
from transfer.tap.answers import FORMATS, write_answer
from transfer.tap.asked import Asked
from transfer.tap.geometry import SHAPES
from transfer.tap.jobs import MOST_DAYS, USUAL_DAYS
from transfer.tap.running import Asker, Limits, rows_of_query
from transfer.tap.tables import SCHEMAS, TABLES
from transfer.tap.translating import translate

_IN_MEMORY: Final = 1_000_000
_EXAMPLES: Final = (
    ("cone", "What was observed around Orion KL",
     "SELECT TOP 100 obs_id, target_name, t_min, em_min, em_max, access_url FROM ivoa.obscore\n"
     "WHERE CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.809, -5.372, 0.5)) = 1"),
    ("covering", "What covered a place",
     "SELECT obs_publisher_did, s_region FROM ivoa.obscore\n"
     "WHERE CONTAINS(POINT('ICRS', 83.809, -5.372), s_region) = 1"),
    ("weather", "Data at 850 micrometres in good weather",
     "SELECT o.obs_id, o.target_name, v.pwv FROM ivoa.obscore AS o JOIN ccat.observations AS v USING (obs_id)\n"
     "WHERE o.em_min < 0.00085 AND o.em_max > 0.00085 AND v.pwv < 0.6 AND v.quality = 'good' ORDER BY pwv"),
    ("programs", "How much each program has",
     "SELECT program, COUNT(*) AS observations, SUM(data_volume) AS bytes FROM ccat.observations GROUP BY program"),
)  # fmt: skip


class TapView(PublicView):
    """Errors are VOTables, as DALI has it."""

    parser_classes = (FormParser, MultiPartParser)

    def handle_exception(self, exc: Exception) -> Any:
        """Of ours as a VOTable; a log-in that is wrong as everywhere."""
        if not isinstance(exc, CcatError):
            return super().handle_exception(exc)
        response = HttpResponse(votable_error(str(exc)), content_type=VOTABLE_TYPE, status=_status(exc))
        wait = getattr(exc, "retry_after", None)
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE or wait is not None:
            response["Retry-After"] = str(wait or 60)
        return response

    @property
    def address(self) -> str:
        """Of the service."""
        return str(self.request.build_absolute_uri("/tap"))


def _status(error: CcatError) -> int:
    told = getattr(error, "http_status", None)
    if told is not None:
        return int(told)
    for kind, status in (
        (NotFoundError, HTTPStatus.NOT_FOUND),
        (ConflictError, HTTPStatus.CONFLICT),
        (RequestError, HTTPStatus.BAD_REQUEST),
    ):
        if isinstance(error, kind):
            return status
    return HTTPStatus.SERVICE_UNAVAILABLE


def given(request: Request) -> dict[str, str]:
    """The parameters of address and body; names in capitals."""
    values = {**request.query_params.dict(), **(request.data.dict() if hasattr(request.data, "dict") else {})}
    return {name.upper(): value for name, value in values.items() if isinstance(value, str)}


def asker_of(request: Request) -> Asker:
    """What a request may see."""
    return Asker.of(request.user) if may(request, "read:observations") else Asker()


@extend_schema(exclude=True)
class SyncView(TapView):
    """A query, answered at once."""

    def get(self, request: Request) -> Any:
        """The table."""
        return self._answer(request)

    def post(self, request: Request) -> Any:
        """The table; long queries do not fit into an address."""
        return self._answer(request)

    def _answer(self, request: Request) -> Any:
        asked = Asked.of(given(request))
        asked.require_adql()
        most = settings.TAP_ROWS if asked.max_rows is None else min(asked.max_rows, settings.TAP_MAX_ROWS)
        limits = Limits(most, settings.TAP_SECONDS)
        kind, ending, _ = FORMATS[asked.response_format]
        file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the response closes it
        with rows_of_query(translate(asked.query), asker_of(request), limits) as (columns, rows):
            write_answer(asked.response_format, columns, rows, most, cast("Any", file))
        file.seek(0)
        return FileResponse(cast("Any", file), content_type=kind, filename=f"answer.{ending}")


class _Described(TapView):
    """A page that says something about the service."""

    template: str
    content_type = "text/xml; charset=utf-8"

    def about(self) -> dict[str, Any]:
        """What the template needs."""
        return {}

    def get(self, request: Request, **_named: Any) -> Any:
        """The document."""
        about = {"address": self.address, **self.about()}
        return render(request._request, self.template, about, content_type=self.content_type)


@extend_schema(exclude=True)
class CapabilitiesView(_Described):
    template = "tap/capabilities.xml"

    def about(self) -> dict[str, Any]:
        """Limits and functions."""
        geometry = sorted([*SHAPES, "contains", "intersects", "distance", "coord1", "coord2"])
        return {
            "geometry": [name.upper() for name in geometry],
            "formats": FORMATS.items(),
            "usual_seconds": USUAL_DAYS * 86400,
            "most_seconds": MOST_DAYS * 86400,
            "job_seconds": settings.TAP_JOB_SECONDS,
            "rows": settings.TAP_ROWS,
            "max_rows": settings.TAP_JOB_ROWS,
        }


@extend_schema(exclude=True)
class ResourceView(CapabilitiesView):
    """The record for registries of the Virtual Observatory (VOResource)."""

    template = "tap/resource.xml"

    def about(self) -> dict[str, Any]:
        """What the service can do, and who publishes."""
        return {**super().about(), "authority": settings.IVOA_AUTHORITY, "home": settings.PORTAL_URL}


@extend_schema(exclude=True)
class AvailabilityView(_Described):
    template = "tap/availability.xml"


@extend_schema(exclude=True)
class TablesView(_Described):
    template = "tap/tables.xml"

    def about(self) -> dict[str, Any]:
        """All tables; without columns where somebody wants few words."""
        return {"schemas": SCHEMAS, "with_columns": given(self.request).get("DETAIL", "").lower() != "min"}


@extend_schema(exclude=True)
class TableView(_Described):
    template = "tap/table.xml"

    def about(self) -> dict[str, Any]:
        """One table."""
        table = TABLES.get(self.kwargs["name"].lower())
        if table is None:
            raise NotFoundError("There is no such table.")
        return {"table": table, "with_columns": True}


@extend_schema(exclude=True)
class ExamplesView(_Described):
    template = "tap/examples.html"
    content_type = "application/xhtml+xml; charset=utf-8"

    def about(self) -> dict[str, Any]:
        """Queries to begin with."""
        return {"examples": _EXAMPLES}
