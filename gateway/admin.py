"""Portal pages of a gateway: the outbox, and the link to the main site."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.people import person_of
from ccatdc.common.admin.actions import portal_action
from ccatdc.common.admin.badges import NO_VALUE, badge, link_to_admin, list_url
from ccatdc.common.admin.base import ReadOnlyAdmin, fields_of, size_column, state_column
from ccatdc.common.errors import CcatError
from gateway.models import ITEM_COLOURS, ItemStatus, Link, OutboxItem
from gateway.outbox import correcting
from gateway.outbox.backlog import link_state

LINK_COLOURS = {"up": "success", "down": "warning", "denied": "danger", "never": "default"}
#: A body is shown to this many characters; the form to correct it has all of it.
SHOWN_BODY = 4000


class CorrectForm(forms.Form):
    body = forms.CharField(strip=False, widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false"}))


class DiscardForm(forms.Form):
    reason = forms.CharField(max_length=1000, widget=forms.Textarea(attrs={"rows": 3}))
    rest = forms.BooleanField(
        required=False, label="Also every call that waits behind it, of the same observation", label_suffix=""
    )


def _is_dead(item: OutboxItem) -> bool:
    return item.status == ItemStatus.DEAD


@admin.register(OutboxItem)
class OutboxItemAdmin(ReadOnlyAdmin):
    """Calls for the main site, the newest first."""

    state = state_column("status", ITEM_COLOURS)
    size = size_column("body_bytes", "Size")
    list_display = ["call", "observation", "files", "state", "filed_at", "filed_by", "what_was_said"]
    list_select_related = ["token", "user"]
    list_filter = ["status", "kind"]
    # What is searched is said in get_search_results; the box appears when this is not empty.
    search_fields = ["id"]
    search_help_text = "Number of the call, or id of the observation"
    ordering = ["-id"]
    actions = ["resend_selected"]
    shown = (
        "state",
        "what_was_said",
        "ways_out",
        "observation",
        "kind",
        "files",
        "size",
        "filed_at",
        "filed_by",
        "delivered_at",
        "attempts",
        "not_before",
        "refused_at",
        "decided_by",
        "decided_at",
        "reason",
        "address",
        "body_shown",
        "original_shown",
        "problem_shown",
    )
    fields = shown
    readonly_fields = shown

    def get_queryset(self, request: HttpRequest) -> Any:
        """A page of the list must not read fifty bodies."""
        return super().get_queryset(request).light()

    @admin.display(description="Call", ordering="id")
    def call(self, item: OutboxItem) -> str:
        return str(item)

    @admin.display(description="Observation")
    def observation(self, item: OutboxItem) -> SafeString:
        """Of what it is; files of a data stream are of none."""
        if item.data_stream:
            return format_html("{}", item.of_what)
        return link_to_admin("planning", "executedobsunit", item.sequence, str(item.sequence))

    @admin.display(description="Filed by")
    def filed_by(self, item: OutboxItem) -> str:
        """The account, and the token that it used."""
        return f"{item.user}, {item.token}" if item.token is not None else f"{item.user}"

    @admin.display(description="The main site said")
    def what_was_said(self, item: OutboxItem) -> str:
        """When it refused, or failed over it."""
        return item.said or str(NO_VALUE)

    @admin.display(description="What can be done")
    def ways_out(self, item: OutboxItem) -> SafeString:
        """Of a refused call; sending it again as it is has a button above."""
        if not _is_dead(item):
            return NO_VALUE
        return format_html(
            '<a class="portal-button" href="{}">Correct and resend</a> '
            '<a class="portal-button portal-button-danger" href="{}">Discard</a>',
            reverse("admin:gateway_outboxitem_correct", args=[item.pk]),
            reverse("admin:gateway_outboxitem_discard", args=[item.pk]),
        )

    @admin.display(description="Sent as")
    def address(self, item: OutboxItem) -> str:
        return f"{item.method} {item.path}"

    @admin.display(description="Body")
    def body_shown(self, item: OutboxItem) -> SafeString:
        return _pre(item.body)

    @admin.display(description="As it was filed")
    def original_shown(self, item: OutboxItem) -> SafeString:
        return _pre(item.original_body) if item.original_body else NO_VALUE

    @admin.display(description="Problem document")
    def problem_shown(self, item: OutboxItem) -> SafeString:
        """All that the main site said."""
        return _pre(json.dumps(item.problem, indent=2)) if item.problem else NO_VALUE

    @portal_action("Resend", needs="operate", shown_for=_is_dead)
    def resend_selected(self, request: HttpRequest, item: OutboxItem) -> None:
        """The cause was at the main site, and is gone."""
        correcting.resend(item, person_of(request))

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By the number of a call, or by its observation."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.isascii() and term.isdigit() and len(term) < 18:
            return queryset.filter(pk=int(term)), False
        try:
            return queryset.filter(sequence=uuid.UUID(term)), False
        except ValueError:
            return queryset.none(), False

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"gateway_outboxitem_{name}")
            for name, view in (("correct", self.correct_view), ("discard", self.discard_view))
        ]
        return [*own, *super().get_urls()]

    def correct_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        item = self._refused(request, pk)
        pretty = json.dumps(json.loads(item.body), indent=1)
        form = CorrectForm(request.POST or None, initial={"body": pretty})
        return self._ask(
            request,
            item,
            form,
            "Correct and resend",
            lambda: correcting.correct(item, form.cleaned_data["body"], person_of(request)),
        )

    def discard_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Never send it."""
        item = self._refused(request, pk)
        form = DiscardForm(request.POST or None)
        return self._ask(
            request,
            item,
            form,
            "Discard",
            lambda: correcting.discard(
                item, form.cleaned_data["reason"], person_of(request), rest=form.cleaned_data["rest"]
            ),
        )

    def _refused(self, request: HttpRequest, pk: int) -> OutboxItem:
        if not self.has_operate_permission(request):
            raise PermissionDenied
        item = OutboxItem.objects.dead().filter(pk=pk).first()
        if item is None:
            raise Http404("This call is not refused any more.")
        return item

    def _ask(self, request: HttpRequest, item: OutboxItem, form: forms.Form, title: str, do: Any) -> HttpResponse:
        """The form, until it could be done."""
        if request.method == "POST" and form.is_valid():
            try:
                do()
            except CcatError as error:
                form.add_error(None, str(error))
            else:
                self.message_user(request, f"{title}: {item}.", messages.SUCCESS)
                return HttpResponseRedirect(list_url("gateway", "outboxitem", status__exact="dead"))
        context = {
            **self.admin_site.each_context(request),
            "title": f"{title}: {item}",
            "button": title,
            "form": form,
            "item": item,
            "opts": self.opts,
        }
        return TemplateResponse(request, "gateway/decide.html", context)


@admin.register(Link)
class LinkAdmin(ReadOnlyAdmin):
    """The link and the copy of the reference data."""

    list_display = ["__str__", "link", "last_contact_at", "reference_at", "process_seen_at"]
    shown = ("link", *fields_of(Link, "id", "denied"))
    fields = shown
    readonly_fields = shown

    @admin.display(description="Link")
    def link(self, row: Link) -> SafeString:
        """Up, down, denied, or never up."""
        state = link_state(row)
        return badge(state.capitalize(), LINK_COLOURS[state])


def _pre(text: str) -> SafeString:
    cut = text[:SHOWN_BODY] + (" …" if len(text) > SHOWN_BODY else "")
    return format_html('<pre class="body-shown">{}</pre>', cut)
