"""The portal's menu: what is looked at daily comes first, what is configured once comes last.

An entry is named as its model is (``verbose_name_plural``), so that menu, page titles and breadcrumbs agree.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from django.apps import apps
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst

#: Icon (Material Symbols) and model.
Entry = tuple[str, str]
#: Title, whether it folds, and its entries.
Group = tuple[str, bool, tuple[Entry, ...]]
GROUPS: tuple[Group, ...] = (
    (
        "Data",
        False,
        (
            ("nights_stay", "planning.executedobsunit"),
            ("draft", "datamgmt.rawdatafile"),
            ("package_2", "datamgmt.rawdatapackage"),
            ("inventory_2", "datamgmt.datatransferpackage"),
            ("file_copy", "datamgmt.physicalcopy"),
            ("help_center", "datamgmt.unrecordedfile"),
        ),
    ),
    (
        "Products",
        True,
        (
            ("auto_awesome", "datamgmt.dataproduct"),
            ("play_circle", "datamgmt.processingrun"),
            ("terminal", "datamgmt.reductionsoftware"),
            ("commit", "datamgmt.reductionsoftwareversion"),
            ("article", "datamgmt.publication"),
        ),
    ),
    (
        "Work",
        False,
        (
            ("conveyor_belt", "transfer.operation"),
            ("download", "transfer.stagingjob"),
            ("data_usage", "transfer.stagingquota"),
            ("rocket_launch", "transfer.processingjob"),
            ("ecg_heart", "transfer.serviceheartbeat"),
            ("electrical_services", "transfer.circuitbreaker"),
            ("menu_book", "accounts.systemlog"),
            ("history", "accounts.change"),
        ),
    ),
    (
        "Notifications",
        True,
        (
            ("notifications_active", "notifications.alert"),
            ("outgoing_mail", "notifications.outgoingmessage"),
            ("rule", "notifications.notificationrule"),
            ("campaign", "notifications.notificationchannel"),
        ),
    ),
    (
        "Data center",
        True,
        (
            ("public", "datamgmt.site"),
            ("storage", "datamgmt.datalocation"),
            ("route", "transfer.datatransferroute"),
            ("memory", "transfer.runbackend"),
            ("schema", "transfer.reductionpipeline"),
            ("sync", "transfer.roundrobincursor"),
            ("archive", "datamgmt.dataarchive"),
        ),
    ),
    (
        "Observing",
        True,
        (
            ("science", "planning.observingprogram"),
            ("account_tree", "planning.subobservingprogram"),
            ("groups", "planning.programmembership"),
            ("event_note", "planning.obsunit"),
            ("settings", "planning.observationconfiguration"),
            ("list", "planning.chaiinparparameter"),
            ("grid_view", "planning.chaitiling"),
            ("schedule", "planning.prescheduledslot"),
            ("tune", "planning.obsmode"),
            ("timer", "planning.calibrationcadence"),
            ("partly_cloudy_day", "planning.weathersample"),
            ("star", "planning.source"),
            ("radar", "planning.constantelevationazimuthrange"),
            ("show_chart", "observatory.line"),
            ("domain", "observatory.observatory"),
            ("satellite_alt", "observatory.telescope"),
            ("photo_camera", "observatory.instrument"),
            ("memory", "observatory.instrumentmodule"),
            ("waves", "observatory.datastream"),
            ("build", "observatory.instrumentmoduleconfiguration"),
        ),
    ),
    (
        "Logs",
        True,
        (
            ("receipt_long", "transfer.datatransferlog"),
            ("receipt_long", "transfer.longtermarchivetransferlog"),
            ("receipt_long", "transfer.stagingjoblog"),
            ("file_download", "transfer.download"),
            ("auto_delete", "transfer.deletionitem"),
            ("functions", "transfer.worktotal"),
            ("data_usage", "transfer.locationusage"),
            ("travel_explore", "transfer.queryjob"),
            ("data_object", "datamgmt.rawdatapackagemetadata"),
        ),
    ),
    (
        "People",
        True,
        (
            ("person", "accounts.user"),
            ("badge", "accounts.role"),
            ("key", "accounts.permission"),
            ("vpn_key", "accounts.apitoken"),
            ("lock_clock", "accounts.failedlogin"),
        ),
    ),
)


def navigation(_request: HttpRequest) -> list[dict[str, Any]]:
    """The menu of the main site."""
    over_time = {
        "title": "Over time",
        "icon": "query_stats",
        "link": reverse("admin:over_time"),
        "permission": _may_oversee,
    }
    return navigation_of(GROUPS, over_time)


def groups_of(present: Collection[str]) -> list[Group]:
    """The groups with the entries of these apps and models only."""
    chosen = [
        (title, folds, tuple(e for e in entries if {e[1], e[1].partition(".")[0]} & {*present}))
        for title, folds, entries in GROUPS
    ]
    return [group for group in chosen if group[2]]


def navigation_of(groups: Sequence[Group], *more: dict[str, Any]) -> list[dict[str, Any]]:
    """The groups as unfold wants them, below the first page and ``more``; what a person may not see is left out."""
    first = {"title": "Overview", "icon": "monitoring", "link": reverse("admin:index")}
    return [
        {"items": [first, *more]},
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


def _entry(icon: str, model: str) -> dict[str, Any]:
    app, _, name = model.partition(".")
    label = apps.get_model(model)._meta.verbose_name_plural
    return {
        "title": capfirst(str(label)),
        "icon": icon,
        "link": reverse(f"admin:{app}_{name}_changelist"),
        "permission": _may_see(app, name),
    }


def _may_oversee(request: HttpRequest) -> bool:
    from django.contrib import admin

    page: Any = admin.site
    return bool(page.may_oversee(request))


def _may_see(app: str, name: str) -> Callable[[HttpRequest], bool]:
    """Whether the page of the model shows itself to the person: its own rule, asked where it is."""

    def may(request: HttpRequest) -> bool:
        from django.contrib import admin

        page = admin.site.get_model_admin(apps.get_model(app, name))
        return page.has_view_permission(request)

    return may
