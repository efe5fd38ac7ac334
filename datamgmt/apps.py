"""The datamgmt app: where data is."""

from __future__ import annotations

from django.apps import AppConfig


class DatamgmtConfig(AppConfig):
    name = "datamgmt"
    verbose_name = "Data"
