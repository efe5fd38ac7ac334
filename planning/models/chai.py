"""What CHAI's observing files hold beside the configuration itself: tiles of large maps and inpar parameters.

KOSMA software reads "inpar" files: one named parameter a line. They are kept as rows so that they can be searched and
written back as they were.
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from ccatdc.common.states import known_values
from planning.models.obs_units import ObsUnit
from planning.models.sources import Source
from planning.models.visibility import InparParameterQuerySet, TilingQuerySet


class ScanDirection(models.TextChoices):
    """Along which side of the tile the telescope scans."""

    X = "x", "Along x"
    Y = "y", "Along y"


class OffsetFrame(models.TextChoices):
    """In which coordinates an offset counts: its first component along the longitude, its second along the latitude."""

    ICRS = "icrs", "ICRS (J2000)"
    FK4 = "fk4", "FK4 (B1950)"
    GALACTIC = "galactic", "Galactic"
    ECLIPTIC = "ecliptic", "Ecliptic"
    HORIZONTAL = "horizontal", "Horizontal"


#: What KOSMA calls them.
KOSMA_FRAMES = {
    "J2000": OffsetFrame.ICRS,
    "B1950": OffsetFrame.FK4,
    "GALACTIC": OffsetFrame.GALACTIC,
    "ECLIPTIC": OffsetFrame.ECLIPTIC,
    "HORIZON": OffsetFrame.HORIZONTAL,
}


class ChaiTiling(models.Model):
    """One tile of a large CHAI map; the rows of one ``name`` are the map.

    The centre is an offset from the source, in arcseconds, in the frame; a true angle is one on the sky, else the first
    component is a difference of longitudes. Width and height too, the angle in degrees.
    """

    name = models.CharField(max_length=64)
    source = models.ForeignKey(Source, models.PROTECT, null=True, blank=True, related_name="tilings")
    obs_unit = models.ForeignKey(ObsUnit, models.PROTECT, null=True, blank=True, related_name="tilings")
    tile_number = models.PositiveIntegerField()
    center_x_arcsec = models.FloatField(default=0, help_text="Arcseconds from the source.")
    center_y_arcsec = models.FloatField(default=0, help_text="Arcseconds from the source.")
    center_frame = models.CharField(max_length=16, choices=OffsetFrame.choices, default=OffsetFrame.ICRS)
    center_true_angle = models.BooleanField(
        default=True,
        help_text="Angles on the sky; else x is a difference of longitudes, without the cosine of the latitude.",
    )
    width_arcsec = models.FloatField(help_text="Arcseconds.")
    height_arcsec = models.FloatField(help_text="Arcseconds.")
    angle_deg = models.FloatField(default=0, help_text="Degrees.")
    n_coverages_goal = models.PositiveIntegerField(default=1)
    priority = models.SmallIntegerField(default=5, help_text="Lower is sooner.")
    scan_direction = models.CharField(max_length=2, choices=ScanDirection.choices, default=ScanDirection.X)

    objects = TilingQuerySet.as_manager()

    class Meta:
        verbose_name = "tile of a CHAI map"
        verbose_name_plural = "tiles of CHAI maps"
        db_table = "chai_tiling"
        ordering = ["name", "tile_number"]
        constraints = [
            models.UniqueConstraint(fields=["name", "tile_number"], name="chai_tile_unique"),
            models.CheckConstraint(
                condition=Q(width_arcsec__gt=0, height_arcsec__gt=0), name="chai_tile_size_positive"
            ),
            models.CheckConstraint(condition=Q(angle_deg__gte=-360, angle_deg__lte=360), name="chai_tile_angle_range"),
            known_values("scan_direction", ScanDirection, "chai_tile_scan_direction_known"),
            known_values("center_frame", OffsetFrame, "chai_tile_center_frame_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} tile {self.tile_number}"


class InparValueType(models.TextChoices):
    """How the text of a parameter is read."""

    STR = "str", "Text"
    INT = "int", "Whole number"
    FLOAT = "float", "Number"
    BOOL = "bool", "Yes or no"


#: How KOSMA files write yes and no.
_BOOLEANS = {"t": True, "true": True, "y": True, "yes": True, "1": True} | {
    "f": False,
    "false": False,
    "n": False,
    "no": False,
    "0": False,
}


class ChaiInparParameter(models.Model):
    """One line of an inpar file: ``value  name  ! comment``, in the order ``position``."""

    chai_observation_configuration = models.ForeignKey(
        "planning.ChaiObservationConfiguration", models.CASCADE, related_name="inpar_parameters"
    )
    name = models.CharField(max_length=64)
    value = models.CharField(max_length=255, blank=True)
    value_type = models.CharField(max_length=8, choices=InparValueType.choices, default=InparValueType.STR)
    unit = models.CharField(max_length=128, blank=True)
    comment = models.TextField(blank=True)
    position = models.PositiveIntegerField(default=0)

    objects = InparParameterQuerySet.as_manager()

    class Meta:
        verbose_name = "inpar parameter"
        db_table = "chai_inpar_parameter"
        ordering = ["chai_observation_configuration", "position", "name"]
        constraints = [
            models.UniqueConstraint(fields=["chai_observation_configuration", "name"], name="inpar_name_unique"),
            known_values("value_type", InparValueType, "inpar_value_type_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} = {self.value}"

    @property
    def typed_value(self) -> str | int | float | bool:
        """The value as its type. Raises ValueError when the text is none of it."""
        if self.value_type == InparValueType.INT:
            return int(self.value)
        if self.value_type == InparValueType.FLOAT:
            # Fortran writes the exponent of a double as d.
            return float(self.value.lower().replace("d", "e"))
        if self.value_type == InparValueType.BOOL:
            word = self.value.strip(" .").lower()
            if word not in _BOOLEANS:
                raise ValueError(f"{self.value!r} is neither yes nor no")
            return _BOOLEANS[word]
        return self.value

    def clean(self) -> None:
        """The text can be read as its type says."""
        try:
            _ = self.typed_value
        except ValueError as error:
            raise ValidationError({"value": f"This is no {self.get_value_type_display().lower()}: {error}."}) from error
