"""The basket's page: what was collected, what staging it would cost at each location, and the button."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from accounts.people import person_of
from ccatdc.common.errors import CcatError
from transfer.staging import requests
from transfer.staging.basket import Basket
from transfer.staging.estimates import estimate, packages_of
from transfer.staging.forms import BasketForm
from transfer.staging.requests import MAX_EXECUTIONS
from transfer.staging.views import needs


@needs("stage:data")
@require_http_methods(["GET", "POST"])
def basket(request: HttpRequest) -> Any:
    """Look at it, and ask for all of it."""
    collected, form = Basket(request), BasketForm(request.POST or None)
    rows = list(collected.observations())
    if request.method == "POST" and form.is_valid():
        wanted = [row.pk for row in rows]
        place, name = form.cleaned_data["location"], form.cleaned_data["name"]
        try:
            made = requests.request_staging(person_of(request), [], place, name, executions=wanted)
        except CcatError as error:
            form.add_error(None, str(error))
        else:
            collected.clear()
            messages.success(request, "Your request is on its way. This page follows it.")
            return redirect("staging:job", pk=made.pk)
    return render(request, "staging/basket.html", {"form": form, "most": MAX_EXECUTIONS, **_shown(request, rows, form)})


@needs("stage:data")
@require_POST
def change(request: HttpRequest) -> HttpResponse:
    """Put observations in or take them out, and go back to where one was."""
    collected, named = Basket(request), request.POST.getlist("observation")[: 10 * MAX_EXECUTIONS]
    wanted = request.POST.get("do", "")
    if wanted == "add":
        left_out = collected.add(named)
        messages.success(request, f"The basket has {len(collected)} observation{'' if len(collected) == 1 else 's'}.")
        if left_out:
            messages.error(request, f"It is full: {left_out} more did not fit. One job may have {MAX_EXECUTIONS}.")
    elif wanted == "remove":
        collected.remove(named)
    elif wanted == "clear":
        collected.clear()
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(back) if is_ours else redirect("staging:basket")


def _shown(request: HttpRequest, rows: list[Any], form: BasketForm) -> dict[str, Any]:
    user = person_of(request)
    packages = packages_of(user, executions=[row.pk for row in rows])
    own: dict[Any, list[Any]] = {}
    for package in packages:
        own.setdefault(package.executed_obs_unit_id, []).append(package)
    lines = [(row, len(own.get(row.pk, [])), sum(each.size or 0 for each in own.get(row.pk, []))) for row in rows]
    places: Any = form.fields["location"]
    costs = [(place, estimate(user, packages, place)) for place in places.queryset] if rows else []
    return {"lines": lines, "costs": costs, "of_streams": len(own.get(None, []))}
