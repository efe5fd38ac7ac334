"""What lists of the hierarchy, module configurations and lines can be narrowed by."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import django_filters

from ccatdc.common.api.filters import FlagFilter, OneOfFilter, RowFilter
from observatory.models import InstrumentType, ModuleConfigurationType


class ObservatoryFilter(RowFilter):
    name = django_filters.CharFilter("name", lookup_expr="icontains")


class TelescopeFilter(RowFilter):
    observatory = django_filters.CharFilter("observatory__short_name")


class InstrumentFilter(RowFilter):
    """Instruments by telescope, type, and whether they can be used."""

    telescope = django_filters.CharFilter("telescope__short_name")
    instrument_type = OneOfFilter(choices=InstrumentType.choices)
    available = FlagFilter("available")


class InstrumentModuleFilter(RowFilter):
    """Modules by instrument, name, frequency (GHz), and whether they can be used."""

    instrument = django_filters.CharFilter("instrument__short_name")
    short_name = django_filters.CharFilter("short_name")
    available = FlagFilter("available")
    reaches_ghz = django_filters.NumberFilter(method="reaching", help_text="Its range holds this frequency.")

    def reaching(self, rows: Any, _name: str, ghz: Decimal) -> Any:
        """Those whose range holds the frequency."""
        return rows.filter(freq_min_ghz__lte=ghz, freq_max_ghz__gte=ghz)


class DataStreamFilter(RowFilter):
    """Data streams by instrument, module, name, and whether they are in use."""

    instrument = django_filters.CharFilter("instrument_module__instrument__short_name")
    module = django_filters.CharFilter("instrument_module__short_name")
    name = django_filters.CharFilter("name")
    active = FlagFilter("active")


class LineFilter(RowFilter):
    """Lines by name, species, module and frequency (GHz)."""

    name = django_filters.CharFilter("name", lookup_expr="icontains")
    species = django_filters.CharFilter("species")
    module = django_filters.CharFilter("instrument_modules__short_name", distinct=True)
    min_ghz = django_filters.NumberFilter("rest_frequency_ghz", lookup_expr="gte")
    max_ghz = django_filters.NumberFilter("rest_frequency_ghz", lookup_expr="lte")


class ModuleConfigurationFilter(RowFilter):
    """Module configurations by instrument, module, kind, name, and whether they are in use."""

    instrument = django_filters.CharFilter("instrument_module__instrument__short_name")
    module = django_filters.CharFilter("instrument_module__short_name")
    name = django_filters.CharFilter("name")
    type = OneOfFilter(choices=ModuleConfigurationType.choices)
    active = FlagFilter("active")
