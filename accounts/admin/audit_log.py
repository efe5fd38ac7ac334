"""Portal page of the audit log: who did what to which thing, and what people said. Nobody edits it."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import NoReverseMatch
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from accounts.admin.history import WhoChanged
from accounts.history import Key, names_of
from accounts.models import LogLevel, SystemLog, User
from accounts.people import person_of
from ccatdc.common.admin.badges import NO_VALUE, link_to_admin
from ccatdc.common.admin.base import ReadOnlyAdmin, WithPreparedRows, state_column
from ccatdc.common.admin.filters import DaysFilter
from ccatdc.common.audit.triggers import root_of

#: Of an entry about many things, so many are named.
NAMED = 3
LEVEL_COLOURS: dict[str, str] = {
    LogLevel.DEBUG: "default",
    LogLevel.INFO: "info",
    LogLevel.WARNING: "warning",
    LogLevel.ERROR: "danger",
    LogLevel.CRITICAL: "danger",
}


class WhoWrote(WhoChanged):
    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        """All accounts: of whom the audit log tells, only the whole audit log knows."""
        return [(str(pk), name) for pk, name in User.objects.values_list("pk", "username")]


class AboutKind(admin.SimpleListFilter):
    """About things of which kind? Each is one look into an index."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        """Everything that has a page which the person may see; its kinds are in it."""
        pages = admin.site._registry.items()
        roots = [model for model, page in pages if root_of(model) is model and page.has_view_permission(request)]
        names = [(model._meta.label_lower, capfirst(str(model._meta.verbose_name_plural))) for model in roots]
        return sorted(names, key=lambda name: name[1])

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        label = self.value()
        try:
            return rows.of_kind(apps.get_model(label)) if label else rows
        except (LookupError, ValueError):
            return rows.none()


class SaidByPeople(admin.SimpleListFilter):
    title = "comments"
    parameter_name = "said"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [("people", "Comments and shift notes")]

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        return rows.said_by_people() if self.value() == "people" else rows


@admin.register(SystemLog)
class SystemLogAdmin(ReadOnlyAdmin):
    """The audit log: who did what, newest first."""

    # A note of the shift is written above the list.
    list_before_template = "portal/shift_note.html"
    level_shown = state_column("level", LEVEL_COLOURS)
    list_display = ["timestamp", "level_shown", "component", "user", "message", "things_shown"]
    list_select_related = ["user"]
    list_filter = [("timestamp", DaysFilter), SaidByPeople, "level", WhoWrote, AboutKind]
    list_filter_submit = True
    sortable_by = ["timestamp"]
    search_fields = ["message", "object_id__exact"]
    search_help_text = "Part of a message (three characters or more), or the id of a thing."

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everybody who sees all observations may read who did what to them."""
        return self.may(request, "read:observations") and person_of(request).sees_all_programs

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return WithPreparedRows

    def prepare_rows(self, rows: list[Any]) -> None:
        """Name what the entries are about, in one query for history and one for each kind without it."""
        about = {row.pk: list(_about(row)) for row in rows}
        names = names_of({key for keys in about.values() for key in keys})
        for row in rows:
            row.things = [(key, names[key]) for key in about[row.pk] if key in names]

    @admin.display(description="About")
    def things_shown(self, entry: SystemLog) -> SafeString:
        """What it is about, with links to what has a page."""
        if "things" not in vars(entry):
            self.prepare_rows([entry])
        things: list[tuple[Key, str]] = vars(entry)["things"]
        if not things:
            return NO_VALUE
        links = format_html_join(", ", "{}", ((_link(key, name),) for key, name in things))
        more = len(entry.context.get("ids", ())) - len(things) if not entry.object_id else 0
        return format_html("{} and {} more", links, more) if more > 0 else links


def _about(entry: SystemLog) -> list[Key]:
    """The thing that it names, or the first of many."""
    label = entry.object_type or str(entry.context.get("object_type", ""))
    many = entry.context.get("ids", ())
    keys = [entry.object_id] if entry.object_id else list(many if isinstance(many, list) else ())[:NAMED]
    try:
        root = root_of(apps.get_model(label))._meta.label_lower
    except (LookupError, ValueError):  # of a model that is no more, or of nothing
        return []
    return [(root, str(key)) for key in keys]


def _link(key: Key, name: str) -> SafeString:
    app, _, model = key[0].partition(".")
    try:
        return link_to_admin(app, model, key[1], name)
    except NoReverseMatch:
        return format_html("{}", name)
