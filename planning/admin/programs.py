"""Portal pages of programs and their sub-programs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ccatdc.common.admin.actions import SwitchedAdmin
from ccatdc.common.admin.base import PortalAdmin, PortalInline, state_column
from planning.models import OBS_UNIT_COLOURS, ObservingProgram, ObsUnit, ProgramMembership, SubObservingProgram


class SubPrograms(PortalInline):
    model = SubObservingProgram
    fields = ["short_name", "name", "active"]


class Members(PortalInline):
    """Who sees and stages the data of a program. Changed by who manages users."""

    model = ProgramMembership
    fields = ["user"]
    autocomplete_fields = ["user"]
    can_delete = True
    show_change_link = False
    verbose_name_plural = "members"


class Units(PortalInline):
    """The obs units of a program; their other fields are on their own pages."""

    model = ObsUnit
    state_shown = state_column("state", OBS_UNIT_COLOURS)
    fields = ["name", "state_shown", "priority", "planned_duration_s"]
    readonly_fields = ["name", "state_shown"]
    # A unit needs more than fits here.
    max_num = 0


@admin.register(ObservingProgram)
class ObservingProgramAdmin(SwitchedAdmin):
    list_display = ["short_name", "name", "lead", "allocated_hours", "proprietary_days", "is_technical", "active"]
    list_select_related = ["lead"]
    list_filter = ["active", "is_technical", "instruments"]
    search_fields = ["short_name", "name"]
    autocomplete_fields = ["lead", "instruments"]
    inlines = [Members, SubPrograms, Units]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who manages users decides who sees the data, and when everybody does."""
        fields = list(super().get_readonly_fields(request, obj))
        if self.may(request, "manage:users"):
            return fields
        return [*fields, "lead", "proprietary_days"]


@admin.register(ProgramMembership)
class ProgramMembershipAdmin(PortalAdmin):
    list_display = ["observing_program", "user"]
    list_select_related = ["observing_program", "user"]
    list_filter = ["observing_program"]
    search_fields = ["observing_program__short_name", "user__username"]
    autocomplete_fields = ["observing_program", "user"]


@admin.register(SubObservingProgram)
class SubObservingProgramAdmin(SwitchedAdmin):
    list_display = ["short_name", "name", "observing_program", "lead", "active"]
    list_select_related = ["observing_program", "lead"]
    list_filter = ["active", "observing_program"]
    search_fields = ["short_name", "name", "observing_program__short_name"]
    autocomplete_fields = ["observing_program", "lead"]
