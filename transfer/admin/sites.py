"""Portal page of sites: their locations, links and queues; and how places are switched off and on."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.people import person_of
from ccatdc.common.admin.actions import Given, bulk_action
from ccatdc.common.admin.base import PortalAdmin
from ccatdc.common.bulk_actions import Outcome
from datamgmt.models import Site
from transfer.operators.site_story import story_of
from transfer.operators.switching import affected_by, switch_off, switch_on


class SwitchedPlace(PortalAdmin):
    """Locations and sites: operators take them out of use and into it again."""

    actions = ["switch_on_selected", "switch_off_selected"]

    @bulk_action("Switch on", needs="operate", shown_for=lambda place: not place.active)
    def switch_on_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return switch_on(rows, user=person_of(request), reason=given.reason)

    @bulk_action(
        "Switch off",
        needs="operate",
        confirm="What is off is drained: what runs there ends, nothing new begins, and what needs it waits. Switch off?",
        until="Until (UTC); then it is switched on by itself. Empty: until somebody switches it on",
        affects=affected_by,
        shown_for=lambda place: place.active,
    )
    def switch_off_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return switch_off(rows, user=person_of(request), reason=given.reason, until=given.until)


@admin.register(Site)
class SiteAdmin(SwitchedPlace):
    """Sites. An inactive site gets no new work."""

    list_display = ["short_name", "name", "location", "timezone", "active"]
    list_filter = ["active"]
    search_fields = ["short_name", "name"]

    def head(self, _request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Why it is off; its locations with what waits there, and its links to other sites."""
        notes = [] if obj.active else [("warning", f"It is {obj.off_words}.")]
        return {"portal_notes": notes, "portal_site": story_of(obj)}
