"""For clients of the Virtual Observatory: VOTables of observations, with a token, a log-in or neither.

``/vo/scs?RA=…&DEC=…&SR=…`` is an IVOA Simple Cone Search 1.03; ``/vo/observations`` takes what the search page takes.
Everybody gets what is public. A token (``Authorization: Bearer``) or a log-in adds what its owner may see. Answers are
VOTables also where the question was wrong, with status 200, as the recommendation says (section 2.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.auth.guessing import AnonymousOfAddress
from accounts.auth.tokens import may
from ccatdc.common.errors import RequestError
from ccatdc.common.visibility import visible
from planning.models import ExecutedObsUnit, ObsUnit
from planning.models.executions import obs_units_and_time
from planning.models.visibility import public
from planning.sky.places import Place
from transfer.observations.exports import (
    CONE_SEARCH_UCDS,
    MAX_ROWS,
    VOTABLE_TYPE,
    json_parts,
    votable_error,
    votable_parts,
)
from transfer.observations.filters import MAX_RADIUS_DEG, ObservationFilter, around
from transfer.observations.lines import lines

_LIMITS: Final = {"RA": (0.0, 360.0), "DEC": (-90.0, 90.0), "SR": (0.0, MAX_RADIUS_DEG)}
#: Characters of a number.
_LONGEST: Final = 40


class Question(NamedTuple):
    """A cone in degrees (ICRS), and how many rows at most."""

    place: Place
    radius_deg: float
    most: int


class PublicView(APIView):
    """For everybody: without a log-in or token an address asks so often and no more."""

    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """TooManyRequestsError for the next one."""
        super().initial(request, *args, **kwargs)
        if not request.user.is_authenticated:
            AnonymousOfAddress().count(request._request)


@extend_schema(exclude=True)
class ConeSearchView(PublicView):
    """Observations of sources around a place, the newest first."""

    def get(self, request: Request) -> Any:
        """The table, or what is wrong with the question."""
        try:
            asked = question(request.query_params.dict())
        except RequestError as error:
            return _refused(str(error))
        # A radius of 0 asks for the columns only (section 2.1).
        sources = around(asked.place, asked.radius_deg) if asked.radius_deg else []
        units = ObsUnit.objects.filter(source__in=sources)
        return _table(_seen_by(request).filter(obs_units_and_time(units)), asked.most, CONE_SEARCH_UCDS)


@extend_schema(exclude=True)
class ObservationsView(PublicView):
    """What the search page finds, for programs: the same parameters, and of DALI ``MAXREC`` and ``RESPONSEFORMAT``
    (``json``; else a VOTable).
    """

    def get(self, request: Request) -> Any:
        """The table, or what is wrong with the question."""
        given = {name.upper(): value for name, value in request.query_params.dict().items()}
        wants_json = given.get("RESPONSEFORMAT") == "json"
        asked = ObservationFilter(request.query_params, queryset=_seen_by(request), request=request)
        try:
            _require_clear(asked)
            most = _most(given)
        except RequestError as error:
            if wants_json:
                raise  # a program of ours wants our own problem document
            return _refused(str(error))
        if wants_json:
            return StreamingHttpResponse(json_parts(lines(asked.qs[: most + 1]), most), content_type="application/json")
        return _table(asked.qs, most)


def _require_clear(asked: ObservationFilter) -> None:
    """RequestError with what is wrong about each parameter."""
    if not asked.form.is_valid():
        wrong = (f"{name}: {' '.join(map(str, errors))}" for name, errors in asked.form.errors.items())
        raise RequestError(" ".join(wrong))


def question(query: Mapping[str, str]) -> Question:
    """The parameters, in whatever case. Raises RequestError for what is missing or out of range."""
    given = {name.upper(): value for name, value in query.items()}
    ra, dec, radius = (_number(name, given) for name in ("RA", "DEC", "SR"))
    return Question(Place(ra % 360, dec), radius, _most(given))


def _number(name: str, given: Mapping[str, str]) -> float:
    low, high = _LIMITS[name]
    text = given.get(name, "")
    try:
        value = float(text) if len(text) <= _LONGEST else math.nan
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise RequestError(f"{name} is a number of degrees from {low:g} to {high:g}.")
    return value


def _most(given: Mapping[str, str]) -> int:
    """MAXREC of DALI: never more than our own limit."""
    text = given.get("MAXREC", str(MAX_ROWS))
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST):
        raise RequestError("MAXREC is a number of rows.")
    return min(int(text), MAX_ROWS)


def _seen_by(request: Request) -> Any:
    """What is public; for who may read observations, what they may see."""
    rows = ExecutedObsUnit.objects.for_listing().order_by("-start_time", "-pk")
    return visible(rows, request.user) if may(request, "read:observations") else rows.filter(public())


def _table(rows: Any, most: int, ucds: Mapping[str, str] | None = None) -> StreamingHttpResponse:
    return StreamingHttpResponse(votable_parts(lines(rows[: most + 1]), most, ucds), content_type=VOTABLE_TYPE)


def _refused(why: str) -> HttpResponse:
    return HttpResponse(votable_error(why), content_type=VOTABLE_TYPE)
