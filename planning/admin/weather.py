"""Portal page of what weather stations measured: read only."""

from __future__ import annotations

from django.contrib import admin

from ccatdc.common.admin.base import ReadOnlyAdmin, fields_of
from ccatdc.common.admin.filters import DaysFilter
from planning.models import WeatherSample
from planning.models.weather import SAMPLE_LIMITS


@admin.register(WeatherSample)
class WeatherSampleAdmin(ReadOnlyAdmin):
    list_display = ["time", "telescope", "station", *SAMPLE_LIMITS]
    list_select_related = ["telescope"]
    list_filter = [("time", DaysFilter), "telescope"]
    list_filter_submit = True
    sortable_by = ["time"]
    search_fields = ["=station"]
    search_help_text = "The name of a station."
    readonly_fields = fields_of(WeatherSample)
