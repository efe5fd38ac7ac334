"""The top layer as an app of Django: commands and template tags that span apps, and what keeps a history."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate

#: Apps with tables.
OUR_APPS = ("observatory", "accounts", "notifications", "planning", "datamgmt", "transfer")


class CcatdcConfig(AppConfig):
    """The top layer: settings, portal, and commands that span apps."""

    name = "ccatdc"

    def ready(self) -> None:
        """Triggers of history and rights of roles follow the code after each ``migrate``; fields have names for people."""
        from ccatdc.audited_models import register
        from ccatdc.common.units import name_fields

        register()
        for app in OUR_APPS:
            name_fields(apps.get_app_config(app).get_models())
        # The signal comes for apps with models only, one by one; the last of ours with tables is this.
        post_migrate.connect(_after_migrate, sender=apps.get_app_config("transfer"))


def _after_migrate(using: str, **sent: Any) -> None:
    from ccatdc.audited_models import install
    from ccatdc.database_roles.granting import renew_after_migrate

    install(using)
    renew_after_migrate(**sent)
