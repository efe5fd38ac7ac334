"""How often modules are calibrated. What is due follows from it and from the executions
(planning/scheduling/calibrations.py); nothing about it is stored. Since that tells when others observed, cadences are
shown to those who see all programs.
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from observatory.models import InstrumentModule
from planning.models.obs_units import ObsMode, ObsModeCategory

#: No calibration is looked for that is older: 90 days.
LONGEST_INTERVAL_S = 90 * 86_400


class CalibrationCadence(models.Model):
    """A module is calibrated by executions of a mode, each at most ``interval_s`` seconds after the end of the one before.

    0 seconds: after each science observation of the module, as FYST's planner counts retunes.
    """

    instrument_module = models.ForeignKey(InstrumentModule, models.PROTECT, related_name="calibration_cadences")
    obs_mode = models.ForeignKey(ObsMode, models.PROTECT, related_name="calibration_cadences")
    interval_s = models.PositiveIntegerField(
        "interval", help_text="Seconds between two calibrations; 0: after each science observation."
    )
    active = models.BooleanField(default=True, help_text="Whether it is told when it is due.")
    comment = models.TextField(blank=True, help_text="Where the interval is from.")

    class Meta:
        db_table = "calibration_cadence"
        ordering = ["instrument_module", "obs_mode"]
        constraints = [
            models.UniqueConstraint(fields=["instrument_module", "obs_mode"], name="calibration_cadence_unique"),
            models.CheckConstraint(
                condition=Q(interval_s__gte=0, interval_s__lte=LONGEST_INTERVAL_S),
                name="calibration_cadence_interval_range",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_module}: {self.obs_mode}"

    def clean(self) -> None:
        """The mode is one that the module can be calibrated with."""
        module, mode = getattr(self, "instrument_module", None), getattr(self, "obs_mode", None)
        if module is None or mode is None:
            return  # reported by its own field
        if mode.category == ObsModeCategory.SCIENCE:
            raise ValidationError({"obs_mode": f"{mode} is for science: it calibrates nothing."})
        if mode.instrument_id not in (None, module.instrument_id):
            raise ValidationError({"obs_mode": f"{mode} is a mode of another instrument."})
