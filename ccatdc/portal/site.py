"""The operators' portal: Django admin with the look of unfold. Its first page is the state of the pipeline.

What the first page shows is asked in ccatdc/portal/overview.py and ccatdc/portal/attention/conditions.py. The pages of the models
are in each app's admin module. This module is imported before the models are there, hence the imports inside functions.
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.sites import UnfoldAdminSite

#: Entries of the audit log, and changes, on the history page of an object.
HISTORY_LINES = 200


class OperationsPortal(UnfoldAdminSite):  # type: ignore[misc]
    """The one admin site. Whoever is staff may enter; the roles decide what they see and do."""

    site_header = "CCAT Data Center"
    site_title = "CCAT Data Center"
    index_title = "Operations"
    index_template = "portal/index.html"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        # Rows go one by one, through pages that show what hangs on them.
        self.disable_action("delete_selected")

    def extra_urls(self) -> list[URLPattern]:
        """Pages beside those of the models (the hook is unfold's)."""
        return [
            path("overview/", self.admin_view(self.overview), name="overview"),
            path("over-time/", self.admin_view(self.over_time), name="over_time"),
            path("comment/", self.admin_view(require_POST(self.comment)), name="comment"),
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The first page: all well, or what waits, why, and the button."""
        from ccatdc.portal.overview import overview

        if not self.may_look(request):
            return render(request, "portal/no_role.html", self.each_context(request), status=403)
        shown = overview(request.user) if self.may_oversee(request) else None
        response: HttpResponse = super().index(request, {"overview": shown, **(extra_context or {})})
        return response

    def overview(self, request: HttpRequest) -> HttpResponse:
        """The changing part of the first page alone, fetched every few seconds while it is looked at."""
        from ccatdc.portal.overview import overview

        if not self.may_oversee(request):
            return HttpResponse(status=403)
        return render(request, "portal/overview.html", {"overview": overview(request.user)})

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Everything of a name or an id, of all kinds (the address is unfold's): a page, or its list alone for the dialog."""
        from ccatdc.portal.search import search

        if not self.may_look(request):
            return render(request, "portal/no_role.html", self.each_context(request), status=403)
        text = request.GET.get("q", "")
        context = {"q": text, "kinds": search(request, text)}
        if request.headers.get("X-Requested-With") == "fetch":
            return render(request, "portal/found.html", context)
        page = {**self.each_context(request), "title": "Find", **context, **(extra_context or {})}
        return render(request, "portal/find.html", page)

    def over_time(self, request: HttpRequest) -> HttpResponse:
        """Charts of hours, days or months."""
        from ccatdc.portal.over_time import OverTime, span_named

        if not self.may_oversee(request):
            return render(request, "portal/no_role.html", self.each_context(request), status=403)
        shown = OverTime(span_named(request.GET.get("span")))
        context = {**self.each_context(request), "title": "Over time", "shown": shown}
        return render(request, "portal/over_time.html", context)

    def may_look(self, request: HttpRequest) -> bool:
        """Staff without a role may enter, but have nothing to see."""
        return request.user.has_perm("read:observations")

    def may_oversee(self, request: HttpRequest) -> bool:
        """The first page tells of all programs' work: it is for who sees them all."""
        return self.may_look(request) and bool(getattr(request.user, "sees_all_programs", False))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """One log-in page for everybody; who is logged in and may not enter is told so instead of asked again."""
        from django.contrib.auth.views import redirect_to_login

        if request.user.is_authenticated and not self.has_permission(request):
            return render(request, "portal_refused.html", status=403)
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))

    def write_audit_log(self, request: HttpRequest, message: str, about: models.Model) -> None:
        """Write an entry of the audit log: who did what in the portal, to which thing."""
        from accounts.models import User, record

        user = request.user
        record("portal", message, about=about, user=user if isinstance(user, User) else None)

    def refusal(self, codename: str) -> str:
        """What a person without a permission is told: which roles have it, and whom to ask."""
        from accounts.people import refusal

        return refusal(codename)

    def audit_log_about(self, obj: models.Model) -> Any:
        """The newest lines about an object, under any of the names of its kind."""
        from accounts.models import SystemLog

        return SystemLog.objects.about(obj).select_related("user")[:HISTORY_LINES]

    def comments_on(self, request: HttpRequest, obj: models.Model) -> Any:
        """What people said about an object; None for who may not read the audit log."""
        from accounts.comments import comments_on

        return comments_on(obj) if self.may_oversee(request) else None

    def comment(self, request: HttpRequest) -> HttpResponse:
        """Say something about a thing of ``kind`` with ``key``, or about the shift."""
        from ccatdc.portal.comments import say

        if not self.may_oversee(request):
            raise PermissionDenied
        return HttpResponseRedirect(say(self, request))

    def history_of(self, obj: models.Model) -> Any:
        """What was changed in it, newest first: entries with the fields of each. None for a fact, which has no history."""
        from accounts.history import entries_of
        from accounts.models import Change
        from ccatdc.common.audit.triggers import root_of, tracked_kinds

        if root_of(type(obj))._meta.label_lower not in tracked_kinds():
            return None
        changes = Change.objects.about(obj).select_related("user")[:HISTORY_LINES]
        return entries_of(changes, together=True)


class PortalAdminConfig(AdminConfig):
    """Makes :class:`OperationsPortal` the site on which ``admin.site.register`` works."""

    default_site = "ccatdc.portal.site.OperationsPortal"
