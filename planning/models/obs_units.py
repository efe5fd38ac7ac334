"""Obs units: the schedulable observations, and the observing modes that they use."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from ccatdc.common.models import TimeStamped
from ccatdc.common.states import known_values
from observatory.models import Instrument
from planning.models.programs import ObservingProgram, SubObservingProgram
from planning.models.sources import Source


class ObsModeCategory(models.TextChoices):
    """What an observing mode is for."""

    SCIENCE = "science", "Science"
    CALIBRATION = "calibration", "Calibration"
    ENGINEERING = "engineering", "Engineering"


class ObsMode(models.Model):
    """An observing strategy, of one instrument or of all."""

    name = models.CharField(max_length=64, unique=True)
    description = models.TextField(blank=True)
    instrument = models.ForeignKey(
        Instrument, models.PROTECT, null=True, blank=True, related_name="obs_modes"
    )
    category = models.CharField(
        max_length=16, choices=ObsModeCategory.choices, default=ObsModeCategory.SCIENCE
    )
    default_parameters = models.JSONField(default=dict, blank=True)

    class Meta:
        db_table = "obs_mode"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ObsUnitState(models.TextChoices):
    """Whether a planned observation may be scheduled."""

    DRAFT = "draft", "Draft"
    ACTIVE = "active", "Active"
    ON_HOLD = "on_hold", "On hold"
    COMPLETED = "completed", "Completed"
    CANCELLED = "cancelled", "Cancelled"


class ObsUnit(TimeStamped):
    """A planned observation: target, mode, duration (s) and limits. Priority: lower is sooner, as for locations."""

    name = models.CharField(max_length=128)
    observing_program = models.ForeignKey(
        ObservingProgram, models.PROTECT, related_name="obs_units"
    )
    sub_observing_program = models.ForeignKey(
        SubObservingProgram, models.PROTECT, null=True, blank=True, related_name="obs_units"
    )
    source = models.ForeignKey(Source, models.PROTECT, related_name="obs_units")
    obs_mode = models.ForeignKey(ObsMode, models.PROTECT, related_name="obs_units")
    obs_unit_type = models.CharField(
        max_length=32,
        choices=[("chai_obs_unit", "CHAI"), ("prime_cam_obs_unit", "Prime-Cam")],
    )
    state = models.CharField(
        max_length=16, choices=ObsUnitState.choices, default=ObsUnitState.ACTIVE
    )
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
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        db_table = "obs_unit"
        ordering = ["observing_program", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["observing_program", "name"], name="obs_unit_name_unique"
            ),
            models.CheckConstraint(
                condition=Q(min_elevation_deg__isnull=True)
                | Q(max_elevation_deg__isnull=True)
                | Q(min_elevation_deg__lte=F("max_elevation_deg")),
                name="obs_unit_elevation_order",
            ),
            known_values("state", ObsUnitState, "obs_unit_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.observing_program}: {self.name}"

    def clean(self) -> None:
        """A sub-program belongs to the unit's program."""
        sub = self.sub_observing_program
        if sub is not None and sub.observing_program_id != self.observing_program_id:
            raise ValidationError(
                {"sub_observing_program": "This sub-program belongs to another program."}
            )
