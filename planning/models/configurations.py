"""How an obs unit is observed: one configuration for each unit, of the kind of its instrument.

One table for what all configurations share and one for each kind (upstream's layout). What CHAI's observing files say
beyond these columns is in planning/models/chai.py. The fields of both kinds are proposed: CHAI's follow the observing
modes of heterodyne receivers at KOSMA and SOFIA, Prime-Cam's the scan commands of the telescope.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from polymorphic.models import PolymorphicModel

from ccatdc.common.states import known_values
from planning.models.chai import ChaiTiling, OffsetFrame
from planning.models.obs_units import ObsUnit
from planning.models.scan_parameters import OF_ONE_ELEVATION, SPEED_FRAMES, ScanType, problems_with
from planning.models.visibility import ConfigurationManager


class ObservationConfigurationType(models.TextChoices):
    """Discriminator of the configuration tables."""

    CHAI_OBSERVATION_CONFIGURATION = ("chai_observation_configuration", "CHAI observation configuration")
    PRIME_CAM_OBSERVATION_CONFIGURATION = ("prime_cam_observation_configuration", "Prime-Cam observation configuration")


#: Which kind of configuration the units of an instrument have.
CONFIGURATION_OF_UNIT = {
    "chai_obs_unit": ObservationConfigurationType.CHAI_OBSERVATION_CONFIGURATION,
    "prime_cam_obs_unit": ObservationConfigurationType.PRIME_CAM_OBSERVATION_CONFIGURATION,
}


class ObservationConfiguration(PolymorphicModel):
    """How one obs unit is observed. Never made directly: always one of the kinds below.

    One-to-one, so that it is never unclear which one holds; ``version`` counts its revisions.
    """

    TYPE: str = ""

    type = models.CharField(max_length=50, choices=ObservationConfigurationType.choices, editable=False)
    obs_unit = models.OneToOneField(ObsUnit, models.CASCADE, related_name="observation_configuration")
    version = models.PositiveIntegerField(default=1)
    comment = models.TextField(blank=True)

    objects: ClassVar[ConfigurationManager] = ConfigurationManager()

    class Meta:
        db_table = "observation_configuration"
        ordering = ["obs_unit"]
        base_manager_name = "objects"
        constraints = [known_values("type", ObservationConfigurationType, "observation_configuration_type_known")]

    def __str__(self) -> str:
        return f"{self.obs_unit}: configuration"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the discriminator in step with the class."""
        self.type = self.TYPE
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """A unit of CHAI is configured as CHAI is."""
        unit = getattr(self, "obs_unit", None)
        if unit is not None and CONFIGURATION_OF_UNIT.get(unit.obs_unit_type) != self.TYPE:
            kind = unit.get_obs_unit_type_display()
            raise ValidationError({"obs_unit": f"This is a unit of {kind}: choose the other kind."})


class MappingMode(models.TextChoices):
    """How CHAI covers its field."""

    SINGLE_POINT = "single_point", "Single point"
    RASTER = "raster", "Raster"
    OTF = "otf", "On the fly"
    OTF_ARRAY = "otf_array", "On the fly with the whole array"


class ReferenceMode(models.TextChoices):
    """What CHAI compares the line with."""

    TOTAL_POWER = "total_power", "Total power"
    SINGLE_BEAM_SWITCH = "single_beam_switch", "Single beam switch"
    DUAL_BEAM_SWITCH = "dual_beam_switch", "Dual beam switch"


class CoordinateSystem(models.TextChoices):
    """In which coordinates an OFF position is given; ``relative`` counts from the source, in an :class:`OffsetFrame`."""

    RELATIVE = "relative", "Relative to the source"
    ICRS = "icrs", "ICRS (J2000)"
    FK4 = "fk4", "FK4 (B1950)"
    GALACTIC = "galactic", "Galactic"
    ECLIPTIC = "ecliptic", "Ecliptic"
    HORIZONTAL = "horizontal", "Horizontal"


def _positive_or_empty(*fields: str, name: str) -> models.CheckConstraint:
    condition = Q()
    for field in fields:
        condition &= Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__gt": 0})
    return models.CheckConstraint(condition=condition, name=name)


class ChaiObservationConfiguration(ObservationConfiguration):
    """How CHAI observes: map, reference and times.

    Map in arcseconds, angles in degrees, times in seconds. The OFF position is in degrees, or relative to the source in
    arcseconds (KOSMA keeps the systems of ON, OFF and map offsets apart: obs_coord_sys_on, _off, _del). The middle of
    the map may be beside the source. Both kinds of offset say their frame, and whether they are true angles
    (obs_true_angle_off, _del), as a tile's centre does (planning/models/chai.py).
    """

    TYPE = ObservationConfigurationType.CHAI_OBSERVATION_CONFIGURATION

    mapping_mode = models.CharField(max_length=16, choices=MappingMode.choices)
    reference_mode = models.CharField(max_length=24, choices=ReferenceMode.choices, default=ReferenceMode.TOTAL_POWER)
    inpar_template = models.CharField(
        max_length=128, blank=True, help_text="The inpar file that the parameters came from."
    )
    tiling = models.ForeignKey(
        ChaiTiling,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="configurations",
        help_text="The tile of a large map that this unit covers.",
    )
    map_width_arcsec = models.FloatField(null=True, blank=True, help_text="Arcseconds.")
    map_height_arcsec = models.FloatField(null=True, blank=True, help_text="Arcseconds.")
    map_angle_deg = models.FloatField(null=True, blank=True, help_text="Degrees.")
    row_spacing_arcsec = models.FloatField(null=True, blank=True, help_text="Arcseconds.")
    sample_spacing_arcsec = models.FloatField(null=True, blank=True, help_text="Arcseconds.")
    dump_time_s = models.FloatField(null=True, blank=True, help_text="Seconds.")
    off_frame = models.CharField(max_length=16, choices=CoordinateSystem.choices, blank=True)
    off_x = models.FloatField(null=True, blank=True, help_text="Degrees; arcseconds where it is relative.")
    off_y = models.FloatField(null=True, blank=True, help_text="Degrees; arcseconds where it is relative.")
    off_offset_frame = models.CharField(
        max_length=16, choices=OffsetFrame.choices, blank=True, help_text="In which a relative OFF position counts."
    )
    off_true_angle = models.BooleanField(
        null=True,
        blank=True,
        help_text="Of a relative OFF position: angles on the sky; else x is a difference of longitudes.",
    )
    map_offset_x_arcsec = models.FloatField(null=True, blank=True, help_text="Middle of the map from the source.")
    map_offset_y_arcsec = models.FloatField(null=True, blank=True, help_text="Middle of the map from the source.")
    map_offset_frame = models.CharField(max_length=16, choices=OffsetFrame.choices, blank=True)
    map_offset_true_angle = models.BooleanField(
        null=True, blank=True, help_text="Angles on the sky; else x is a difference of longitudes."
    )
    array_angle_deg = models.FloatField(null=True, blank=True, help_text="Degrees.")
    integration_time_s = models.FloatField(null=True, blank=True, help_text="Seconds.")
    n_repeats = models.PositiveIntegerField(default=1)

    class Meta:
        db_table = "chai_observation_configuration"
        base_manager_name = "objects"
        constraints = [
            _positive_or_empty(
                "map_width_arcsec",
                "map_height_arcsec",
                "row_spacing_arcsec",
                "sample_spacing_arcsec",
                name="chai_map_positive",
            ),
            _positive_or_empty("dump_time_s", "integration_time_s", "n_repeats", name="chai_times_positive"),
            models.CheckConstraint(
                condition=Q(off_frame="", off_x__isnull=True, off_y__isnull=True)
                | Q(off_frame__in=CoordinateSystem.values, off_x__isnull=False, off_y__isnull=False),
                name="chai_off_position_complete",
            ),
            models.CheckConstraint(
                condition=Q(off_frame__in=["", CoordinateSystem.RELATIVE])
                | Q(off_x__range=(-360, 360), off_y__range=(-90, 90)),
                name="chai_off_position_range",
            ),
            models.CheckConstraint(
                condition=Q(
                    off_frame=CoordinateSystem.RELATIVE,
                    off_offset_frame__in=OffsetFrame.values,
                    off_true_angle__isnull=False,
                )
                # Of older rows, also those in archives, nobody said it.
                | Q(off_offset_frame="", off_true_angle__isnull=True),
                name="chai_off_offset_complete",
                violation_error_message="Offset frame and true angle are said together, of a relative OFF position only.",
            ),
            models.CheckConstraint(
                condition=Q(
                    map_offset_x_arcsec__isnull=False,
                    map_offset_y_arcsec__isnull=False,
                    map_offset_frame__in=OffsetFrame.values,
                    map_offset_true_angle__isnull=False,
                )
                | Q(
                    map_offset_x_arcsec__isnull=True,
                    map_offset_y_arcsec__isnull=True,
                    map_offset_frame="",
                    map_offset_true_angle__isnull=True,
                ),
                name="chai_map_offset_complete",
                violation_error_message="A map offset has both components, a frame, and says whether it is a true angle.",
            ),
            models.CheckConstraint(
                condition=(Q(map_angle_deg__isnull=True) | Q(map_angle_deg__range=(-360, 360)))
                & (Q(array_angle_deg__isnull=True) | Q(array_angle_deg__range=(-360, 360))),
                name="chai_angles_range",
            ),
            known_values("mapping_mode", MappingMode, "chai_mapping_mode_known"),
            known_values("reference_mode", ReferenceMode, "chai_reference_mode_known"),
        ]

    def clean(self) -> None:
        """An offset without its frame is no position."""
        super().clean()
        is_said = self.off_offset_frame and self.off_true_angle is not None
        if self.off_frame == CoordinateSystem.RELATIVE and not is_said:
            raise ValidationError(
                {"off_offset_frame": "Say in which frame the OFF position counts, and whether it is a true angle."}
            )


class PrimeCamObservationConfiguration(ObservationConfiguration):
    """How Prime-Cam observes: the scan and how often the detectors are tuned again.

    Elevation in degrees, times in seconds. The speed, degrees per second, is in azimuth of the mount for scans at constant
    elevation, and on the sky for patterns round a source; what tracks or moves has none. ``scan_params`` are the
    parameters of the scan type (planning/models/scan_parameters.py); unknown names are refused.
    """

    TYPE = ObservationConfigurationType.PRIME_CAM_OBSERVATION_CONFIGURATION

    scan_type = models.CharField(max_length=16, choices=ScanType.choices)
    velocity_deg_s = models.FloatField(
        null=True,
        blank=True,
        help_text="Degrees per second: of azimuth at constant elevation, on the sky for pong and daisy.",
    )
    elevation_deg = models.FloatField(null=True, blank=True, help_text="Degrees; of a scan at constant elevation.")
    scan_params = models.JSONField(default=dict, blank=True)
    retune_interval_s = models.FloatField(null=True, blank=True, help_text="Seconds.")
    calibration_policy = models.JSONField(default=dict, blank=True)
    fpi_step_dwell_s = models.FloatField(
        null=True, blank=True, help_text="Seconds at each step of EoR-Spec's interferometer."
    )

    class Meta:
        db_table = "prime_cam_observation_configuration"
        base_manager_name = "objects"
        constraints = [
            _positive_or_empty("velocity_deg_s", name="prime_cam_velocity_positive"),
            _positive_or_empty("retune_interval_s", "fpi_step_dwell_s", name="prime_cam_times_positive"),
            models.CheckConstraint(
                condition=Q(velocity_deg_s__isnull=False) | ~Q(scan_type__in=list(SPEED_FRAMES)),
                name="prime_cam_velocity_of_scan",
                violation_error_message="This scan needs a speed.",
            ),
            # Only a scan at constant elevation has an elevation of its own; the others follow their source.
            models.CheckConstraint(
                condition=Q(elevation_deg__isnull=True)
                | Q(scan_type__in=OF_ONE_ELEVATION, elevation_deg__gte=20, elevation_deg__lte=90),
                name="prime_cam_elevation_range",
            ),
            known_values("scan_type", ScanType, "prime_cam_scan_type_known"),
        ]

    def clean(self) -> None:
        """The telescope must be able to do the scan."""
        super().clean()
        if self.scan_type in ScanType.values:
            problems = problems_with(self.scan_type, self.scan_params)
            if problems:
                raise ValidationError({"scan_params": problems})
