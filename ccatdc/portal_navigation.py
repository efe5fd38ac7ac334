"""The portal's sidebar: what is looked at daily comes first, what is set up once comes last."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

#: Label, icon (Material Symbols) and model.
Entry = tuple[str, str, str]
#: Title, whether it folds, and its entries.
Group = tuple[str, bool, tuple[Entry, ...]]
GROUPS: tuple[Group, ...] = (
    (
        "Data",
        False,
        (
            ("Executions", "nights_stay", "planning.executedobsunit"),
            ("Files", "draft", "datamgmt.rawdatafile"),
            ("Packages", "package_2", "datamgmt.rawdatapackage"),
            ("Bundles", "inventory_2", "datamgmt.datatransferpackage"),
            ("Copies", "file_copy", "datamgmt.physicalcopy"),
        ),
    ),
    (
        "Work",
        False,
        (
            ("Operations", "conveyor_belt", "transfer.operation"),
            ("Staging jobs", "download", "transfer.stagingjob"),
            ("Services", "ecg_heart", "transfer.serviceheartbeat"),
            ("Circuit breakers", "electrical_services", "transfer.circuitbreaker"),
            ("Diary", "menu_book", "accounts.systemlog"),
            ("History", "history", "accounts.change"),
        ),
    ),
    (
        "Data center",
        True,
        (
            ("Sites", "public", "datamgmt.site"),
            ("Locations", "storage", "datamgmt.datalocation"),
            ("Routes", "route", "transfer.datatransferroute"),
            ("Turns of routes", "sync", "transfer.roundrobincursor"),
            ("Archives by older names", "archive", "datamgmt.dataarchive"),
        ),
    ),
    (
        "Observing",
        True,
        (
            ("Programs", "science", "planning.observingprogram"),
            ("Sub-programs", "account_tree", "planning.subobservingprogram"),
            ("Members of programs", "groups", "planning.programmembership"),
            ("Obs units", "event_note", "planning.obsunit"),
            ("Configurations of obs units", "settings", "planning.observationconfiguration"),
            ("Inpar parameters", "list", "planning.chaiinparparameter"),
            ("Tiles of CHAI maps", "grid_view", "planning.chaitiling"),
            ("Slots", "schedule", "planning.prescheduledslot"),
            ("Obs modes", "tune", "planning.obsmode"),
            ("Sources", "star", "planning.source"),
            ("Azimuth ranges", "radar", "planning.constantelevationazimuthrange"),
            ("Lines", "show_chart", "observatory.line"),
            ("Observatories", "domain", "observatory.observatory"),
            ("Telescopes", "satellite_alt", "observatory.telescope"),
            ("Instruments", "photo_camera", "observatory.instrument"),
            ("Modules", "memory", "observatory.instrumentmodule"),
            ("Set-ups of modules", "build", "observatory.instrumentmoduleconfiguration"),
        ),
    ),
    (
        "Logs",
        True,
        (
            ("Transfers", "receipt_long", "transfer.datatransferlog"),
            ("Archive transfers", "receipt_long", "transfer.longtermarchivetransferlog"),
            ("Staging", "receipt_long", "transfer.stagingjoblog"),
            ("Deletions", "auto_delete", "transfer.deletionitem"),
            ("Package metadata", "data_object", "datamgmt.rawdatapackagemetadata"),
        ),
    ),
    (
        "People",
        True,
        (
            ("Users", "person", "accounts.user"),
            ("Roles", "badge", "accounts.role"),
            ("Permissions", "key", "accounts.permission"),
            ("API tokens", "vpn_key", "accounts.apitoken"),
            ("Failed log-ins", "lock_clock", "accounts.failedattempt"),
        ),
    ),
)


def navigation(_request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar of the main site."""
    return navigation_of(GROUPS)


def groups_of(present: Collection[str]) -> list[Group]:
    """The groups with the entries of these apps and models only."""
    chosen = [
        (title, folds, tuple(e for e in entries if {e[2], e[2].partition(".")[0]} & {*present}))
        for title, folds, entries in GROUPS
    ]
    return [group for group in chosen if group[2]]


def navigation_of(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The groups as unfold wants them; what a person may not see is left out."""
    first = {"title": "Overview", "icon": "monitoring", "link": reverse("admin:index")}
    return [
        {"items": [first]},
        *(
            {
                "title": title,
                "separator": True,
                "collapsible": collapsible,
                "items": [_entry(*entry) for entry in entries],
            }
            for title, collapsible, entries in groups
        ),
    ]


def _entry(label: str, icon: str, model: str) -> dict[str, Any]:
    app, _, name = model.partition(".")
    return {
        "title": label,
        "icon": icon,
        "link": reverse(f"admin:{app}_{name}_changelist"),
        "permission": _may_see(app, name),
    }


def _may_see(app: str, name: str) -> Callable[[HttpRequest], bool]:
    """Whether the page of the model shows itself to the person: its own rule, asked where it is."""

    def may(request: HttpRequest) -> bool:
        from django.apps import apps
        from django.contrib import admin

        page = admin.site.get_model_admin(apps.get_model(app, name))
        return page.has_view_permission(request)

    return may
