"""The hierarchy that produces data: Observatory, Telescope, Instrument, InstrumentModule.

Source of the hierarchy: ops-db "observatory hierarchy". Longitudes are east-positive (KOSMA software counts west).
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from ccatdc.common.states import known_values
from observatory.models.tuning import tuning_in_range


class Observatory(models.Model):
    """A facility that groups telescopes."""

    name = models.CharField(max_length=128, unique=True)
    short_name = models.SlugField(max_length=32, unique=True)
    description = models.TextField(blank=True)
    url = models.URLField(blank=True)

    class Meta:
        db_table = "observatory"
        verbose_name_plural = "observatories"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Telescope(models.Model):
    """A telescope at a place. Angles in degrees, altitude and aperture in metres, limits of the mount included."""

    observatory = models.ForeignKey(Observatory, models.PROTECT, related_name="telescopes")
    name = models.CharField(max_length=128)
    short_name = models.SlugField(max_length=32, unique=True)
    lon_deg = models.FloatField(help_text="East-positive, degrees.")
    lat_deg = models.FloatField(help_text="Degrees.")
    alt_m = models.FloatField(help_text="Metres above sea level.")
    aperture_m = models.FloatField(help_text="Metres.")
    az_min_deg = models.FloatField(default=-180)
    az_max_deg = models.FloatField(default=360)
    el_min_deg = models.FloatField(default=20)
    el_max_deg = models.FloatField(default=90)
    az_speed_max_deg_s = models.FloatField(default=3, help_text="Degrees of azimuth per second.")
    el_speed_max_deg_s = models.FloatField(default=1.5, help_text="Degrees per second.")
    plate_scale_arcsec_per_mm = models.FloatField(null=True, blank=True)

    class Meta:
        db_table = "telescope"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["observatory", "name"], name="telescope_name_unique"),
            models.CheckConstraint(condition=Q(lat_deg__gte=-90, lat_deg__lte=90), name="telescope_latitude_range"),
            models.CheckConstraint(condition=Q(lon_deg__gte=-180, lon_deg__lte=180), name="telescope_longitude_range"),
            models.CheckConstraint(condition=Q(el_min_deg__lt=F("el_max_deg")), name="telescope_elevation_order"),
            models.CheckConstraint(condition=Q(az_min_deg__lt=F("az_max_deg")), name="telescope_azimuth_order"),
            # The mount can go over the top: elevations beyond 90 degrees are angles that it may be told.
            models.CheckConstraint(
                condition=Q(el_min_deg__gte=-90, el_max_deg__lte=180), name="telescope_elevation_range"
            ),
            models.CheckConstraint(
                condition=Q(az_min_deg__gte=-360, az_max_deg__lte=360), name="telescope_azimuth_range"
            ),
            models.CheckConstraint(
                condition=Q(az_speed_max_deg_s__gt=0, el_speed_max_deg_s__gt=0), name="telescope_speeds_positive"
            ),
            models.CheckConstraint(
                condition=Q(aperture_m__gt=0)
                & (Q(plate_scale_arcsec_per_mm__isnull=True) | Q(plate_scale_arcsec_per_mm__gt=0)),
                name="telescope_optics_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class InstrumentType(models.TextChoices):
    """How an instrument detects."""

    CAMERA = "camera", "Camera"
    HETERODYNE = "heterodyne", "Heterodyne"
    SPECTROMETER = "spectrometer", "Spectrometer"


class Instrument(models.Model):
    """An instrument on a telescope; ``available`` says whether it is installed and working."""

    telescope = models.ForeignKey(Telescope, models.PROTECT, related_name="instruments")
    name = models.CharField(max_length=64)
    short_name = models.SlugField(max_length=32, unique=True, help_text="Part of object keys in the archives.")
    available = models.BooleanField(default=True)
    instrument_type = models.CharField(max_length=16, choices=InstrumentType.choices)
    description = models.TextField(blank=True)

    class Meta:
        db_table = "instrument"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["telescope", "name"], name="instrument_name_unique"),
            known_values("instrument_type", InstrumentType, "instrument_type_known"),
        ]

    def __str__(self) -> str:
        return self.name


class InstrumentModule(models.Model):
    """The part of an instrument where data is produced; every raw file belongs to exactly one.

    Files of no science module (pointing, housekeeping) belong to the instrument's ``housekeeping`` module. Frequencies
    in GHz, beam in arcseconds, focal-plane offsets in arcminutes. ``field_radius_arcmin`` is from there to the outermost
    detector: with it scans are judged by the edge of the footprint (planning/scheduling/patterns.py).
    """

    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="modules")
    name = models.CharField(max_length=64)
    short_name = models.SlugField(max_length=32, help_text="Part of object keys in the archives.")
    available = models.BooleanField(default=True)
    n_pixels = models.PositiveIntegerField(null=True, blank=True)
    freq_min_ghz = models.FloatField(null=True, blank=True)
    freq_max_ghz = models.FloatField(null=True, blank=True)
    focal_plane_slot = models.CharField(max_length=8, blank=True)
    offset_x_arcmin = models.FloatField(null=True, blank=True)
    offset_y_arcmin = models.FloatField(null=True, blank=True)
    field_radius_arcmin = models.FloatField(
        null=True, blank=True, help_text="From the middle of the module to its outermost detector."
    )
    beam_fwhm_arcsec = models.FloatField(null=True, blank=True)
    polarization_sensitive = models.BooleanField(default=False)

    class Meta:
        verbose_name = "module"
        db_table = "instrument_module"
        ordering = ["instrument", "name"]
        constraints = [
            models.UniqueConstraint(fields=["instrument", "name"], name="module_name_unique"),
            models.UniqueConstraint(fields=["instrument", "short_name"], name="module_short_name_unique"),
            models.CheckConstraint(
                condition=Q(freq_min_ghz__isnull=True)
                | Q(freq_max_ghz__isnull=True)
                | Q(freq_min_ghz__gt=0, freq_min_ghz__lte=F("freq_max_ghz")),
                name="module_frequency_order",
            ),
            models.CheckConstraint(
                condition=(Q(freq_min_ghz__isnull=True) | Q(freq_min_ghz__gt=0))
                & (Q(freq_max_ghz__isnull=True) | Q(freq_max_ghz__gt=0)),
                name="module_frequency_positive",
            ),
            models.CheckConstraint(
                condition=Q(beam_fwhm_arcsec__isnull=True) | Q(beam_fwhm_arcsec__gt=0), name="module_beam_positive"
            ),
            models.CheckConstraint(
                condition=Q(field_radius_arcmin__isnull=True)
                | Q(field_radius_arcmin__gt=0, field_radius_arcmin__lte=600),
                name="module_field_radius_range",
            ),
        ]
        triggers = [tuning_in_range("m.id = NEW.id", ("freq_min_ghz", "freq_max_ghz"))]

    def __str__(self) -> str:
        return f"{self.instrument} {self.name}"
