"""The gateway app: filing at the telescope while the link to the main site is down."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate


class GatewayConfig(AppConfig):
    """At the main site it offers the reference data; at the telescope it keeps and replays what is filed."""

    name = "gateway"
    verbose_name = "Site gateway"

    def ready(self) -> None:
        """Keys that are given at a gateway never meet those of the main site."""
        post_migrate.connect(_keep_keys_apart, sender=self)


def _keep_keys_apart(using: str, **_: Any) -> None:
    from gateway.reference.keys import keep_keys_apart

    if settings.SITE_ROLE == "gateway":
        keep_keys_apart(using)
