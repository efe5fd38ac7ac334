"""Portal pages of programs and their sub-programs."""

from __future__ import annotations

from django.contrib import admin

from ccatdc.common.admin import PortalAdmin
from planning.models import ObservingProgram, SubObservingProgram


@admin.register(ObservingProgram)
class ObservingProgramAdmin(PortalAdmin):
    """Programs."""

    list_display = ["short_name", "name", "lead", "allocated_hours", "is_technical", "active"]
    list_select_related = ["lead"]
    list_filter = ["active", "is_technical", "instruments"]
    search_fields = ["short_name", "name"]
    autocomplete_fields = ["lead", "instruments"]


@admin.register(SubObservingProgram)
class SubObservingProgramAdmin(PortalAdmin):
    """Sub-programs."""

    list_display = ["short_name", "name", "observing_program", "lead", "active"]
    list_select_related = ["observing_program", "lead"]
    list_filter = ["active", "observing_program"]
    search_fields = ["short_name", "name", "observing_program__short_name"]
    autocomplete_fields = ["observing_program", "lead"]
