"""What lists of programs, obs units and sources, and of how they are observed, can be narrowed by."""

from __future__ import annotations

from typing import Any

import django_filters
from rest_framework.exceptions import ValidationError

from ccatdc.common.api.filters import FlagFilter, IdFilter, MomentFilter, OneOfFilter, RowFilter
from planning.models import FixedSource, ObsUnit, ObsUnitState, SlotStatus
from planning.models.configurations import ObservationConfigurationType
from planning.models.obs_units import ObsModeCategory
from planning.models.sources import SourceType


class ProgramFilter(RowFilter):
    """Programs by name, instrument, and whether they go on."""

    short_name = django_filters.CharFilter("short_name")
    instrument = django_filters.CharFilter("instruments__short_name")
    is_technical = FlagFilter("is_technical")
    active = FlagFilter("active")


class SubProgramFilter(RowFilter):
    """Sub-programs by program, name, and whether they go on."""

    program = django_filters.CharFilter("observing_program__short_name")
    short_name = django_filters.CharFilter("short_name")
    active = FlagFilter("active")


class ObsUnitFilter(RowFilter):
    """Obs units by what they belong to, what they need, and their state."""

    program = django_filters.CharFilter("observing_program__short_name")
    sub_program = django_filters.CharFilter("sub_observing_program__short_name")
    name = django_filters.CharFilter("name")
    source = django_filters.CharFilter("source__name")
    obs_mode = django_filters.CharFilter("obs_mode__name")
    instrument = django_filters.CharFilter("obs_mode__instrument__short_name")
    telescope = django_filters.CharFilter("telescope__short_name")
    obs_unit_type = OneOfFilter(choices=ObsUnit._meta.get_field("obs_unit_type").choices)
    state = OneOfFilter(choices=ObsUnitState.choices)
    instrument_module_configuration = IdFilter("instrument_module_configurations")


class ObsModeFilter(RowFilter):
    """Modes by name, instrument and category."""

    name = django_filters.CharFilter("name")
    instrument = django_filters.CharFilter("instrument__short_name")
    category = OneOfFilter(choices=ObsModeCategory.choices)


class CadenceFilter(RowFilter):
    """Cadences by instrument, module, mode, and whether they are in use."""

    instrument = django_filters.CharFilter("instrument_module__instrument__short_name")
    module = django_filters.CharFilter("instrument_module__short_name")
    obs_mode = django_filters.CharFilter("obs_mode__name")
    active = FlagFilter("active")


class SourceFilter(RowFilter):
    """Sources by name, kind and place."""

    name = django_filters.CharFilter("name", lookup_expr="icontains")
    type = OneOfFilter(choices=SourceType.choices)
    source_class = django_filters.CharFilter("source_class")
    cone = django_filters.CharFilter(
        method="in_cone", label="Fixed sources around a place: ra,dec,radius in degrees, ICRS."
    )

    def in_cone(self, rows: Any, _name: str, value: str) -> Any:
        return rows.filter(pk__in=FixedSource.objects.within(*_cone(value)).order_by().values("pk"))


def _cone(text: str) -> tuple[float, float, float]:
    """``ra,dec,radius`` in degrees."""
    try:
        ra, dec, radius = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ValidationError({"cone": "Write three numbers: ra,dec,radius in degrees."}) from error
    if not (0 <= ra < 360 and -90 <= dec <= 90 and 0 < radius <= 180):
        raise ValidationError({"cone": "RA is from 0 to 360, Dec from -90 to 90, the radius up to 180 degrees."})
    return ra, dec, radius


class AzimuthRangeFilter(RowFilter):
    """Lines of azimuth tables by field."""

    source = IdFilter("source")


class ConfigurationFilter(RowFilter):
    """Configurations by obs unit, program and kind."""

    obs_unit = IdFilter("obs_unit")
    program = django_filters.CharFilter("obs_unit__observing_program__short_name")
    type = OneOfFilter(choices=ObservationConfigurationType.choices)


class InparParameterFilter(RowFilter):
    chai_observation_configuration = IdFilter("chai_observation_configuration")
    name = django_filters.CharFilter("name")


class ChaiTilingFilter(RowFilter):
    """Tiles by the name of their map, source and obs unit."""

    name = django_filters.CharFilter("name")
    source = django_filters.CharFilter("source__name")
    obs_unit = IdFilter("obs_unit")


class SlotFilter(RowFilter):
    """Slots by telescope, obs unit, program, status, and the time that they reach into."""

    telescope = django_filters.CharFilter("telescope__short_name")
    obs_unit = IdFilter("obs_unit")
    program = django_filters.CharFilter("obs_unit__observing_program__short_name")
    status = OneOfFilter(choices=SlotStatus.choices)
    ends_after = MomentFilter("end_time", lookup_expr="gt")
    starts_before = MomentFilter("start_time", lookup_expr="lt")
