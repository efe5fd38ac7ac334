"""Metadata of a package that the core tables do not hold but IVOA records need (ops-db RawDataPackageMetadata).

``computed`` is ours, written by datamgmt/metadata/; every other column is people's and wins over it. The ``obs_``
columns are what holds in the end: the database keeps them, so that they can never be out of step.
"""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, FloatField, Q, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, NullIf

from ccatdc.common.errors import RequestError
from ccatdc.common.models import TimeStamped
from datamgmt.models.packages import RawDataPackage
from planning.models.visibility import observed_for
from planning.sky.regions import region_of


class MetadataQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> MetadataQuerySet:
        """Of observations that the person may see."""
        return self.filter(observed_for(user, "raw_data_package__executed_obs_unit__"))

    def of_package(self, pk: Any) -> MetadataQuerySet:
        return self.filter(raw_data_package=pk)

    def filled(self) -> MetadataQuerySet:
        """Computed at some time, however much of it could be told."""
        return self.filter(computed_at__isnull=False)


def _number(name: str) -> Cast:
    return Cast(KeyTextTransform(name, KeyTextTransform("obscore", "computed")), FloatField())


def _holds(correction: str | None, name: str) -> Any:
    """A column that the database keeps: the correction, else what was computed."""
    number = _number(name)
    expression = number if correction is None else Coalesce(F(correction), number)
    return models.GeneratedField(expression=expression, output_field=FloatField(null=True), db_persist=True)


_CORRECTION = "Empty: as computed."
#: Columns that the database keeps.
COMPUTED: Final = (
    "obs_ra_deg",
    "obs_dec_deg",
    "obs_fov_deg",
    "obs_region",
    "obs_em_min_m",
    "obs_em_max_m",
    "obs_exptime_s",
    "obs_t_min_mjd",
    "obs_t_max_mjd",
)


class RawDataPackageMetadata(TimeStamped):
    """Instrument parameters, quality, provenance and free fields; corrections of ObsCore values where set.

    Units: angles degrees, wavelengths metres, exposure seconds, times days (MJD, UTC). The region is STC-S: a circle or a
    polygon in ICRS (planning/sky/regions.py).
    """

    raw_data_package = models.OneToOneField(RawDataPackage, models.PROTECT, related_name="metadata")
    instrument_parameters = models.JSONField(default=dict, blank=True)
    quality_metrics = models.JSONField(default=dict, blank=True)
    provenance = models.JSONField(default=dict, blank=True)
    custom_metadata = models.JSONField(default=dict, blank=True)
    s_ra_deg = models.FloatField(null=True, blank=True, help_text=_CORRECTION)
    s_dec_deg = models.FloatField(null=True, blank=True, help_text=_CORRECTION)
    s_fov_deg = models.FloatField(null=True, blank=True, help_text=_CORRECTION)
    s_region = models.TextField(
        blank=True, help_text=f"{_CORRECTION} CIRCLE ICRS ra dec radius, or POLYGON ICRS ra1 dec1 ra2 dec2 ra3 dec3."
    )
    em_min_m = models.FloatField(null=True, blank=True, help_text=_CORRECTION)
    em_max_m = models.FloatField(null=True, blank=True, help_text=_CORRECTION)
    t_exptime_s = models.FloatField(null=True, blank=True, help_text=_CORRECTION)
    pol_states = models.CharField(max_length=64, blank=True, help_text=_CORRECTION)
    metadata_version = models.PositiveIntegerField(default=1)
    computed = models.JSONField(default=dict, blank=True, editable=False)
    computed_at = models.DateTimeField(null=True, blank=True, editable=False)
    obs_ra_deg = _holds("s_ra_deg", "s_ra")
    obs_dec_deg = _holds("s_dec_deg", "s_dec")
    obs_fov_deg = _holds("s_fov_deg", "s_fov")
    obs_region = models.GeneratedField(
        expression=Coalesce(
            NullIf(F("s_region"), Value("")), KeyTextTransform("s_region", KeyTextTransform("obscore", "computed"))
        ),
        output_field=TextField(null=True),
        db_persist=True,
    )
    obs_em_min_m = _holds("em_min_m", "em_min")
    obs_em_max_m = _holds("em_max_m", "em_max")
    obs_exptime_s = _holds("t_exptime_s", "t_exptime")
    obs_t_min_mjd = _holds(None, "t_min")
    obs_t_max_mjd = _holds(None, "t_max")

    objects = MetadataQuerySet.as_manager()

    class Meta:
        db_table = "raw_data_package_metadata"
        verbose_name = verbose_name_plural = "package metadata"
        # Declination first, as for sources: a cone is a narrow band of it.
        indexes = [
            models.Index(fields=["obs_dec_deg", "obs_ra_deg"], name="metadata_dec_ra"),
            models.Index(fields=["obs_t_min_mjd"], name="metadata_t_min"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(s_ra_deg__isnull=True, s_dec_deg__isnull=True)
                | Q(
                    s_ra_deg__isnull=False,
                    s_ra_deg__gte=0,
                    s_ra_deg__lt=360,
                    s_dec_deg__isnull=False,
                    s_dec_deg__range=(-90, 90),
                ),
                name="metadata_position",
            ),
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

    def clean(self) -> None:
        """A region is one that the tables of the Virtual Observatory can search."""
        super().clean()
        if self.s_region:
            try:
                region_of(self.s_region)
            except RequestError as error:
                raise ValidationError({"s_region": str(error)}) from error

    @property
    def problems(self) -> list[str]:
        """What could not be told."""
        found: list[str] = self.computed.get("problems", [])
        return found
