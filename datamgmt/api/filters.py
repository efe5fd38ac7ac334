"""What lists of packages and executions can be narrowed by."""

from __future__ import annotations

import datetime as dt
from typing import Any

import django_filters
from django.db.models import QuerySet

from ccatdc.common.states import Status
from datamgmt.models import RawDataPackage
from datamgmt.states import PackageState
from planning.models import ExecutedObsUnit, ExecutionStatus


class _ByDay(django_filters.FilterSet):  # type: ignore[misc]
    """By the day (UTC) on which the observation began."""

    start_path = "start_time"

    date = django_filters.DateFilter(method="on", help_text="Began on this day, UTC.")
    date_from = django_filters.DateFilter(method="since", help_text="Began on this day or later.")
    date_to = django_filters.DateFilter(method="until", help_text="Began on this day or earlier.")

    def on(self, rows: QuerySet[Any], _name: str, day: dt.date) -> QuerySet[Any]:
        """On one day."""
        return self.until(self.since(rows, _name, day), _name, day)

    def since(self, rows: QuerySet[Any], _name: str, day: dt.date) -> QuerySet[Any]:
        """From its first moment."""
        return rows.filter(
            **{f"{self.start_path}__gte": dt.datetime.combine(day, dt.time.min, dt.UTC)}
        )

    def until(self, rows: QuerySet[Any], _name: str, day: dt.date) -> QuerySet[Any]:
        """To its last microsecond."""
        return rows.filter(
            **{f"{self.start_path}__lte": dt.datetime.combine(day, dt.time.max, dt.UTC)}
        )


class PackageFilter(_ByDay):
    """Packages by what they hold and where they are in their life."""

    start_path = "executed_obs_unit__start_time"

    state = django_filters.ChoiceFilter(choices=PackageState.choices)
    status = django_filters.ChoiceFilter(choices=Status.choices)
    execution = django_filters.UUIDFilter("executed_obs_unit")
    program = django_filters.CharFilter(
        "executed_obs_unit__obs_unit__observing_program__short_name"
    )
    source = django_filters.CharFilter("executed_obs_unit__obs_unit__source__name")
    instrument = django_filters.CharFilter("instrument_module__instrument__short_name")
    module = django_filters.CharFilter("instrument_module__short_name")
    late = django_filters.BooleanFilter("is_late")

    class Meta:
        model = RawDataPackage
        fields: list[str] = []


class ExecutionFilter(_ByDay):
    """Executions by plan, time and outcome."""

    status = django_filters.ChoiceFilter(choices=ExecutionStatus.choices)
    obs_unit = django_filters.NumberFilter("obs_unit")
    program = django_filters.CharFilter("obs_unit__observing_program__short_name")
    source = django_filters.CharFilter("obs_unit__source__name")

    class Meta:
        model = ExecutedObsUnit
        fields: list[str] = []
