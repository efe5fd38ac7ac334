"""Obs units: the schedulable observations, and the observing modes that they use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from ccatdc.common.db.constraints import CompositeForeignKey
from ccatdc.common.models import TimeStamped
from ccatdc.common.states import Moves, known_values
from observatory.models import Instrument, InstrumentModuleConfiguration, Telescope
from planning.models.programs import ObservingProgram, SubObservingProgram
from planning.models.sources import AZIMUTHS_DEG, Source
from planning.models.visibility import ObsUnitQuerySet


class ObsModeCategory(models.TextChoices):
    """What an observing mode is for."""

    SCIENCE = "science", "Science"
    CALIBRATION = "calibration", "Calibration"
    ENGINEERING = "engineering", "Engineering"


class ObsMode(models.Model):
    """An observing strategy, of one instrument or of all."""

    name = models.CharField(max_length=64, unique=True)
    description = models.TextField(blank=True)
    instrument = models.ForeignKey(Instrument, models.PROTECT, null=True, blank=True, related_name="obs_modes")
    category = models.CharField(max_length=16, choices=ObsModeCategory.choices, default=ObsModeCategory.SCIENCE)
    default_parameters = models.JSONField(default=dict, blank=True)

    class Meta:
        db_table = "obs_mode"
        ordering = ["name"]
        constraints = [known_values("category", ObsModeCategory, "obs_mode_category_known")]

    def __str__(self) -> str:
        return self.name


class ObsUnitState(models.TextChoices):
    """Whether a planned observation may be scheduled."""

    DRAFT = "draft", "Draft"
    ACTIVE = "active", "Active"
    ON_HOLD = "on_hold", "On hold"
    COMPLETED = "completed", "Completed"
    CANCELLED = "cancelled", "Cancelled"


#: The target of what is done wherever the telescope points.
IN_PLACE = "in place"
#: A unit that is over comes back as a draft only, so that activating many never revives one.
OBS_UNIT_MOVES: Moves = {
    ObsUnitState.DRAFT: frozenset({ObsUnitState.ACTIVE, ObsUnitState.ON_HOLD, ObsUnitState.CANCELLED}),
    ObsUnitState.ACTIVE: frozenset({ObsUnitState.ON_HOLD, ObsUnitState.COMPLETED, ObsUnitState.CANCELLED}),
    ObsUnitState.ON_HOLD: frozenset({ObsUnitState.ACTIVE, ObsUnitState.COMPLETED, ObsUnitState.CANCELLED}),
    ObsUnitState.COMPLETED: frozenset({ObsUnitState.DRAFT}),
    ObsUnitState.CANCELLED: frozenset({ObsUnitState.DRAFT}),
}
OBS_UNIT_COLOURS: Mapping[str, str] = {
    ObsUnitState.DRAFT: "default",
    ObsUnitState.ACTIVE: "success",
    ObsUnitState.ON_HOLD: "warning",
    ObsUnitState.COMPLETED: "info",
    ObsUnitState.CANCELLED: "default",
}


class ObsUnit(TimeStamped):
    """A planned observation: target, mode, duration (s) and limits. Priority: lower is sooner, as for locations.

    The target is a source, or an azimuth and elevation. Calibrations that are done wherever the telescope points
    (retune, skydip, noise) have neither.

    ``telescope`` is where it is to be observed: its mode's telescope, or the only one, when it is not given. Limits in
    degrees, mm and hours; a range of sidereal time may pass 24 h.
    """

    machines = {"state": OBS_UNIT_MOVES}

    name = models.CharField(max_length=128)
    observing_program = models.ForeignKey(ObservingProgram, models.PROTECT, related_name="obs_units")
    sub_observing_program = models.ForeignKey(
        SubObservingProgram, models.PROTECT, null=True, blank=True, related_name="obs_units"
    )
    source = models.ForeignKey(
        Source,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="obs_units",
        help_text="Empty: an azimuth and elevation, or wherever the telescope points.",
    )
    target_azimuth_deg = models.FloatField(null=True, blank=True, help_text="Degrees; instead of a source.")
    target_elevation_deg = models.FloatField(null=True, blank=True, help_text="Degrees; instead of a source.")
    obs_mode = models.ForeignKey(ObsMode, models.PROTECT, related_name="obs_units")
    telescope = models.ForeignKey(
        Telescope,
        models.PROTECT,
        blank=True,
        related_name="obs_units",
        help_text="Empty: the telescope of the mode's instrument.",
    )
    instrument_module_configurations = models.ManyToManyField(
        InstrumentModuleConfiguration,
        db_table="obs_unit_instrument_module_configuration",
        related_name="obs_units",
        blank=True,
        help_text="One for each module that it uses.",
    )
    obs_unit_type = models.CharField(
        max_length=32, choices=[("chai_obs_unit", "CHAI"), ("prime_cam_obs_unit", "Prime-Cam")]
    )
    state = models.CharField(max_length=16, choices=ObsUnitState.choices, default=ObsUnitState.ACTIVE)
    priority = models.SmallIntegerField(default=5)
    planned_duration_s = models.PositiveIntegerField()
    repetitions_requested = models.PositiveIntegerField(null=True, blank=True)
    time_goal_h = models.FloatField(null=True, blank=True)
    min_elevation_deg = models.FloatField(null=True, blank=True)
    max_elevation_deg = models.FloatField(null=True, blank=True)
    max_pwv_mm = models.FloatField(null=True, blank=True)
    min_sun_distance_deg = models.FloatField(null=True, blank=True, default=45)
    lst_start_h = models.FloatField(null=True, blank=True)
    lst_stop_h = models.FloatField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    objects = ObsUnitQuerySet.as_manager()

    class Meta:
        db_table = "obs_unit"
        ordering = ["observing_program", "name"]
        constraints = [
            models.UniqueConstraint(fields=["observing_program", "name"], name="obs_unit_name_unique"),
            models.CheckConstraint(
                condition=Q(target_azimuth_deg__isnull=True, target_elevation_deg__isnull=True)
                | Q(
                    source__isnull=True,
                    target_azimuth_deg__isnull=False,
                    target_azimuth_deg__range=AZIMUTHS_DEG,
                    target_elevation_deg__isnull=False,
                    target_elevation_deg__range=(0, 90),
                ),
                name="obs_unit_one_target",
                violation_error_message="Give a source, or both an azimuth and an elevation, or none of them.",
            ),
            models.CheckConstraint(
                condition=Q(min_elevation_deg__isnull=True)
                | Q(max_elevation_deg__isnull=True)
                | Q(min_elevation_deg__lte=F("max_elevation_deg")),
                name="obs_unit_elevation_order",
            ),
            models.CheckConstraint(
                condition=(Q(min_elevation_deg__isnull=True) | Q(min_elevation_deg__range=(0, 90)))
                & (Q(max_elevation_deg__isnull=True) | Q(max_elevation_deg__range=(0, 90))),
                name="obs_unit_elevation_range",
            ),
            models.CheckConstraint(
                condition=(Q(max_pwv_mm__isnull=True) | Q(max_pwv_mm__gt=0))
                & (Q(time_goal_h__isnull=True) | Q(time_goal_h__gt=0)),
                name="obs_unit_limits_positive",
            ),
            models.CheckConstraint(
                condition=Q(min_sun_distance_deg__isnull=True) | Q(min_sun_distance_deg__range=(0, 180)),
                name="obs_unit_sun_distance_range",
            ),
            models.CheckConstraint(
                condition=(Q(lst_start_h__isnull=True) | Q(lst_start_h__range=(0, 24)))
                & (Q(lst_stop_h__isnull=True) | Q(lst_stop_h__range=(0, 24))),
                name="obs_unit_lst_range",
            ),
            CompositeForeignKey(
                fields=["sub_observing_program", "observing_program"],
                to="planning.SubObservingProgram",
                to_fields=["id", "observing_program"],
                name="obs_unit_sub_program_in_program",
                violation_error_message="This sub-program belongs to another program.",
            ),
            # What a slot's foreign key over both columns refers to.
            models.UniqueConstraint(fields=["id", "telescope"], name="obs_unit_with_telescope_unique"),
            known_values("state", ObsUnitState, "obs_unit_state_known"),
            models.CheckConstraint(
                condition=Q(obs_unit_type__in=["chai_obs_unit", "prime_cam_obs_unit"]), name="obs_unit_type_known"
            ),
            models.CheckConstraint(
                condition=Q(planned_duration_s__gt=0)
                & (Q(repetitions_requested__isnull=True) | Q(repetitions_requested__gt=0)),
                name="obs_unit_plan_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.observing_program}: {self.name}"

    @property
    def target_name(self) -> str:
        """What it points at, in words."""
        if self.source is not None:
            return self.source.name
        if self.target_azimuth_deg is None:
            return IN_PLACE
        return f"az {self.target_azimuth_deg:g}°, el {self.target_elevation_deg:g}°"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Every unit has a telescope; without one the database refuses it."""
        if self.telescope_id is None:
            self.telescope_id = self._usual_telescope()
        super().save(*args, **kwargs)

    def _usual_telescope(self) -> Any:
        """The telescope of the mode's instrument, or the only one there is."""
        instrument = self.obs_mode.instrument
        if instrument is not None:
            return instrument.telescope_id
        telescopes = Telescope.objects.values_list("pk", flat=True)[:2]
        return telescopes[0] if len(telescopes) == 1 else None

    def clean(self) -> None:
        """The telescope is the mode's; a sub-program belongs to the unit's program; science has a target."""
        self._clean_telescope()
        mode = getattr(self, "obs_mode", None)
        # A source that is stored together with the unit has no key yet.
        no_target = self.source_id is None and self.source is None and self.target_azimuth_deg is None
        if no_target and mode is not None and mode.category == ObsModeCategory.SCIENCE:
            raise ValidationError({"source": f"{mode} is for science: say what it points at."})
        sub = self.sub_observing_program
        if sub is not None and sub.observing_program_id != self.observing_program_id:
            raise ValidationError({"sub_observing_program": "This sub-program belongs to another program."})

    def _clean_telescope(self) -> None:
        if getattr(self, "obs_mode", None) is None:
            return  # reported by its own field
        usual = self._usual_telescope()
        if self.telescope_id is None:
            self.telescope_id = usual
        if self.telescope_id is None:
            raise ValidationError({"telescope": "Say which of the telescopes this is for."})
        if self.obs_mode.instrument is not None and self.telescope_id != usual:
            raise ValidationError({"telescope": f"{self.obs_mode} is a mode of an instrument on another telescope."})
