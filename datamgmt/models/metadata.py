"""Metadata of a package that the core tables do not hold but IVOA records need (ops-db RawDataPackageMetadata)."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q

from ccatdc.common.models import TimeStamped
from datamgmt.models.packages import RawDataPackage
from planning.models.visibility import observed_for


class MetadataQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> MetadataQuerySet:
        """Of observations that the person may see."""
        return self.filter(observed_for(user, "raw_data_package__executed_obs_unit__"))


class RawDataPackageMetadata(TimeStamped):
    """Instrument parameters, quality, provenance and free fields; overrides of ObsCore values where set.

    Units: field of view degrees, wavelengths metres, exposure seconds.
    """

    raw_data_package = models.OneToOneField(RawDataPackage, models.PROTECT, related_name="metadata")
    instrument_parameters = models.JSONField(default=dict, blank=True)
    quality_metrics = models.JSONField(default=dict, blank=True)
    provenance = models.JSONField(default=dict, blank=True)
    custom_metadata = models.JSONField(default=dict, blank=True)
    s_fov_deg = models.FloatField(null=True, blank=True)
    s_region = models.TextField(blank=True)
    em_min_m = models.FloatField(null=True, blank=True)
    em_max_m = models.FloatField(null=True, blank=True)
    t_exptime_s = models.FloatField(null=True, blank=True)
    pol_states = models.CharField(max_length=64, blank=True)
    metadata_version = models.PositiveIntegerField(default=1)

    objects = MetadataQuerySet.as_manager()

    class Meta:
        db_table = "raw_data_package_metadata"
        verbose_name = verbose_name_plural = "package metadata"
        constraints = [
            models.CheckConstraint(
                condition=(Q(em_min_m__isnull=True) | Q(em_min_m__gt=0))
                & (Q(em_max_m__isnull=True) | Q(em_max_m__gt=0))
                & (Q(em_min_m__isnull=True) | Q(em_max_m__isnull=True) | Q(em_min_m__lte=F("em_max_m"))),
                name="metadata_wavelengths",
            ),
            models.CheckConstraint(
                condition=(Q(s_fov_deg__isnull=True) | Q(s_fov_deg__gt=0, s_fov_deg__lte=360))
                & (Q(t_exptime_s__isnull=True) | Q(t_exptime_s__gte=0)),
                name="metadata_extent",
            ),
        ]

    def __str__(self) -> str:
        return f"Metadata of {self.raw_data_package}"
