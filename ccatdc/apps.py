"""The top layer as an app of Django: commands and template tags that span apps, and what keeps a history."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate

#: Apps with tables.
OUR_APPS = ("observatory", "accounts", "planning", "datamgmt", "transfer")


class CcatdcConfig(AppConfig):
    """The top layer: settings, portal, and commands that span apps."""

    name = "ccatdc"

    def ready(self) -> None:
        """The triggers of history are in step with the code after each ``migrate``; fields have names for people."""
        from ccatdc.audited_models import register
        from ccatdc.common.units import name_fields

        register()
        for app in OUR_APPS:
            name_fields(apps.get_app_config(app).get_models())
        # The signal comes for apps with models only, one by one; the last of ours with tables is this.
        post_migrate.connect(_install_triggers, sender=apps.get_app_config("transfer"))


def _install_triggers(using: str, **_: Any) -> None:
    from ccatdc.audited_models import install

    install(using)
