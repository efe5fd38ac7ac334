"""The top floor as an app of Django: its commands and template tags."""

from __future__ import annotations

from django.apps import AppConfig


class CcatdcConfig(AppConfig):
    """The top floor: settings, portal, the demo and the commands that span apps."""

    name = "ccatdc"
