"""What the scheduler needs: which obs units can be observed, which calibrations are due, and saying what is available
and what is not.

Setting is for all that a call names or for nothing, and the same call again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import django_filters
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.functional import cached_property
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.auth.tokens import user_of
from accounts.models import ApiToken
from ccatdc.common.api.filters import RowFilter
from ccatdc.common.api.parsers import MomentField
from ccatdc.common.api.views import StrictListView
from ccatdc.common.bulk_actions import Outcome
from ccatdc.common.errors import ConflictError, NotAllowedError
from ccatdc.common.visibility import visible
from observatory.availability import set_instruments_availability, set_modules_availability
from observatory.models import Instrument, InstrumentModule
from planning.api import rows
from planning.api import scheduler_serializers as bodies
from planning.api.views import OF_OBS_UNIT
from planning.models import CalibrationCadence, ObsUnit, ObsUnitState
from planning.scheduling import candidates
from planning.scheduling.availability import set_obs_units_availability
from planning.scheduling.calibrations import calibrations

SCHEDULE = "write:schedule"
Rows = QuerySet[Any]


class AvailableObsUnitFilter(RowFilter):
    """Available units by what they belong to, and by the weather."""

    program = django_filters.CharFilter("observing_program__short_name")
    sub_program = django_filters.CharFilter("sub_observing_program__short_name")
    source = django_filters.CharFilter("source__name")
    instrument = django_filters.CharFilter("obs_mode__instrument__short_name")
    telescope = django_filters.CharFilter("telescope__short_name")
    pwv_mm = django_filters.NumberFilter(
        method="in_weather", help_text="That may be observed through so much water vapour."
    )

    def in_weather(self, units: QuerySet[Any], _name: str, pwv_mm: Any) -> QuerySet[Any]:
        """Those whose limit is not exceeded, or that have none."""
        return units.filter(Q(max_pwv_mm__isnull=True) | Q(max_pwv_mm__gte=pwv_mm))


@extend_schema_view(
    get=extend_schema(
        operation_id="list_available_obs_units",
        responses={200: bodies.AvailableObsUnitsSerializer},
        parameters=[
            OpenApiParameter("at", OpenApiTypes.DATETIME, description="Only what can be observed at this moment.")
        ],
    )
)
class AvailableObsUnitsView(StrictListView[ObsUnit]):
    """Obs units that can be observed, the most urgent first, and which calibrations are due (of the instrument and
    telescope that are asked for).
    """

    needs = {"GET": "read:observations"}
    queryset = rows.obs_units()
    serializer_class = bodies.AvailableObsUnitSerializer
    filterset_class = AvailableObsUnitFilter
    parameters = ("at",)
    orders = ("priority",)
    expands = OF_OBS_UNIT
    sights: Mapping[int, candidates.Sight] = MappingProxyType({})

    @cached_property
    def at(self) -> datetime | None:
        """The moment that was asked for."""
        text = self.request.query_params.get("at")
        if text is None:
            return None
        try:
            moment: datetime = MomentField().run_validation(text)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({"at": error.detail}) from error
        return moment

    def filter_queryset(self, queryset: Any) -> Any:
        """Those that are available, and in sight where a time is given."""
        asked_for = super().filter_queryset(queryset)
        units = candidates.available(asked_for, self.at or timezone.now())
        if self.at is None:
            return units
        self.sights = candidates.in_sight(units, self.at)
        return units.filter(pk__in=self.sights)

    def get_paginated_response(self, data: Any) -> Response:
        """With the calibrations, on every page."""
        answer = super().get_paginated_response(data)
        found = calibrations(self._cadences(), self.at or timezone.now())
        answer.data["calibrations"] = bodies.CalibrationSerializer(found, many=True).data
        return answer

    def _cadences(self) -> QuerySet[CalibrationCadence]:
        """Those of the instrument and telescope that were asked for. When something was done tells of all programs: none
        for who sees some only.
        """
        query = self.request.query_params
        names = {"instrument": "instrument_module__instrument", "telescope": "instrument_module__instrument__telescope"}
        asked = {f"{path}__short_name": query[name] for name, path in names.items() if name in query}
        return visible(CalibrationCadence.objects.filter(**asked), self.request.user)

    def get_serializer_context(self) -> dict[str, Any]:
        """The serializer is told where the sources stand."""
        return {**super().get_serializer_context(), "sights": self.sights}


class _SetView(APIView):
    """Sets the availability of what a body names."""

    needs = {"PUT": SCHEDULE}


class SetObsUnitsView(_SetView):
    """Obs units."""

    @extend_schema(
        operation_id="set_obs_units_availability",
        request=bodies.UnitsAvailabilitySerializer,
        responses={200: bodies.SetSerializer},
    )
    def put(self, request: Request) -> Response:
        """Make active, or put on hold, with the reason. 409 for a unit that is neither: a draft, or one that is over."""
        body = bodies.UnitsAvailabilitySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        data: dict[str, Any] = body.validated_data
        state = ObsUnitState.ACTIVE if data["available"] else ObsUnitState.ON_HOLD
        with transaction.atomic():
            seen = visible(ObsUnit.objects.all(), request.user)
            units = _named(seen, "obs_units", data["obs_units"])
            _require_own(request, units.values_list("pk", "obs_mode__instrument"))
            _require_schedulable(units)
            done = set_obs_units_availability(units, state, user_of(request), data["reason"])
        return _shown(data, done)


class SetInstrumentsView(_SetView):
    """Instruments."""

    @extend_schema(
        operation_id="set_instruments_availability",
        request=bodies.InstrumentsAvailabilitySerializer,
        responses={200: bodies.SetSerializer},
    )
    def put(self, request: Request) -> Response:
        """Say that instruments can be used, or not, with the reason."""
        body = bodies.InstrumentsAvailabilitySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        data: dict[str, Any] = body.validated_data
        with transaction.atomic():
            instruments = Instrument.objects.all()
            found = _named(instruments, "instruments", data["instruments"], "short_name")
            _require_own(request, found.values_list("pk", "pk"))
            done = set_instruments_availability(found, data["available"], user_of(request), data["reason"])
        return _shown(data, done)


class SetModulesView(_SetView):
    """Modules."""

    @extend_schema(
        operation_id="set_modules_availability",
        request=bodies.ModulesAvailabilitySerializer,
        responses={200: bodies.SetSerializer},
    )
    def put(self, request: Request) -> Response:
        """Say that modules can be used, or not, with the reason."""
        body = bodies.ModulesAvailabilitySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        data: dict[str, Any] = body.validated_data
        with transaction.atomic():
            modules = InstrumentModule.objects.all()
            found = _named(modules, "instrument_modules", data["instrument_modules"])
            _require_own(request, found.values_list("pk", "instrument"))
            done = set_modules_availability(found, data["available"], user_of(request), data["reason"])
        return _shown(data, done)


def _named(rows_: Rows, field: str, keys: Sequence[Any], column: str = "pk") -> Rows:
    """The rows with these keys, locked; ValidationError that lists those that there are not."""
    locked = rows_.filter(**{f"{column}__in": set(keys)}).order_by("pk").select_for_update(of=("self",))
    found = {getattr(row, column): row.pk for row in locked}
    missing = {
        str(index): [serializers.ErrorDetail(f"There is no {key!r}.", code="does_not_exist")]
        for index, key in enumerate(keys)
        if key not in found
    }
    if missing:
        raise serializers.ValidationError({field: missing})
    named: Rows = rows_.model._default_manager.filter(pk__in=list(found.values()))
    return named


def _require_own(request: Request, instruments: Any) -> None:
    """A token that is bound to an instrument speaks for that instrument only."""
    token = request.auth
    if not isinstance(token, ApiToken) or token.instrument_id is None:
        return
    own = (None, token.instrument_id)
    foreign = [key for key, instrument in instruments if instrument not in own]
    if foreign:
        raise NotAllowedError(
            f"{len(foreign)} of the rows are of another instrument.",
            code="token.other_instrument",
            remedy=f"This token is bound to {token.instrument}.",
        )


def _require_schedulable(units: Rows) -> None:
    """A draft is not ready, and what is over stays over: neither is available or not."""
    others = units.exclude(state__in=(ObsUnitState.ACTIVE, ObsUnitState.ON_HOLD))
    found = [
        f"{unit} ({ObsUnitState(unit.state).label.lower()})"
        for unit in others.select_related("observing_program").order_by("pk")[:100]
    ]
    if found:
        raise ConflictError(
            f"Neither active nor on hold: {', '.join(found)}.",
            code="availability.not_schedulable",
            remedy="Nothing was changed. An operator changes such a unit in the portal.",
        )


def _shown(data: dict[str, Any], done: Outcome) -> Response:
    body = {"available": data["available"], "changed": len(done.changed), "unchanged": len(done.kept)}
    return Response(bodies.SetSerializer(body).data)
