"""Actions of the portal on many rows at once: one act of the domain for all of them (ccatdc/common/acts.py), and a sentence
about what it left alone and why.

Beside ccatdc/common/admin_actions.py, whose actions treat rows one by one because each is work of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from ccatdc.common.acts import Outcome, switch
from ccatdc.common.admin import PortalAdmin
from ccatdc.common.admin_actions import back_address
from ccatdc.common.errors import CcatError, RequestError

#: Rows that one act may change: one statement, but all of them locked at once.
MOST_TOGETHER = 20_000


@dataclass(frozen=True, slots=True)
class Given:
    """What the person wrote on the page that asked."""

    reason: str
    number: int | None = None


Work = Callable[[Any, HttpRequest, Any, Given], Outcome]


def bulk_action(
    label: str,
    *,
    needs: str,
    confirm: str = "",
    number: str = "",
    shown_for: Callable[[Any], bool] | None = None,
) -> Callable[[Work], Callable[..., HttpResponse | None]]:
    """Make an action of ``work(self, request, rows, given)``.

    ``needs`` names a ``has_<needs>_permission`` of the admin. ``confirm`` is a question that is asked first, with room for
    a reason; ``number`` names a whole number that is asked for too. ``shown_for`` says for which rows the button stands
    on the row's own page.
    """

    def decorate(work: Work) -> Callable[..., HttpResponse | None]:
        def run(self: Any, request: HttpRequest, queryset: Any) -> HttpResponse | None:
            rows = plain_rows(queryset)
            if rows.count() > MOST_TOGETHER:
                text = f"{label}: at most {MOST_TOGETHER:,} at once. Narrow the list."
                self.message_user(request, text, messages.ERROR)
                return back_address(request)
            if confirm and "confirmed" not in request.POST:
                question = {
                    "action_name": work.__name__,
                    "title": label,
                    "question": confirm,
                    "number": number,
                }
                return _ask(self, request, rows, question)
            try:
                outcome = work(self, request, rows, _given(request, number))
            except CcatError as error:
                self.message_user(request, f"{label}: {error}", messages.ERROR)
            else:
                _say(self, request, label, outcome)
            return back_address(request)

        run.__name__ = work.__name__
        run.__doc__ = work.__doc__
        run.short_description = label  # type: ignore[attr-defined]
        run.allowed_permissions = [needs]  # type: ignore[attr-defined]
        run.shown_for = shown_for or (lambda _row: True)  # type: ignore[attr-defined]
        run.together = True  # type: ignore[attr-defined]
        return run

    return decorate


def plain_rows(queryset: Any) -> Any:
    """The same rows without what the list needs (joins, DISTINCT, kinds): they are locked."""
    rows = queryset.model._default_manager.filter(pk__in=queryset.order_by().values("pk"))
    plain = getattr(rows, "non_polymorphic", None)
    return plain() if plain is not None else rows


def _given(request: HttpRequest, number: str) -> Given:
    reason = request.POST.get("reason", "").strip()
    if not number:
        return Given(reason)
    text = request.POST.get("number", "").strip()
    try:
        return Given(reason, int(text))
    except ValueError as error:
        raise RequestError(
            f"{text!r} is no whole number.", remedy=f"Write the {number}."
        ) from error


def _say(self: Any, request: HttpRequest, label: str, outcome: Outcome) -> None:
    if outcome.changed:
        self.message_user(request, f"{label}: {len(outcome.changed)} done.", messages.SUCCESS)
    if outcome.kept:
        text = f"{label}: {len(outcome.kept)} not changed. {outcome.kept_words()}."
        self.message_user(request, text, messages.WARNING)


def _ask(self: Any, request: HttpRequest, rows: Any, question: dict[str, str]) -> HttpResponse:
    # All rows of the list are meant by one word and not by their keys: a form may not have that many.
    across = request.POST.get("select_across") == "1"
    shown = list(rows[:50])
    next_address = back_address(request)
    context = {
        **self.admin_site.each_context(request),
        **question,
        "rows": shown,
        "keys": [shown[0].pk] if across and shown else list(rows.values_list("pk", flat=True)),
        "more": rows.count() - len(shown),
        "across": across,
        "asks_reason": True,
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "next": next_address.url if isinstance(next_address, HttpResponseRedirect) else "",
        "opts": self.opts,
    }
    return TemplateResponse(request, "portal/confirm.html", context)


class SwitchedAdmin(PortalAdmin):
    """Base of pages whose rows are in use or not, by their column ``active``."""

    #: What is switched, for the diary.
    switch_component = "configuration"
    actions = ["switch_on_selected", "switch_off_selected"]

    def after_switching(self) -> None:
        """What else has to know; nothing by default."""

    def _switch(self, request: HttpRequest, rows: Any, value: bool, given: Given) -> Outcome:
        outcome = switch(
            rows,
            "active",
            value,
            component=self.switch_component,
            user=request.user if isinstance(request.user, AbstractBaseUser) else None,
            reason=given.reason,
        )
        if outcome.changed:
            self.after_switching()
        return outcome

    @bulk_action("Switch on", needs="change", shown_for=lambda row: not row.active)
    def switch_on_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        """Take them into use."""
        return self._switch(request, rows, True, given)

    @bulk_action(
        "Switch off",
        needs="change",
        confirm="What is switched off is not used for anything new. Switch off?",
        shown_for=lambda row: row.active,
    )
    def switch_off_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        """Take them out of use."""
        return self._switch(request, rows, False, given)
