"""What the telescope points at: fixed coordinates, solar-system objects, constant-elevation fields."""

from __future__ import annotations

import difflib
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from polymorphic.models import PolymorphicModel

from ccatdc.common.states import known_values
from planning.sky import positions
from planning.sky.cones import FixedSourceManager
from planning.sky.ephemerides import BODIES

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

    from observatory.models import Telescope

#: What a mount with cable wrap may be told: a turn to either side of north.
AZIMUTHS_DEG = (-360, 360)


class SourceType(models.TextChoices):
    """Discriminator of the source tables."""

    FIXED_SOURCE = "fixed_source", "Fixed source"
    SOLAR_SYSTEM_OBJECT = "solar_system_object", "Solar system object"
    CONSTANT_ELEVATION_SOURCE = "constant_elevation_source", "Constant elevation source"


class Source(PolymorphicModel):
    """A target. Never made directly: always one of the three kinds below."""

    TYPE: str = ""

    type = models.CharField(max_length=50, choices=SourceType.choices, editable=False)
    name = models.CharField(max_length=128, unique=True)
    aliases = models.JSONField(default=list, blank=True)
    description = models.TextField(blank=True)
    source_class = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "source"
        ordering = ["name"]
        base_manager_name = "objects"
        constraints = [known_values("type", SourceType, "source_type_known")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the discriminator in step with the class."""
        self.type = self.TYPE
        super().save(*args, **kwargs)

    def position(self, when: datetime, telescope: Telescope) -> SkyCoord:
        """Where it is at a time, as seen from the telescope; without refraction."""
        raise NotImplementedError(f"{type(self).__name__} does not say where it is.")


class FixedSource(Source):
    """A position on the sky: ICRS, degrees; velocity km/s (LSR), proper motion mas/yr, extent arcmin."""

    TYPE = SourceType.FIXED_SOURCE

    ra_deg = models.FloatField()
    dec_deg = models.FloatField()
    frame = models.CharField(max_length=16, default="icrs")
    vlsr_km_s = models.FloatField(null=True, blank=True)
    pm_ra_mas_yr = models.FloatField(null=True, blank=True)
    pm_dec_mas_yr = models.FloatField(null=True, blank=True)
    extent_arcmin = models.FloatField(null=True, blank=True)

    objects: ClassVar[FixedSourceManager] = FixedSourceManager()

    class Meta:
        db_table = "fixed_source"
        base_manager_name = "objects"
        # Declination first: a cone is a narrow band of it, and near a pole all of right ascension.
        indexes = [models.Index(fields=["dec_deg", "ra_deg"], name="fixed_source_dec_ra")]
        constraints = [
            models.CheckConstraint(condition=Q(ra_deg__gte=0, ra_deg__lt=360), name="fixed_source_ra_range"),
            models.CheckConstraint(condition=Q(dec_deg__gte=-90, dec_deg__lte=90), name="fixed_source_dec_range"),
            # Whoever reads the columns takes them for ICRS; catalogues in other frames are converted when they are loaded.
            models.CheckConstraint(condition=Q(frame="icrs"), name="fixed_source_frame_is_icrs"),
            models.CheckConstraint(
                condition=Q(pm_ra_mas_yr__isnull=True, pm_dec_mas_yr__isnull=True)
                | Q(pm_ra_mas_yr__isnull=False, pm_dec_mas_yr__isnull=False),
                name="fixed_source_proper_motion_complete",
            ),
            models.CheckConstraint(
                condition=Q(extent_arcmin__isnull=True) | Q(extent_arcmin__gte=0),
                name="fixed_source_extent_not_negative",
            ),
        ]

    @property
    def skycoord(self) -> SkyCoord:
        """The coordinates as astropy has them (ICRS)."""
        return positions.fixed_skycoord(self)

    def position(self, when: datetime, telescope: Telescope) -> SkyCoord:  # noqa: ARG002
        """The coordinates, moved by proper motion; the same from every telescope."""
        return positions.fixed_position(self, when)


class TrackingKind(models.TextChoices):
    """What kind of body a solar-system object is."""

    PLANET = "planet", "Planet"
    MOON = "moon", "Moon"
    MINOR_BODY = "minor_body", "Minor body"


class SolarSystemObject(Source):
    """A planet, moon or minor body, by its NAIF number and ephemeris name."""

    TYPE = SourceType.SOLAR_SYSTEM_OBJECT

    ephemeris_name = models.CharField(max_length=64)
    naif_id = models.IntegerField(null=True, blank=True, unique=True)
    is_calibrator = models.BooleanField(default=False)
    tracking_kind = models.CharField(max_length=16, choices=TrackingKind.choices, default=TrackingKind.PLANET)

    class Meta:
        db_table = "solar_system_object"
        base_manager_name = "objects"
        constraints = [known_values("tracking_kind", TrackingKind, "tracking_kind_known")]

    def clean(self) -> None:
        """A planet's name is one of the ephemeris; of moons and minor bodies there is none yet."""
        super().clean()
        if self.tracking_kind == TrackingKind.PLANET and self.ephemeris_name.lower() not in BODIES:
            close = difflib.get_close_matches(self.ephemeris_name, BODIES, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(BODIES)}"
            raise ValidationError({"ephemeris_name": f"{self.ephemeris_name} is no planet of the ephemeris; {hint}"})

    def position(self, when: datetime, telescope: Telescope) -> SkyCoord:
        """From the ephemeris. Raises ConfigurationError for a body that it does not have."""
        return positions.body_position(self, when, telescope)


class ConstantElevationSource(Source):
    """A large field scanned at one elevation. Degrees; LST limits in hours; ``rising`` tells the side of the sky.

    Where the azimuths change with sidereal time, ``azimuth_ranges`` say them; else the two columns here hold always.
    """

    TYPE = SourceType.CONSTANT_ELEVATION_SOURCE

    elevation_deg = models.FloatField()
    az_min_deg = models.FloatField(null=True, blank=True)
    az_max_deg = models.FloatField(null=True, blank=True)
    rising = models.BooleanField(null=True, blank=True)
    ra_center_deg = models.FloatField(null=True, blank=True)
    dec_center_deg = models.FloatField(null=True, blank=True)
    width_deg = models.FloatField(null=True, blank=True)
    height_deg = models.FloatField(null=True, blank=True)
    lst_start_h = models.FloatField(null=True, blank=True)
    lst_stop_h = models.FloatField(null=True, blank=True)

    class Meta:
        db_table = "constant_elevation_source"
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(
                condition=Q(elevation_deg__gte=20, elevation_deg__lte=90), name="ce_source_elevation_range"
            ),
            models.CheckConstraint(
                condition=Q(az_min_deg__isnull=True) | Q(az_max_deg__isnull=True) | Q(az_min_deg__lt=F("az_max_deg")),
                name="ce_source_azimuth_order",
            ),
            models.CheckConstraint(
                condition=(Q(az_min_deg__isnull=True) | Q(az_min_deg__range=AZIMUTHS_DEG))
                & (Q(az_max_deg__isnull=True) | Q(az_max_deg__range=AZIMUTHS_DEG)),
                name="ce_source_azimuth_range",
            ),
            models.CheckConstraint(
                condition=(
                    Q(ra_center_deg__isnull=True, dec_center_deg__isnull=True)
                    # "Is not null" is said of both: a comparison with null is unknown, which a CHECK lets pass.
                    | Q(
                        ra_center_deg__isnull=False,
                        ra_center_deg__gte=0,
                        ra_center_deg__lt=360,
                        dec_center_deg__isnull=False,
                    )
                )
                & (Q(dec_center_deg__isnull=True) | Q(dec_center_deg__range=(-90, 90))),
                name="ce_source_center_range",
            ),
            models.CheckConstraint(
                condition=(Q(width_deg__isnull=True) | Q(width_deg__gt=0, width_deg__lte=360))
                & (Q(height_deg__isnull=True) | Q(height_deg__gt=0, height_deg__lte=180)),
                name="ce_source_size_range",
            ),
            models.CheckConstraint(
                condition=(Q(lst_start_h__isnull=True) | Q(lst_start_h__range=(0, 24)))
                & (Q(lst_stop_h__isnull=True) | Q(lst_stop_h__range=(0, 24))),
                name="ce_source_lst_range",
            ),
        ]

    def position(self, when: datetime, telescope: Telescope) -> SkyCoord:
        """Where the telescope points when it scans the field. Raises ConfigurationError where nothing says that."""
        return positions.field_position(self, when, telescope)


class ConstantElevationAzimuthRange(models.Model):
    """Between which azimuths a field is scanned in one range of sidereal time: a line of its azimuth table.

    Sidereal time in hours, angles in degrees. The range of sidereal time may pass 24 h.
    """

    source = models.ForeignKey(ConstantElevationSource, models.CASCADE, related_name="azimuth_ranges")
    lst_start_h = models.FloatField(help_text="Hours.")
    lst_stop_h = models.FloatField(help_text="Hours.")
    elevation_deg = models.FloatField(help_text="Degrees.")
    az_min_deg = models.FloatField(help_text="Degrees.")
    az_max_deg = models.FloatField(help_text="Degrees.")

    class Meta:
        verbose_name = "azimuth range"
        db_table = "constant_elevation_azimuth_range"
        ordering = ["source", "lst_start_h"]
        constraints = [
            models.UniqueConstraint(fields=["source", "elevation_deg", "lst_start_h"], name="azimuth_range_unique"),
            models.CheckConstraint(
                condition=Q(lst_start_h__range=(0, 24), lst_stop_h__range=(0, 24)), name="azimuth_range_lst_range"
            ),
            models.CheckConstraint(
                condition=Q(elevation_deg__gte=20, elevation_deg__lte=90), name="azimuth_range_elevation_range"
            ),
            models.CheckConstraint(
                condition=Q(az_min_deg__range=AZIMUTHS_DEG, az_max_deg__range=AZIMUTHS_DEG)
                & Q(az_min_deg__lt=F("az_max_deg")),
                name="azimuth_range_azimuth_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source}: LST {self.lst_start_h:g} to {self.lst_stop_h:g} h"
