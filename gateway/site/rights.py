"""What people may do in a gateway's portal: the reference data is a copy, and the flow is not there."""

from __future__ import annotations

from typing import Any

from accounts.auth.backend import RoleBackend

#: Apps whose rows only the main site has.
ABSENT = frozenset({"notifications", "transfer"})


class GatewayBackend(RoleBackend):
    """Roles decide as at the main site; whatever comes from there is only read."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """Our own ``action:resource``, and looking at what is here."""
        app, _, codename = perm.partition(".")
        if ":" not in perm and (app in ABSENT or not codename.startswith("view_")):
            return False
        return super().has_perm(user_obj, perm, obj)
