"""The top floor as an app of Django: its commands and template tags, and what keeps a history."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class CcatdcConfig(AppConfig):
    """The top floor: settings, portal, the demo and the commands that span apps."""

    name = "ccatdc"

    def ready(self) -> None:
        """The triggers of history are in step with the code after each ``migrate``."""
        from ccatdc.tracked import register

        register()
        # The signal comes for apps with models only, one by one; the last of ours with tables is this.
        post_migrate.connect(_install_triggers, sender=apps.get_app_config("transfer"))


def _install_triggers(using: str, **_: Any) -> None:
    from ccatdc.tracked import install

    install(using)
