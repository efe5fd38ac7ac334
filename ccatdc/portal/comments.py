"""Comments and notes of shifts, as they are posted from pages of the portal."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import messages
from django.db import models
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.comments import comment
from accounts.people import person_of
from ccatdc.common.errors import CcatError


def say(site: Any, request: HttpRequest) -> str:
    """Write what was posted, say so, and return the address to go on with. Http404 for a thing that the person may not
    see.
    """
    about = _thing(site, request) if request.POST.get("kind") else None
    try:
        comment(request.POST.get("text", ""), user=person_of(request), about=about)
    except CcatError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Noted." if about is None else f"Noted on {about}.")
    back = request.POST.get("next", "")
    return back if url_has_allowed_host_and_scheme(back, {request.get_host()}) else reverse("admin:index")


def _thing(site: Any, request: HttpRequest) -> models.Model:
    try:
        page = site.get_model_admin(apps.get_model(request.POST["kind"]))
    except (LookupError, ValueError) as error:
        raise Http404 from error
    thing: models.Model | None = page.get_object(request, request.POST.get("key", ""))
    if thing is None or not page.has_view_or_change_permission(request, thing):
        raise Http404
    return thing
