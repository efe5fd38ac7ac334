"""Portal pages of what was observed: read, and followed to its files and packages."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from accounts.people import person_of
from ccatdc.common.admin.actions import Given, bulk_action
from ccatdc.common.admin.badges import link_to_list
from ccatdc.common.admin.base import SEARCH_LENGTH, ReadOnlyAdmin, fields_of, state_column
from ccatdc.common.admin.filters import DaysFilter
from ccatdc.common.bulk_actions import Outcome
from ccatdc.common.models import key_begins
from ccatdc.common.units import NOTHING, duration_text
from planning.models import EXECUTION_COLOURS, ExecutedObsUnit, ExecutionStatus, ObservingProgram, ObsUnit
from planning.scheduling.closing import close_executions
from transfer.observations.story import story_of


class RunsSuspiciouslyLong(admin.SimpleListFilter):
    """Which executions never ended, as far as we know?"""

    title = "runs suspiciously long"
    parameter_name = "overdue"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes")]

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        return rows.overdue() if self.value() == "yes" else rows


class OfProgram(admin.SimpleListFilter):
    title = "program"
    parameter_name = "program"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(str(row.pk), str(row)) for row in ObservingProgram.objects.all()]

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        value = self.value()
        if not (value and value.isdigit()):
            return rows
        return rows.of_obs_units(ObsUnit.objects.filter(observing_program_id=int(value)))


@admin.register(ExecutedObsUnit)
class ExecutedObsUnitAdmin(ReadOnlyAdmin):
    status_shown = state_column("status", EXECUTION_COLOURS)
    list_display = [
        "start_time",
        "obs_unit",
        "source_name",
        "status_shown",
        "lasted",
        "quality",
        "files_link",
        "packages_link",
    ]
    list_select_related = ["obs_unit__observing_program", "obs_unit__source"]
    actions = ["close_selected"]
    list_filter = [("start_time", DaysFilter), "status", RunsSuspiciouslyLong, "quality", OfProgram]
    list_filter_submit = True
    sortable_by = ["start_time"]
    # What is searched is said in get_search_results; the box appears when this is not empty.
    search_fields = ["id"]
    search_help_text = "The id of an execution (eight digits), or part of the name of its obs unit or source."
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "id",
                    "obs_unit",
                    "source_name",
                    "status_shown",
                    "start_time",
                    "end_time",
                    "finished_at",
                    "lasted",
                    "files_link",
                    "packages_link",
                    "streams_link",
                ]
            },
        ),
        ("Judgement", {"fields": ["quality", "quality_comment", "operator"]}),
        (
            "Conditions",
            {
                "fields": [
                    "pwv_mm_mean",
                    "tau_225",
                    "humidity",
                    "temperature_c",
                    "wind_m_s",
                    "wind_gust_m_s",
                    "wind_direction_deg",
                    "pressure_hpa",
                    "elevation_deg_mean",
                    "azimuth_deg_mean",
                    "weather_shown",
                ]
            },
        ),
        ("Record", {"fields": ["parameters", "reported_by_token", "created_at", "updated_at"]}),
    ]
    readonly_fields = [
        *fields_of(ExecutedObsUnit),
        "status_shown",
        "source_name",
        "lasted",
        "files_link",
        "packages_link",
        "streams_link",
        "weather_shown",
    ]

    def head(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Its data in a sentence, its files and packages, and what happened when."""
        story = story_of(obj, request.user)
        return {"portal_notes": [("info", story.sentence)], "portal_execution": story}

    def get_queryset(self, request: HttpRequest) -> Any:
        """With what its name is made of, on every page."""
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By id, or by the plan, which is looked through first: it has few rows."""
        term = search_term.strip()[:SEARCH_LENGTH]
        if not term:
            return queryset, False
        by_key = queryset.filter(key_begins(term))
        if by_key.exists():
            return by_key, False
        units = ObsUnit.objects.filter(Q(name__icontains=term) | Q(source__name__icontains=term))
        return queryset.of_obs_units(units), False

    @admin.display(description="Weather")
    def weather_shown(self, execution: ExecutedObsUnit) -> SafeString | str:
        """Mean, and least and greatest value, of the samples of weather stations."""
        lines = [
            (name, ", ".join(f"{each} {value:.5g}" for each, value in found.items()))
            for name, found in execution.weather.items()
            if isinstance(found, dict)
        ]
        return format_html_join(mark_safe("<br>"), "{}: {}", lines) or NOTHING

    @admin.display(description="Source")
    def source_name(self, execution: ExecutedObsUnit) -> str:
        return execution.obs_unit.target_name

    @bulk_action(
        "Close",
        needs="operate",
        confirm="Their instruments never said that they ended. They count as aborted, and their files"
        " are packaged. Close?",
        shown_for=lambda execution: execution.status == ExecutionStatus.RUNNING,
    )
    def close_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        """End what nobody else will end."""
        return close_executions(rows, user=person_of(request), reason=given.reason)

    @admin.display(description="Duration")
    def lasted(self, execution: ExecutedObsUnit) -> str:
        """How long it took, or takes already."""
        end = execution.end_time or execution.finished_at or timezone.now()
        return duration_text(end - execution.start_time)

    @admin.display(description="Files")
    def files_link(self, execution: ExecutedObsUnit) -> SafeString:
        return link_to_list("datamgmt", "rawdatafile", "Files", executed_obs_unit__id__exact=execution.pk)

    @admin.display(description="Packages")
    def packages_link(self, execution: ExecutedObsUnit) -> SafeString:
        return link_to_list("datamgmt", "rawdatapackage", "Packages", executed_obs_unit__id__exact=execution.pk)

    @admin.display(description="With data streams")
    def streams_link(self, execution: ExecutedObsUnit) -> SafeString:
        """All that belongs to it: what data streams wrote meanwhile too."""
        links = [
            link_to_list("datamgmt", model, text, belongs_to=execution.pk)
            for model, text in (("rawdatafile", "Files"), ("rawdatapackage", "Packages"))
        ]
        return format_html_join(", ", "{}", ((link,) for link in links))
