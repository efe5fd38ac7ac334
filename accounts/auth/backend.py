"""How roles become rights in the portal: viewing needs a read permission, changing needs more."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from accounts.models import User

#: What an admin action on the models of an app needs. Views need ``read:observations``.
CHANGE_NEEDS = {
    "planning": "write:observations",
    "datamgmt": "write:transfers",
    "transfer": "write:transfers",
    "observatory": "configure:system",
    "accounts": "manage:users",
}
#: Who is in a program decides who sees its data.
MEMBERSHIPS = "programmembership"
#: Pages of the portal for who sees some programs only: what they show is one row with its own, or no program's. The
#: others tell of work that mixes programs.
NARROWED_APPS = frozenset({"observatory", "planning"})
NARROWED_MODELS = frozenset({"rawdatafile"})
CONFIGURATION_MODELS = frozenset(
    {
        "site",
        "diskdatalocation",
        "s3datalocation",
        "tapedatalocation",
        "datalocation",
        "datatransferroute",
        "dataarchive",
    }
)


class RoleBackend(ModelBackend):
    """Password log-in; permissions from roles instead of Django's own permission tables."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:  # noqa: ARG002
        """``app.action_model`` for the portal, or our own ``action:resource``."""
        if not isinstance(user_obj, User) or not user_obj.is_active:
            return False
        return user_obj.may(needed_permission(perm)) and (user_obj.sees_all_programs or not _shows_all_programs(perm))

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:  # noqa: ARG002
        """Whether anything of an app is shown."""
        return isinstance(user_obj, User) and user_obj.may("read:observations")


def _shows_all_programs(perm: str) -> bool:
    """Whether a page of the portal shows data of programs without asking whose it is."""
    app, _, codename = perm.partition(".")
    model = codename.partition("_")[2]
    elsewhere = ":" in perm or app == "accounts"
    narrowed = (app in NARROWED_APPS and model != MEMBERSHIPS) or model in NARROWED_MODELS
    return not (elsewhere or narrowed)


def needed_permission(perm: str) -> str:
    """Our permission behind Django's ``app.action_model``."""
    if ":" in perm:
        return perm
    app, _, codename = perm.partition(".")
    action, _, model = codename.partition("_")
    if app == "accounts" or (model == MEMBERSHIPS and action != "view"):
        return "manage:users"
    if action == "view":
        return "read:observations"
    if model in CONFIGURATION_MODELS:
        return "configure:system"
    return CHANGE_NEEDS.get(app, "configure:system")
