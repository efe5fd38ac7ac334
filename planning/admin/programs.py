"""Portal pages of programs and their sub-programs."""

from __future__ import annotations

from django.contrib import admin

from ccatdc.common.admin import PortalAdmin, PortalInline
from planning.models import ObservingProgram, ObsUnit, SubObservingProgram


class SubPrograms(PortalInline):
    """The sub-programs of a program."""

    model = SubObservingProgram
    fields = ["short_name", "name", "active"]


class Units(PortalInline):
    """The obs units of a program; their other fields are on their own pages."""

    model = ObsUnit
    fields = ["name", "state", "priority", "planned_duration_s"]
    readonly_fields = ["name"]
    # A unit needs more than fits here.
    max_num = 0


@admin.register(ObservingProgram)
class ObservingProgramAdmin(PortalAdmin):
    """Programs."""

    list_display = ["short_name", "name", "lead", "allocated_hours", "is_technical", "active"]
    list_select_related = ["lead"]
    list_filter = ["active", "is_technical", "instruments"]
    search_fields = ["short_name", "name"]
    autocomplete_fields = ["lead", "instruments"]
    inlines = [SubPrograms, Units]


@admin.register(SubObservingProgram)
class SubObservingProgramAdmin(PortalAdmin):
    """Sub-programs."""

    list_display = ["short_name", "name", "observing_program", "lead", "active"]
    list_select_related = ["observing_program", "lead"]
    list_filter = ["active", "observing_program"]
    search_fields = ["short_name", "name", "observing_program__short_name"]
    autocomplete_fields = ["observing_program", "lead"]
