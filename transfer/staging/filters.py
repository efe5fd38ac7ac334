"""How scientists narrow the list of archived packages."""

from __future__ import annotations

import datetime as dt
from typing import Any

import django_filters
from django import forms
from django.db.models import Q
from django.http import HttpRequest

from ccatdc.common.visibility import visible
from datamgmt.models import RawDataPackage
from observatory.models import Instrument, InstrumentModule
from planning.models import ObservingProgram, ObsUnit
from planning.models.executions import obs_units_and_time

BY_OBSERVATION = ("program", "source", "start", "end")


def _date() -> Any:
    return forms.DateInput(attrs={"type": "date"})


def _programs(request: HttpRequest) -> Any:
    """Those that the person may see."""
    return visible(ObservingProgram.objects.all(), request.user)


class PackageFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Program, source, instrument, module, nights, and words."""

    program = django_filters.ModelChoiceFilter(
        label="Program", method="by_program", queryset=_programs, empty_label="Any"
    )
    source = django_filters.CharFilter(
        label="Source", method="by_source", max_length=100, widget=forms.TextInput(attrs={"placeholder": "Orion"})
    )
    instrument = django_filters.ModelChoiceFilter(
        label="Instrument", method="by_instrument", queryset=Instrument.objects.all(), empty_label="Any"
    )
    module = django_filters.ModelChoiceFilter(
        label="Module",
        field_name="instrument_module",
        queryset=InstrumentModule.objects.select_related("instrument"),
        empty_label="Any",
    )
    start = django_filters.DateFilter(label="Observed from", method="since", widget=_date())
    end = django_filters.DateFilter(label="to", method="until", widget=_date())
    text = django_filters.CharFilter(
        label="Words",
        method="by_words",
        max_length=100,
        widget=forms.TextInput(attrs={"placeholder": "package, obs unit"}),
    )

    class Meta:
        model = RawDataPackage
        fields: list[str] = []

    def since(self, rows: Any, _name: str, day: dt.date) -> Any:
        """From its first moment, UTC."""
        begin = dt.datetime.combine(day, dt.time.min, dt.UTC)
        return rows.filter(executed_obs_unit__start_time__gte=begin)

    def until(self, rows: Any, _name: str, day: dt.date) -> Any:
        """To its last microsecond."""
        end = dt.datetime.combine(day, dt.time.max, dt.UTC)
        return rows.filter(executed_obs_unit__start_time__lte=end)

    @property
    def by_observation(self) -> bool:
        """Whether the list is narrowed by what was observed or when: its order is then that of the observations, since
        what matches may lie anywhere in the order of archiving.
        """
        given = self.form.cleaned_data if self.form.is_valid() else {}
        return self._names_units or any(given.get(name) for name in BY_OBSERVATION)

    _names_units = False

    def by_program(self, rows: Any, _name: str, value: ObservingProgram) -> Any:
        return _of_obs_units(rows, ObsUnit.objects.filter(observing_program=value))

    def by_instrument(self, rows: Any, _name: str, value: Instrument) -> Any:
        """Of its modules, by their keys: the planner knows how much each module has, or nothing."""
        return rows.filter(instrument_module__in=list(value.modules.values_list("pk", flat=True)))

    def by_source(self, rows: Any, _name: str, value: str) -> Any:
        """Of the sources with this in their name."""
        return _of_obs_units(rows, ObsUnit.objects.filter(source__name__icontains=value))

    def by_words(self, rows: Any, _name: str, value: str) -> Any:
        """Every word stands in the package's name or in that of its obs unit or source.

        Where it stands in one of them only, only that is asked for: for each there is an index, for both there is none.
        """
        for word in value.split():
            in_name = Q(name__icontains=word)
            units = ObsUnit.objects.filter(Q(name__icontains=word) | Q(source__name__icontains=word))
            if not units.exists():
                rows = rows.filter(in_name)
            elif RawDataPackage.objects.filter(in_name).exists():
                rows = rows.filter(in_name | Q(executed_obs_unit__obs_unit__in=units))
            else:
                self._names_units = True
                rows = _of_obs_units(rows, units)
        return rows


def _of_obs_units(rows: Any, units: Any) -> Any:
    return rows.filter(obs_units_and_time(units, "executed_obs_unit__"))
