"""Times that are given away before the scheduler chooses: one obs unit, one telescope, from then to then."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.apps import apps
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, F, Func, OuterRef, Q

from ccatdc.common.db.constraints import CompositeForeignKey
from ccatdc.common.states import Moves, known_values
from observatory.models import Telescope
from planning.models.obs_units import ObsUnit
from planning.models.sources import AZIMUTHS_DEG
from planning.models.visibility import OfObsUnitQuerySet


class SlotStatus(models.TextChoices):
    """What became of a slot."""

    PLANNED = "planned", "Planned"
    DONE = "done", "Done"
    MISSED = "missed", "Missed"
    CANCELLED = "cancelled", "Cancelled"


#: What was done is a fact; a time that was given back may be taken again, if it is still free. What was missed may turn
#: out to have been done, when its instrument could not report it in time.
SLOT_MOVES: Moves = {
    SlotStatus.PLANNED: frozenset({SlotStatus.DONE, SlotStatus.MISSED, SlotStatus.CANCELLED}),
    SlotStatus.DONE: frozenset(),
    SlotStatus.MISSED: frozenset({SlotStatus.PLANNED, SlotStatus.DONE}),
    SlotStatus.CANCELLED: frozenset({SlotStatus.PLANNED}),
}
#: Slots that take the telescope's time: a missed or cancelled one gave it back.
TAKING_TIME = (SlotStatus.PLANNED, SlotStatus.DONE)


class SlotQuerySet(OfObsUnitQuerySet):
    def passed(self, moment: datetime) -> SlotQuerySet:
        """Planned, over by then, and nothing is being observed that began in them."""
        running = apps.get_model("planning", "ExecutedObsUnit").objects.filter(
            obs_unit=OuterRef("obs_unit"), status="running", start_time__lt=OuterRef("end_time")
        )
        return self.filter(~Exists(running.order_by()), status=SlotStatus.PLANNED, end_time__lte=moment)


class PreScheduledSlot(models.Model):
    """A fixed time window (UTC) for an obs unit. On one telescope no two slots overlap; one may begin when another
    ends.

    ``plan`` is the timeline that it came with (planning/scheduling/timelines.py), which replaces its slots. Where the
    telescope sweeps, in degrees: azimuths of the mount, elevation, and the angle of the focal plane on the sky. Scan and
    subscan count within the timeline. ``retune_events`` are [seconds from the start, seconds long] pairs.

    ``telescope`` is the unit's: the exclusion needs it as a column here, and a foreign key over both columns lets the
    database keep it right, also when the unit's telescope changes.
    """

    machines = {"status": SLOT_MOVES}

    obs_unit = models.ForeignKey(ObsUnit, models.CASCADE, related_name="slots")
    telescope = models.ForeignKey(Telescope, models.PROTECT, related_name="slots", editable=False)
    start_time = models.DateTimeField()
    end_time = models.DateTimeField()
    status = models.CharField(max_length=16, choices=SlotStatus.choices, default=SlotStatus.PLANNED)
    comment = models.TextField(blank=True)
    plan = models.CharField(max_length=64, blank=True, help_text="The timeline that it came with.")
    azimuth_min_deg = models.FloatField(null=True, blank=True, help_text="Degrees, of the mount.")
    azimuth_max_deg = models.FloatField(null=True, blank=True, help_text="Degrees, of the mount.")
    elevation_deg = models.FloatField(null=True, blank=True, help_text="Degrees.")
    boresight_angle_deg = models.FloatField(null=True, blank=True, help_text="Degrees, of the focal plane on the sky.")
    scan_index = models.PositiveIntegerField(null=True, blank=True)
    subscan_index = models.PositiveIntegerField(null=True, blank=True)
    retune_events = models.JSONField(default=list, blank=True)

    objects = SlotQuerySet.as_manager()

    class Meta:
        verbose_name = "slot"
        db_table = "pre_scheduled_slot"
        ordering = ["start_time"]
        indexes = [models.Index(fields=["plan", "start_time"], condition=~Q(plan=""), name="slot_by_plan")]
        constraints = [
            models.CheckConstraint(condition=Q(end_time__gt=F("start_time")), name="slot_ends_after_start"),
            ExclusionConstraint(
                name="slot_no_overlap",
                expressions=[
                    ("telescope", RangeOperators.EQUAL),
                    (
                        Func("start_time", "end_time", function="tstzrange", output_field=DateTimeRangeField()),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                condition=Q(status__in=TAKING_TIME),
                violation_error_message="The telescope has another slot at this time.",
            ),
            CompositeForeignKey(
                fields=["obs_unit", "telescope"],
                to="planning.ObsUnit",
                to_fields=["id", "telescope"],
                name="slot_telescope_is_the_units",
                follow=True,
            ),
            known_values("status", SlotStatus, "slot_status_known"),
            models.CheckConstraint(
                condition=(Q(azimuth_min_deg__isnull=True) | Q(azimuth_min_deg__range=AZIMUTHS_DEG))
                & (Q(azimuth_max_deg__isnull=True) | Q(azimuth_max_deg__range=AZIMUTHS_DEG))
                & (Q(elevation_deg__isnull=True) | Q(elevation_deg__range=(-90, 180)))
                & (Q(boresight_angle_deg__isnull=True) | Q(boresight_angle_deg__range=(-720, 720))),
                name="slot_angles_range",
            ),
            models.CheckConstraint(
                condition=Q(azimuth_min_deg__isnull=True)
                | Q(azimuth_max_deg__isnull=True)
                | Q(azimuth_min_deg__lte=F("azimuth_max_deg")),
                name="slot_azimuth_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.obs_unit} {self.start_time:%Y-%m-%d %H:%M}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.telescope_id = self.obs_unit.telescope_id
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """Before the database says it in its own words: the slot ends after it starts, and nothing else is there."""
        if self.start_time is None or self.end_time is None or self.obs_unit_id is None:
            return  # each is reported by its own field
        if self.end_time <= self.start_time:
            raise ValidationError({"end_time": "The slot ends before it starts."})
        if self.status not in TAKING_TIME:
            return
        others = PreScheduledSlot.objects.filter(
            telescope=self.obs_unit.telescope_id,
            status__in=TAKING_TIME,
            start_time__lt=self.end_time,
            end_time__gt=self.start_time,
        ).exclude(pk=self.pk)
        other = others.select_related("obs_unit__observing_program").first()
        if other is not None:
            raise ValidationError({"start_time": f"The telescope has another slot at this time: {other}."})
