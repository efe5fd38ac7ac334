"""The transfer app: how data moves."""

from __future__ import annotations

from django.apps import AppConfig


class TransferConfig(AppConfig):
    """Operations, routes, staging jobs."""

    name = "transfer"
    verbose_name = "Work"
