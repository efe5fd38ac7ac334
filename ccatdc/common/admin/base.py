"""What every page of the portal shares: bases of the model admins, columns, and the rule that facts are only read.

The portal is Django's admin with the look of unfold. This is the lowest layer: it imports no app. What it needs of the
audit log (accounts.models.SystemLog) it gets from the site (ccatdc/portal/site.py), which stands at the top.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from ccatdc.common.admin.badges import NO_VALUE, list_url, state_badge
from ccatdc.common.admin.exports import MAX_ROWS, csv_of_list, is_cut_off
from ccatdc.common.admin.paging import BoundedPaginator
from ccatdc.common.texts import one_line
from ccatdc.common.units import NOTHING, size_text
from ccatdc.common.visibility import visible

if TYPE_CHECKING:
    # unfold has no types; it is Django's class with other templates.
    from django.contrib.admin import ModelAdmin as UnfoldModelAdmin
    from django.contrib.admin import TabularInline as UnfoldTabularInline
else:
    from unfold.admin import ModelAdmin as UnfoldModelAdmin
    from unfold.admin import TabularInline as UnfoldTabularInline

Column = Callable[[Any, Any], Any]
#: What actions need, as they name it, and the permission that it is.
PERMISSIONS_OF_ACTIONS = {"operate": "write:transfers", "configure": "configure:system", "manage_users": "manage:users"}


#: Of a search: characters and words that are looked at.
SEARCH_LENGTH = 200
SEARCH_WORDS = 10


class _KeysOnly:
    """Of what an address or a form says is chosen, only what can be a key is looked for: Django looks for all of it."""

    choices: Any

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        field = self.choices.field
        key = field.queryset.model._meta.get_field(field.to_field_name or field.queryset.model._meta.pk.name)
        chosen = [each for each in value if _can_be(key, each)]
        return super().optgroups(name, chosen, attr)  # type: ignore[misc]


def _can_be(key: Any, value: Any) -> bool:
    try:
        key.to_python(value)
    except ValidationError:
        return False
    return "\0" not in str(value)


class _Suggestions(_KeysOnly, AutocompleteSelect):
    pass


class _ManySuggestions(_KeysOnly, AutocompleteSelectMultiple):
    pass


class CheckedInput:
    """Fields of forms: texts of one line refuse control characters, and keys that are none are not looked for."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if isinstance(db_field, models.CharField) and isinstance(field, forms.CharField):
            field.validators.append(one_line)
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        self._suggest(_Suggestions, db_field, request, kwargs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        self._suggest(_ManySuggestions, db_field, request, kwargs)
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]

    def _suggest(self, widget: Any, db_field: Any, request: HttpRequest, kwargs: dict[str, Any]) -> None:
        me: Any = self
        if "widget" not in kwargs and db_field.name in me.get_autocomplete_fields(request):
            kwargs["widget"] = widget(db_field, me.admin_site)


class WithPreparedRows(ChangeList):
    """A page of a list whose columns need more than a row: asked once for all rows (:meth:`PortalAdmin.prepare_rows`)."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the rows of this page, and prepare them."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        page: Any = self.model_admin
        page.prepare_rows(self.result_list)


class PortalAdmin(CheckedInput, UnfoldModelAdmin):  # type: ignore[type-arg]
    """Base of all pages. What people do is written to the audit log; which fields it changed is kept by the database
    (ccatdc/common/audit/triggers.py). An object's history shows both.
    """

    list_per_page = 50
    list_fullwidth = True
    list_filter_sheet = False
    warn_unsaved_form = True
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    change_form_outer_before_template = "portal/object_head.html"
    admin_site: Any

    def get_queryset(self, request: HttpRequest) -> Any:
        """The rows that the person may see: lists, pages and suggestions are taken from these."""
        return visible(super().get_queryset(request), request.user)

    def may(self, request: HttpRequest, codename: str) -> bool:
        """Whether the person has our own permission ``action:resource``."""
        return request.user.has_perm(codename)

    def has_operate_permission(self, request: HttpRequest, _obj: object = None) -> bool:
        """May move work: retry, cancel, check again (operators)."""
        return self.may(request, "write:transfers")

    def has_configure_permission(self, request: HttpRequest, _obj: object = None) -> bool:
        """May change what the data center is made of: sites, locations, routes."""
        return self.may(request, "configure:system")

    def has_manage_users_permission(self, request: HttpRequest, _obj: object = None) -> bool:
        return self.may(request, "manage:users")

    def write_audit_log(self, request: HttpRequest, message: str, about: models.Model) -> None:
        """Write who did what to which thing."""
        self.admin_site.write_audit_log(request, message, about)

    def prepare_rows(self, rows: list[Any]) -> None:
        """What columns need beyond the row itself, asked once for many rows; nothing by default. A list that needs it has
        :class:`WithPreparedRows`.
        """

    def get_urls(self) -> list[URLPattern]:
        """The list as CSV beside Django's pages."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_csv"
        urls: list[URLPattern] = super().get_urls()
        return [path("csv/", self.admin_site.admin_view(self.csv_view), name=name), *urls]

    def csv_view(self, request: HttpRequest) -> HttpResponseBase:
        """What the list shows, as a file; to those who may see the list."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        try:
            changelist = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(list_url(self.opts.app_label, str(self.opts.model_name), e=1))
        first = f"_first_{MAX_ROWS}" if is_cut_off(changelist) else ""
        file = f"{self.opts.model_name}{first}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{file}"'}
        lines = csv_of_list(self, changelist)
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """With the address of the same list as CSV."""
        query = request.GET.copy()
        query.pop(PAGE_VAR, None)
        address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_csv")
        context = {"csv_url": f"{address}?{query.urlencode()}", "csv_rows": MAX_ROWS, **(extra_context or {})}
        return super().changelist_view(request, context)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Into the audit log instead of Django's own log: one history, also for other readers."""
        self.write_audit_log(request, f"Added {obj._meta.verbose_name} {obj}.", obj)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Into the audit log, with the names of the changed fields."""
        self.write_audit_log(request, f"Changed {obj._meta.verbose_name} {obj}{_changed(message)}.", obj)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Into the audit log; it names things as text and so outlives them."""
        for obj in queryset:
            self.write_audit_log(request, f"Deleted {obj._meta.verbose_name} {obj}.", obj)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """As Django does it, for a few words: each costs a condition of its own."""
        return super().get_search_results(
            request, queryset, " ".join(search_term[:SEARCH_LENGTH].split()[:SEARCH_WORDS])
        )

    def buttons(self, request: HttpRequest, obj: Any) -> list[tuple[str, str]]:
        """Actions that make sense for this row now, as (name, label): they stand above its page."""
        actions: Any = self.get_actions(request)
        return [
            (name, str(description))
            for function, name, description in actions.values()
            if getattr(function, "shown_for", _never)(obj)
        ]

    def refused(self, request: HttpRequest, obj: Any) -> dict[str, list[str]]:
        """What would make sense for this row and needs what the person's roles do not include: who may, and what."""
        found: dict[str, list[str]] = {}
        for function, _, description in self._get_base_actions():  # type: ignore[attr-defined]
            for needs in getattr(function, "allowed_permissions", ()):
                codename = PERMISSIONS_OF_ACTIONS.get(needs)
                if codename and getattr(function, "shown_for", _never)(obj) and not self.may(request, codename):
                    found.setdefault(codename, []).append(str(description))
        return {self.admin_site.refusal(codename): labels for codename, labels in found.items()}

    def head(self, _request: HttpRequest, _obj: Any) -> dict[str, Any]:
        """What a subclass puts above the fields of a row: ``notes`` and the like, for portal/object_head.html."""
        return {}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Add the row's buttons and head to its page."""
        context = dict(extra_context or {})
        obj = self.get_object(request, object_id) if object_id and request.method == "GET" else None
        if obj is not None and self.has_view_or_change_permission(request, obj):
            context |= {
                "portal_object": obj,
                "portal_buttons": self.buttons(request, obj),
                "portal_refused": self.refused(request, obj),
                "portal_comments": self.admin_site.comments_on(request, obj),
                "portal_action_url": list_url(self.opts.app_label, str(self.opts.model_name)),
            }
            context |= self.head(request, obj)
        return super().changeform_view(request, object_id, form_url, context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Which fields changed, and what the audit log says about this row."""
        obj = self.get_object(request, object_id)
        if obj is None:
            return self._get_obj_does_not_exist_redirect(  # type: ignore[attr-defined,no-any-return]
                request, self.opts, object_id
            )
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": f"History: {obj}",
            "opts": self.opts,
            "object": obj,
            "entries": self.admin_site.history_of(obj),
            "lines": self.admin_site.audit_log_about(obj),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "portal/history.html", context)


class ReadOnlyAdmin(PortalAdmin):
    """For facts: what happened is read here and changed nowhere. Actions may still start new work on it."""

    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Facts are recorded by the flow."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Facts are not deleted: the rows are the audit trail."""
        return False


class VisibleRelatedFilter(admin.RelatedFieldListFilter):
    """Filters of lists by what rows refer to: offers what the person may see of it."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[Any]:
        seen = visible(field.remote_field.model._default_manager.order_by(), request.user)
        choices: list[Any] = field.get_choices(
            include_blank=False,
            ordering=self.field_admin_ordering(field, request, model_admin),
            limit_choices_to={"pk__in": seen.values("pk")},
        )
        return choices


admin.FieldListFilter.register(lambda field: bool(field.remote_field), VisibleRelatedFilter, take_priority=True)


class ReadOnlyInline(UnfoldTabularInline):  # type: ignore[type-arg]
    """Rows that belong to a fact, shown on its page."""

    extra = 0
    can_delete = False
    per_page = 20
    hide_title = True
    show_change_link: bool = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Facts are recorded by the flow."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PortalInline(CheckedInput, UnfoldTabularInline):  # type: ignore[type-arg]
    """Rows one step down the hierarchy, edited on the page of what they belong to. Deleting is for their own page,
    which shows what hangs on them.
    """

    extra = 0
    can_delete = False
    per_page = 20
    hide_title = True
    show_change_link: bool = True

    def get_queryset(self, request: HttpRequest) -> Any:
        """The rows that the person may see."""
        return visible(super().get_queryset(request), request.user)


def state_column(field: str, colours: Mapping[str, str], label: str | None = None, order: bool = True) -> Column:
    """A column with the badge of a state."""

    @admin.display(description=label or capfirst(field.replace("_", " ")), ordering=field if order else None)
    def column(_admin: Any, row: Any) -> SafeString:
        return state_badge(getattr(row, field), getattr(row, f"get_{field}_display")(), colours)

    return column


def size_column(field: str, label: str | None = None) -> Column:
    """A column with bytes as people read them; the exact number on hovering."""

    @admin.display(description=label or capfirst(field.replace("_", " ")), ordering=field)
    def column(_admin: Any, row: Any) -> SafeString:
        value = getattr(row, field)
        if value is None:
            return NO_VALUE
        return format_html('<span class="nowrap" title="{} bytes">{}</span>', f"{value:,}", size_text(value))

    column.exact_field = field  # type: ignore[attr-defined]
    return column


def code_column(field: str, label: str | None = None) -> Column:
    """A digest, key or path: monospaced, and broken anywhere instead of widening the page."""

    @admin.display(description=label or capfirst(field.replace("_", " ")))
    def column(_admin: Any, row: Any) -> SafeString:
        return format_html('<code class="breakable">{}</code>', getattr(row, field) or NOTHING)

    return column


def fields_of(model: type[models.Model], *without: str) -> list[str]:
    """The names of a model's own columns, in their order."""
    hidden: Sequence[str] = (*without, "polymorphic_ctype")
    return [f.name for f in model._meta.concrete_fields if f.name not in hidden and not f.name.endswith("_ptr")]


def _never(_obj: object) -> bool:
    return False


def _changed(message: Any) -> str:
    names = [
        name
        for part in (message if isinstance(message, list) else [])
        for name in part.get("changed", {}).get("fields", [])
    ]
    return f": {', '.join(names)}" if names else ""
