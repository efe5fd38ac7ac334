"""How scientists narrow the list of archived packages."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import Q

from datamgmt.models import RawDataPackage
from observatory.models import Instrument, InstrumentModule
from planning.models import ObservingProgram


def _date() -> Any:
    return forms.DateInput(attrs={"type": "date"})


class PackageFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Program, source, instrument, module, nights, and words."""

    program = django_filters.ModelChoiceFilter(
        label="Program",
        field_name="executed_obs_unit__obs_unit__observing_program",
        queryset=ObservingProgram.objects.all(),
        empty_label="Any",
    )
    source = django_filters.CharFilter(
        label="Source",
        field_name="executed_obs_unit__obs_unit__source__name",
        lookup_expr="icontains",
        widget=forms.TextInput(attrs={"placeholder": "Orion"}),
    )
    instrument = django_filters.ModelChoiceFilter(
        label="Instrument",
        field_name="instrument_module__instrument",
        queryset=Instrument.objects.all(),
        empty_label="Any",
    )
    module = django_filters.ModelChoiceFilter(
        label="Module",
        field_name="instrument_module",
        queryset=InstrumentModule.objects.select_related("instrument"),
        empty_label="Any",
    )
    start = django_filters.DateFilter(
        label="Observed from",
        field_name="executed_obs_unit__start_time",
        lookup_expr="date__gte",
        widget=_date(),
    )
    end = django_filters.DateFilter(
        label="to",
        field_name="executed_obs_unit__start_time",
        lookup_expr="date__lte",
        widget=_date(),
    )
    text = django_filters.CharFilter(
        label="Words",
        method="by_words",
        widget=forms.TextInput(attrs={"placeholder": "package, obs unit"}),
    )

    class Meta:
        model = RawDataPackage
        fields: list[str] = []

    def by_words(self, rows: Any, _name: str, value: str) -> Any:
        """Every word stands in the package's name or in that of its obs unit or source."""
        for word in value.split():
            rows = rows.filter(
                Q(name__icontains=word)
                | Q(executed_obs_unit__obs_unit__name__icontains=word)
                | Q(executed_obs_unit__obs_unit__source__name__icontains=word)
            )
        return rows
