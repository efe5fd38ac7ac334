"""The weather at a telescope, as stations measured it. What it was during an execution stands on the execution
(planning/weather/summaries.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import models
from django.db.models import Q

from observatory.models import Telescope
from planning.models.executions import CONDITION_LIMITS

#: Between which values each quantity of a sample can be, both ends included: as for the conditions of executions.
SAMPLE_LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "pwv_mm": CONDITION_LIMITS["pwv_mm_mean"],
    "relative_humidity_pct": CONDITION_LIMITS["humidity"],
    **{
        name: CONDITION_LIMITS[name]
        for name in ("tau_225", "temperature_c", "pressure_hpa", "wind_m_s", "wind_gust_m_s", "wind_direction_deg")
    },
}


class WeatherSampleQuerySet(models.QuerySet["WeatherSample"]):
    def between(self, telescope: int, start: Any, end: Any) -> WeatherSampleQuerySet:
        """At this telescope in this time, both ends included."""
        return self.filter(telescope=telescope, time__range=(start, end))


class WeatherSample(models.Model):
    """What one station measured at one time (UTC): a station has one sample for each time, and what is sent again
    replaces it. A quantity that it does not measure is empty. Opacity ``tau_225`` is at 225 GHz.
    """

    telescope = models.ForeignKey(Telescope, models.PROTECT, related_name="weather_samples")
    time = models.DateTimeField()
    station = models.SlugField(max_length=32, db_index=False, help_text="Which instrument measured it.")
    pwv_mm = models.FloatField("PWV", null=True, blank=True, help_text="Precipitable water vapour, mm.")
    tau_225 = models.FloatField(null=True, blank=True)
    relative_humidity_pct = models.FloatField("relative humidity", null=True, blank=True, help_text="Percent.")
    temperature_c = models.FloatField(null=True, blank=True)
    pressure_hpa = models.FloatField(null=True, blank=True, help_text="Hectopascal, as millibar.")
    wind_m_s = models.FloatField(null=True, blank=True)
    wind_gust_m_s = models.FloatField(null=True, blank=True)
    wind_direction_deg = models.FloatField(
        null=True, blank=True, help_text="Where the wind comes from, from north over east."
    )

    objects = WeatherSampleQuerySet.as_manager()

    class Meta:
        db_table = "weather_sample"
        ordering = ["-time", "station"]
        constraints = [
            models.UniqueConstraint(fields=["telescope", "time", "station"], name="weather_sample_unique"),
            models.CheckConstraint(
                condition=Q(*((f"{name}__isnull", False) for name in SAMPLE_LIMITS), _connector=Q.OR),
                name="weather_sample_not_empty",
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__range": limits}),
                    name=f"weather_sample_{name}_range",
                )
                for name, limits in SAMPLE_LIMITS.items()
            ),
        ]

    def __str__(self) -> str:
        return f"{self.station} {self.time:%Y-%m-%d %H:%M:%S}"
