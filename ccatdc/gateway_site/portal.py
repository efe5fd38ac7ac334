"""The portal of a site gateway: its first page is the link, the outbox and the copy of the reference data.

What only the main site does is not in its menu, and what is a copy is not edited (gateway/site/rights.py).
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.sites import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from ccatdc.portal.navigation import groups_of, navigation_of
from ccatdc.portal.site import OperationsPortal

EXECUTIONS_SHOWN = 8
DEAD_SHOWN = 10
#: The first group of the menu.
GATEWAY_GROUP = ("Gateway", False, (("outbox", "gateway.outboxitem"), ("link", "gateway.link")))
#: What a gateway has rows of.
PRESENT = frozenset(
    {"planning", "observatory", "accounts", "datamgmt.site", "datamgmt.datalocation"}
    | {"datamgmt.rawdatafile", "datamgmt.physicalcopy"}
)


class GatewayPortal(OperationsPortal):
    """The admin site of a gateway."""

    index_title = "Site gateway"
    index_template = "gateway/index.html"

    def extra_urls(self) -> list[URLPattern]:
        refresh = path("refresh/", self.admin_view(require_POST(self.refresh)), name="gateway_refresh")
        return [*super().extra_urls(), refresh]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """All well, or what waits, and why."""
        if not self.may_look(request):
            return render(request, "portal/no_role.html", self.each_context(request), status=403)
        context = {**_shown(request), **(extra_context or {})}
        response: HttpResponse = AdminSite.index(self, request, context)
        return response

    def overview(self, request: HttpRequest) -> HttpResponse:
        if not self.may_look(request):
            return HttpResponse(status=403)
        return render(request, "gateway/overview.html", _shown(request))

    def refresh(self, request: HttpRequest) -> HttpResponse:
        """Have ``run_gateway`` ask for the reference data."""
        from gateway.link import want_refresh

        if not self.may_look(request):
            raise PermissionDenied
        want_refresh()
        return HttpResponseRedirect(reverse("admin:index"))


def _shown(request: HttpRequest) -> dict[str, Any]:
    from ccatdc.common.admin.badges import list_url
    from gateway.admin import LINK_COLOURS
    from gateway.models import Link, OutboxItem
    from gateway.outbox.backlog import look
    from planning.models import ExecutedObsUnit

    state = look()
    executions = ExecutedObsUnit.objects.select_related("obs_unit__observing_program", "obs_unit__source")
    return {
        "at": timezone.now(),
        "state": state,
        "link": Link.row(),
        "link_colour": LINK_COLOURS[state["link"]],
        "dead": OutboxItem.objects.dead().light().order_by("refused_at")[:DEAD_SHOWN],
        "executions": executions.order_by("-start_time")[:EXECUTIONS_SHOWN],
        "may_operate": request.user.has_perm("write:transfers"),
        "outbox_url": list_url("gateway", "outboxitem"),
        "dead_url": list_url("gateway", "outboxitem", status__exact="dead"),
        "executions_url": list_url("planning", "executedobsunit"),
    }


class GatewayPortalConfig(AdminConfig):
    """Makes :class:`GatewayPortal` the site on which ``admin.site.register`` works."""

    default_site = "ccatdc.gateway_site.portal.GatewayPortal"


def navigation(_request: HttpRequest) -> list[dict[str, Any]]:
    """The menu: the gateway first, then the groups of which it has rows."""
    return navigation_of([GATEWAY_GROUP, *groups_of(PRESENT)])
