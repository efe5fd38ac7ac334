"""The datamgmt app: where data is."""

from __future__ import annotations

from django.apps import AppConfig


class DatamgmtConfig(AppConfig):
    """Sites, locations, files, packages, copies."""

    name = "datamgmt"
    verbose_name = "Data"
