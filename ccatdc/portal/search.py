"""Ctrl-K: everything that a word or an id may mean, of all kinds at once, as far as the person may see it.

Each kind is searched as its own list is (the ``get_search_results`` of its page), so that what a list finds is found here
too, with the same rights and by the same indexes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst

from ccatdc.common.admin.badges import list_url
from ccatdc.common.admin.base import SEARCH_LENGTH
from ccatdc.portal.navigation import GROUPS

#: What is searched, the first to look at first, and the column of its list that says how it is ("": none).
SEARCHED: Final = (
    ("planning.executedobsunit", "status_shown"),
    ("datamgmt.rawdatafile", "verdict"),
    ("datamgmt.rawdatapackage", "state_shown"),
    ("datamgmt.datatransferpackage", "status_shown"),
    ("transfer.operation", "state"),
    ("transfer.stagingjob", "state"),
    ("planning.observingprogram", ""),
    ("planning.obsunit", ""),
    ("planning.source", ""),
    ("datamgmt.site", ""),
    ("datamgmt.datalocation", "condition"),
    ("transfer.datatransferroute", ""),
    ("observatory.instrument", ""),
    ("observatory.instrumentmodule", ""),
    ("observatory.datastream", ""),
)
#: Of each kind; its list has the others.
SHOWN: Final = 6
#: Less than this means too much.
SHORTEST: Final = 2
_ICONS: Final = {model: icon for _, _, entries in GROUPS for icon, model in entries}


@dataclass(frozen=True, slots=True)
class Found:
    """One thing: its name, how it is, and its page."""

    title: str
    state: str
    url: str


@dataclass(frozen=True, slots=True)
class FoundKind:
    """What was found of one kind. ``more`` is the address of its list where not everything is shown."""

    title: str
    icon: str
    found: list[Found]
    more: str


def search(request: HttpRequest, text: str) -> list[FoundKind]:
    """Of each kind that the person may look at, the first few that the text means. Some two dozen queries."""
    term = text.strip()[:SEARCH_LENGTH].replace("\0", "")
    if len(term) < SHORTEST:
        return []
    kinds = (_search_kind(request, label, column, term) for label, column in SEARCHED)
    return [kind for kind in kinds if kind is not None and kind.found]


def _search_kind(request: HttpRequest, label: str, column: str, term: str) -> FoundKind | None:
    model: Any = apps.get_model(label)
    page: Any = admin.site.get_model_admin(model)
    if not page.has_view_permission(request):
        return None
    rows, may_repeat = page.get_search_results(request, page.get_queryset(request), term)
    if page.list_select_related:
        rows = rows.select_related(*page.list_select_related)
    if may_repeat:
        rows = rows.distinct()
    shown = list(rows[: SHOWN + 1])
    found = [_found(page, model, row, column) for row in shown[:SHOWN]]
    app, name = model._meta.app_label, model._meta.model_name
    more = list_url(app, name, q=term) if len(shown) > SHOWN else ""
    return FoundKind(capfirst(str(model._meta.verbose_name_plural)), _ICONS[label], found, more)


def _found(page: Any, model: Any, row: Any, column: str) -> Found:
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
    return Found(str(row), str(getattr(page, column)(row)) if column else "", address)
