"""Actions of the portal: may I, do it, say so. One function of the domain for each row, one
sentence for the person.

The same action serves a list (ticked rows), the page of a row and the first page (a button that
posts one row), so that there is one way to do a thing and one place that asks for permission.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme

from ccatdc.common.errors import CcatError

#: Rows that one click may move. Each is a transaction of its own, so that one that cannot does not
#: hold up the others.
MOST_AT_ONCE = 1000

Work = Callable[[Any, HttpRequest, Any], Any]


def portal_action(
    label: str,
    *,
    needs: str,
    confirm: str = "",
    shown_for: Callable[[Any], bool] | None = None,
) -> Callable[[Work], Callable[..., HttpResponse | None]]:
    """Make an action of ``work(self, request, row)``.

    ``needs`` names a ``has_<needs>_permission`` of the admin: Django offers the action to those
    who have it. ``confirm`` is a question that is asked first. ``shown_for`` says for which rows
    the button stands on the row's own page.
    """

    def decorate(work: Work) -> Callable[..., HttpResponse | None]:
        def run(self: Any, request: HttpRequest, queryset: Any) -> HttpResponse | None:
            if queryset.count() > MOST_AT_ONCE:
                text = f"{label}: at most {MOST_AT_ONCE} at once. Narrow the list."
                self.message_user(request, text, messages.ERROR)
                return back_address(request)
            rows = _as_their_own_kind(queryset)
            if confirm and "confirmed" not in request.POST:
                question = {"action_name": work.__name__, "title": label, "question": confirm}
                return _ask(self, request, rows, question)
            done = [row for row in rows if _did(self, request, work, label, row)]
            if done:
                self.message_user(request, _sentence(label, done), messages.SUCCESS)
            return back_address(request)

        run.__name__ = work.__name__
        run.__doc__ = work.__doc__
        run.short_description = label  # type: ignore[attr-defined]
        run.allowed_permissions = [needs]  # type: ignore[attr-defined]
        run.shown_for = shown_for or (lambda _row: True)  # type: ignore[attr-defined]
        return run

    return decorate


def _as_their_own_kind(queryset: Any) -> list[Any]:
    """Lists show the base rows of polymorphic models; work is done on the kind itself, which knows
    what follows.
    """
    real = getattr(queryset, "get_real_instances", None)
    return list(real()) if real is not None else list(queryset)


def _did(self: Any, request: HttpRequest, work: Work, label: str, row: models.Model) -> bool:
    try:
        work(self, request, row)
    except CcatError as error:
        self.message_user(request, f"{label}: {row}: {error}", messages.ERROR)
        return False
    return True


def _sentence(label: str, done: list[Any]) -> str:
    if len(done) == 1:
        return f"{label}: {done[0]}."
    return f"{label}: {len(done)} done."


def _ask(
    self: Any, request: HttpRequest, rows: list[Any], question: dict[str, str]
) -> HttpResponse:
    # All rows of the list are meant by one word and not by their keys: a form may not have that many.
    across = request.POST.get("select_across") == "1"
    context = {
        **self.admin_site.each_context(request),
        **question,
        "rows": rows,
        "across": across,
        "keys": [row.pk for row in (rows[:1] if across else rows)],
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "next": _next(request),
        "opts": self.opts,
    }
    return TemplateResponse(request, "portal/confirm.html", context)


def _next(request: HttpRequest) -> str:
    """Where the button stood, if that is an address of ours."""
    address = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(address, {request.get_host()})
    return address if ours else ""


def back_address(request: HttpRequest) -> HttpResponse | None:
    """To where the button stood; None lets Django return to the list."""
    address = _next(request)
    return HttpResponseRedirect(address) if address else None
