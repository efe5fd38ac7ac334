"""The accounts app: default roles appear with its tables."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    """People and programs that log in."""

    name = "accounts"

    def ready(self) -> None:
        """Default roles after each ``migrate``; the audit log, and who sees what, for the layers below."""
        from accounts.auth.visibility import narrowed
        from accounts.models import record
        from ccatdc.common.audit.log import write_with
        from ccatdc.common.visibility import narrow_with

        write_with(record)
        narrow_with(narrowed)
        post_migrate.connect(_ensure_default_roles, sender=self)


def _ensure_default_roles(using: str, **_: Any) -> None:
    """Unless the tables are not there (``migrate accounts zero``)."""
    from accounts.auth.defaults import ensure_default_roles
    from accounts.models import Role

    if Role._meta.db_table in connections[using].introspection.table_names():
        ensure_default_roles()
