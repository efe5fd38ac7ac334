"""The transfer app: how data moves."""

from __future__ import annotations

from django.apps import AppConfig


class TransferConfig(AppConfig):
    name = "transfer"
    verbose_name = "Work"
