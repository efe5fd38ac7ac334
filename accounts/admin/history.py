"""Portal page of history: every change of what people edit, searchable. Nobody edits it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.history import HOW_WORDS, Entry, entries_of, kind_words
from accounts.models import Change, ChangeAction, User
from accounts.people import person_of
from ccatdc.common.admin.badges import NO_VALUE, link_to_admin
from ccatdc.common.admin.base import ReadOnlyAdmin, WithPreparedRows, state_column
from ccatdc.common.admin.filters import DaysFilter
from ccatdc.common.audit.triggers import tracked_kinds

ACTION_COLOURS: dict[str, str] = {
    ChangeAction.ADDED: "success",
    ChangeAction.CHANGED: "info",
    ChangeAction.DELETED: "danger",
}


class OfKind(admin.SimpleListFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        """Everything that keeps a history, as far as the person may read it."""
        kinds = [label for label in tracked_kinds() if may_read(request, label)]
        return [(label, kind_words(label)) for label in kinds]

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        return rows.filter(object_type=self.value()) if self.value() else rows


class WhoChanged(admin.SimpleListFilter):
    """Who did it? Those of whom history tells."""

    title = "user"
    parameter_name = "user"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        """One look into an index for each account."""
        changes = Change.objects.filter(user=OuterRef("pk")).order_by("-id")
        known = User.objects.alias(last=Subquery(changes.values("pk")[:1])).exclude(last=None)
        return [(str(user.pk), user.username) for user in known]

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        value = self.value()
        return rows.filter(user_id=value) if value and value.isdigit() else rows


class How(admin.SimpleListFilter):
    """In the portal, through the API, by a command?"""

    title = "way"
    parameter_name = "how"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(how, words[0].upper() + words[1:]) for how, words in HOW_WORDS.items()]

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        return rows.filter(context__how=self.value()) if self.value() else rows


def may_read(request: HttpRequest, label: str) -> bool:
    """Accounts, roles and tokens are the business of who manages them."""
    return not label.startswith("accounts.") or request.user.has_perm("manage:users")


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    action_shown = state_column("action", ACTION_COLOURS, "What", order=False)
    list_display = ["at", "who", "way", "action_shown", "thing", "fields_shown"]
    list_select_related = ["user"]
    list_filter = [("at", DaysFilter), "action", How, OfKind, WhoChanged]
    list_filter_submit = True
    sortable_by: ClassVar[list[str]] = []
    search_fields = ["object_name", "object_id__exact"]
    search_help_text = "Part of the name that a thing had then (three characters or more), or its id."
    fields = ["at", "who", "way", "action_shown", "thing", "fields_shown"]
    readonly_fields = ["at", "who", "way", "action_shown", "thing", "fields_shown"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """People, roles and tokens for those who manage them only."""
        rows = Change.objects.select_related("user")
        return rows if self.may(request, "manage:users") else rows.outside_accounts()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return WithPreparedRows

    def prepare_rows(self, rows: list[Any]) -> None:
        """What the rows refer to is named in one query."""
        for row, entry in zip(rows, entries_of(rows), strict=True):
            vars(row)["entry"] = entry

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everybody who may look at all observations: history tells of all programs."""
        return self.may(request, "read:observations") and person_of(request).sees_all_programs

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    @admin.display(description="Who")
    def who(self, change: Change) -> str:
        """The person; a dash for a command."""
        return _entry(change).who

    @admin.display(description="How")
    def way(self, change: Change) -> SafeString:
        """In the portal, through the API, by which command."""
        entry = _entry(change)
        return format_html('{} <span class="quiet">{}</span>', entry.how, entry.detail)

    @admin.display(description="Of")
    def thing(self, change: Change) -> SafeString:
        """What it is, with a link while it is there."""
        name = change.object_name or change.object_id
        if change.action == ChangeAction.DELETED:
            text: str = name
        else:
            app, _, model = change.object_type.partition(".")
            text = link_to_admin(app, model, change.object_id, name)
        return format_html('<span class="quiet">{}</span> {}', _entry(change).kind, text)

    @admin.display(description="Fields")
    def fields_shown(self, change: Change) -> SafeString:
        entry = _entry(change)
        if not entry.fields:
            return NO_VALUE
        return SafeString(render_to_string("portal/field_changes.html", {"entry": entry}))


def _entry(change: Change) -> Entry:
    found = vars(change).get("entry")
    if found is None:
        (found,) = entries_of([change])
        vars(change)["entry"] = found
    entry: Entry = found
    return entry
