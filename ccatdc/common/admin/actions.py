"""Actions of the portal: may I, do it, say so. One function of the domain, one sentence for the person.

The same action serves a list (ticked rows), the page of a row and the first page (a button that posts one row), so that
there is one way to do a thing and one place that asks for permission.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme

from ccatdc.common.admin.base import PortalAdmin
from ccatdc.common.bulk_actions import Outcome, switch
from ccatdc.common.errors import CcatError, RequestError

#: Rows that one click may change one by one, each in a transaction of its own, so that one that cannot does not hold up
#: the others; and in one statement, all of them locked at once.
MOST_AT_ONCE = 1000
MOST_TOGETHER = 20_000
_SHOWN = 50
#: Characters of a reason that are kept.
REASON_LENGTH: Final = 200
TEXT_LENGTH: Final = 300

Action = Callable[..., HttpResponse | None]


@dataclass(frozen=True, slots=True)
class Given:
    """What the person wrote on the page that asked."""

    reason: str
    number: int | None = None
    until: datetime | None = None
    text: str = ""


def portal_action(
    label: str, *, needs: str, confirm: str = "", shown_for: Callable[[Any], bool] | None = None
) -> Callable[[Callable[[Any, HttpRequest, Any], Any]], Action]:
    """Make an action of ``work(self, request, row)``, which is called for each row.

    ``needs`` names a ``has_<needs>_permission`` of the admin: Django offers the action to those who have it.
    ``confirm`` is a question that is asked first. ``shown_for`` says for which rows the button stands on the row's own
    page.
    """

    def decorate(work: Callable[[Any, HttpRequest, Any], Any]) -> Action:
        def each(self: Any, request: HttpRequest, queryset: Any) -> None:
            # Lists show the base rows of polymorphic models; work is done on the kind itself.
            real = getattr(queryset, "get_real_instances", None)
            done = []
            for row in real() if real is not None else queryset:
                try:
                    work(self, request, row)
                except CcatError as error:
                    self.message_user(request, f"{label}: {row}: {error}", messages.ERROR)
                else:
                    done.append(row)
            if done:
                what = f"{done[0]}" if len(done) == 1 else f"{len(done)} done"
                self.message_user(request, f"{label}: {what}.", messages.SUCCESS)

        question = {"title": label, "question": confirm}
        return _action(work, each, question, needs=needs, shown_for=shown_for, together=False)

    return decorate


def bulk_action(
    label: str,
    *,
    needs: str,
    confirm: str = "",
    number: str = "",
    text: str = "",
    until: str = "",
    affects: Callable[[Any], list[str]] | None = None,
    shown_for: Callable[[Any], bool] | None = None,
) -> Callable[[Callable[[Any, HttpRequest, Any, Given], Outcome]], Action]:
    """Make an action of ``work(self, request, rows, given)``, which is called once for all rows: one statement of the
    domain (ccatdc/common/bulk_actions.py), and a sentence about what it left alone and why.

    Beside what :func:`portal_action` has, the page that asks has room for a reason. ``number`` names a whole number that
    is asked for too, ``text`` a line of text, ``until`` a time that may be left out. ``affects`` says of the rows what
    the action would affect.
    """

    def decorate(work: Callable[[Any, HttpRequest, Any, Given], Outcome]) -> Action:
        def together(self: Any, request: HttpRequest, queryset: Any) -> None:
            try:
                outcome = work(self, request, plain_rows(queryset), _given(request, number, until))
            except CcatError as error:
                self.message_user(request, f"{label}: {error}", messages.ERROR)
                return
            if outcome.changed:
                self.message_user(request, f"{label}: {len(outcome.changed)} done.", messages.SUCCESS)
            if outcome.kept:
                text = f"{label}: {len(outcome.kept)} not changed. {outcome.kept_words()}."
                self.message_user(request, text, messages.WARNING)

        question: dict[str, Any] = {"title": label, "question": confirm, "asks_reason": True, "affects": affects}
        question |= {"number": number, "text": text, "until": until}
        return _action(work, together, question, needs=needs, shown_for=shown_for, together=True)

    return decorate


def _action(
    work: Callable[..., Any],
    do: Callable[[Any, HttpRequest, Any], None],
    question: dict[str, Any],
    *,
    needs: str,
    shown_for: Callable[[Any], bool] | None,
    together: bool,
) -> Action:
    def run(self: Any, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        most = MOST_TOGETHER if together else MOST_AT_ONCE
        if queryset.count() > most:
            text = f"{question['title']}: at most {most:,} at once. Narrow the list."
            self.message_user(request, text, messages.ERROR)
        elif question["question"] and "confirmed" not in request.POST:
            return _ask(self, request, queryset, {"action_name": work.__name__, **question})
        else:
            do(self, request, queryset)
        address = _next(request)
        return HttpResponseRedirect(address) if address else None

    action: Any = run
    action.__name__, action.__doc__, action.together = work.__name__, work.__doc__, together
    action.short_description, action.allowed_permissions = question["title"], [needs]
    action.shown_for = shown_for or (lambda _row: True)
    return run


def _ask(self: Any, request: HttpRequest, rows: Any, question: dict[str, Any]) -> HttpResponse:
    # All rows of the list are meant by one word and not by their keys: a form may not have that many.
    across = request.POST.get("select_across") == "1"
    shown = list(rows[:_SHOWN])
    context = {
        **self.admin_site.each_context(request),
        **question,
        "affected": question["affects"](plain_rows(rows)) if question.get("affects") else [],
        "rows": shown,
        "keys": [shown[0].pk] if across and shown else list(rows.values_list("pk", flat=True)),
        "more": rows.count() - len(shown),
        "across": across,
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "next": _next(request),
        "opts": self.opts,
    }
    return TemplateResponse(request, "portal/confirm.html", context)


def plain_rows(queryset: Any) -> Any:
    """The same rows without what the list needs (joins, DISTINCT, kinds): they are locked."""
    rows = queryset.model._default_manager.filter(pk__in=queryset.order_by().values("pk"))
    plain = getattr(rows, "non_polymorphic", None)
    return plain() if plain is not None else rows


def _given(request: HttpRequest, number: str, until: str) -> Given:
    reason = request.POST.get("reason", "").strip()[:REASON_LENGTH]
    return Given(
        reason,
        _number(request, number) if number else None,
        _time(request) if until else None,
        request.POST.get("text", "").strip()[:TEXT_LENGTH],
    )


def _number(request: HttpRequest, name: str) -> int:
    text = request.POST.get("number", "").strip()
    try:
        return int(text)
    except ValueError as error:
        raise RequestError(f"{text!r} is no whole number.", remedy=f"Write the {name}.") from error


def _time(request: HttpRequest) -> datetime | None:
    """As the browser's own field sends it: without a zone, UTC here as everywhere."""
    text = request.POST.get("until", "").strip()
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise RequestError(f"{text!r} is no time.", remedy="Write it as 2027-01-31T18:00.") from error


def _next(request: HttpRequest) -> str:
    """Where the button stood, if that is an address of ours; else Django returns to the list."""
    address = request.POST.get("next", "")
    return address if url_has_allowed_host_and_scheme(address, {request.get_host()}) else ""


class SwitchedAdmin(PortalAdmin):
    """Base of pages whose rows are in use or not, by their column ``active``."""

    #: What is switched, for the audit log.
    switch_component = "configuration"
    actions = ["switch_on_selected", "switch_off_selected"]

    def after_switching(self) -> None:
        """What else has to know; nothing by default."""

    def _switch(self, request: HttpRequest, rows: Any, value: bool, given: Given) -> Outcome:
        user = request.user if isinstance(request.user, AbstractBaseUser) else None
        outcome = switch(rows, "active", value, component=self.switch_component, user=user, reason=given.reason)
        if outcome.changed:
            self.after_switching()
        return outcome

    @bulk_action("Switch on", needs="change", shown_for=lambda row: not row.active)
    def switch_on_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return self._switch(request, rows, True, given)

    @bulk_action(
        "Switch off",
        needs="change",
        confirm="What is switched off is not used for anything new. Switch off?",
        shown_for=lambda row: row.active,
    )
    def switch_off_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return self._switch(request, rows, False, given)
