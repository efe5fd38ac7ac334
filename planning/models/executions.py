"""What was actually observed. Written by instruments through filing (datamgmt/filing/executions.py), read by packaging."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import DateTimeRangeField
from django.contrib.postgres.indexes import GistIndex
from django.contrib.postgres.lookups import Overlap
from django.db import models
from django.db.models import F, Func, Max, OuterRef, Q, Subquery, Value
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import ApiToken
from ccatdc.common.models import TimeStamped, UuidPrimaryKey
from ccatdc.common.states import Moves, known_values
from observatory.models import InstrumentModuleConfiguration
from planning.models.configurations import ObservationConfiguration
from planning.models.obs_units import ObsUnit
from planning.models.slots import PreScheduledSlot
from planning.models.visibility import observed_for


class ExecutionStatus(models.TextChoices):
    """Is the observation over, and how did it end?"""

    RUNNING = "running", "Running"
    COMPLETED = "completed", "Completed"
    ABORTED = "aborted", "Aborted"
    FAILED = "failed", "Failed"


EXECUTION_MOVES: Moves = {
    ExecutionStatus.RUNNING: frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.ABORTED, ExecutionStatus.FAILED}),
    ExecutionStatus.COMPLETED: frozenset(),
    ExecutionStatus.ABORTED: frozenset(),
    ExecutionStatus.FAILED: frozenset(),
}


EXECUTION_COLOURS: Mapping[str, str] = {
    ExecutionStatus.RUNNING: "primary",
    ExecutionStatus.COMPLETED: "success",
    ExecutionStatus.ABORTED: "warning",
    ExecutionStatus.FAILED: "danger",
}


class ExecutionQuality(models.TextChoices):
    """The observer's judgement."""

    UNKNOWN = "unknown", "Unknown"
    GOOD = "good", "Good"
    USABLE = "usable", "Usable"
    BAD = "bad", "Bad"


#: Between which values each condition can be, both ends included; its unit is in the docstring of the model.
CONDITION_LIMITS: Mapping[str, tuple[float, float]] = {
    "pwv_mm_mean": (0, 100),
    "tau_225": (0, 100),
    "humidity": (0, 100),
    "temperature_c": (-100, 100),
    "wind_m_s": (0, 200),
    "wind_gust_m_s": (0, 200),
    "wind_direction_deg": (0, 360),
    "pressure_hpa": (0, 1100),
    "elevation_deg_mean": (-90, 180),
    "azimuth_deg_mean": (-360, 720),
    "el_min_deg": (-90, 180),
    "el_max_deg": (-90, 180),
    "az_min_deg": (-360, 720),
    "az_max_deg": (-360, 720),
}


def obs_units_and_time(units: models.QuerySet[ObsUnit], path: str = "") -> Q:
    """Executions of ``units``, and not after the last of these: a list that shows the newest first then begins there,
    and does not read everything since. ``path`` leads to the execution from other rows.

    One query, with one look into an index for each unit.
    """
    last = ExecutedObsUnit.objects.filter(obs_unit=OuterRef("pk")).order_by("-start_time")
    lasts = units.order_by().annotate(last_start=Subquery(last.values("start_time")[:1]))
    latest = lasts.aggregate(latest=Max("last_start"))["latest"]
    if latest is None:
        return Q(pk__in=[])
    chosen = units.order_by().values("pk")
    return Q(**{f"{path}obs_unit__in": chosen, f"{path}start_time__lte": latest})


def time_range(start: Any = "start_time", end: Any = "end_time") -> Func:
    """The time between two columns or values, both ends included, as a range of PostgreSQL."""
    return Func(start, end, Value("[]"), function="tstzrange", output_field=DateTimeRangeField())


class ExecutedObsUnitQuerySet(models.QuerySet["ExecutedObsUnit"]):
    def visible_to(self, user: Any) -> ExecutedObsUnitQuerySet:
        """Of one's own programs, and public ones."""
        return self.filter(observed_for(user))

    def finished(self) -> ExecutedObsUnitQuerySet:
        """Over, however they ended: aborted observations are data too."""
        return self.exclude(status=ExecutionStatus.RUNNING)

    def overlapping(self, start: Any, end: Any) -> ExecutedObsUnitQuerySet:
        """Over, and observed for a part of the time between these columns or values at least, both ends included."""
        return self.filter(Overlap(time_range(), time_range(start, end)), end_time__isnull=False)

    def overdue(self) -> ExecutedObsUnitQuerySet:
        """Running for three times the planned duration and an hour more: perhaps nobody told us that it ended."""
        planned = F("obs_unit__planned_duration_s") * timedelta(seconds=3)
        return self.filter(status=ExecutionStatus.RUNNING, start_time__lt=Now() - timedelta(hours=1) - planned)

    def of_obs_units(self, units: models.QuerySet[ObsUnit]) -> ExecutedObsUnitQuerySet:
        return self.filter(obs_units_and_time(units))

    def for_update(self, pk: UUID | str) -> ExecutedObsUnit:
        """The execution, locked, so that filing and packaging see each other's files."""
        return self.select_for_update(of=("self",)).get(pk=pk)

    def all_for_update(self, pks: Iterable[UUID]) -> ExecutedObsUnitQuerySet:
        """Several executions, locked in the order of their ids, so that two callers never wait for each other."""
        return self.select_for_update(of=("self",)).filter(pk__in=list(pks)).order_by("pk")

    def with_plan(self) -> ExecutedObsUnitQuerySet:
        """With what was planned and who reported it: what filing checks and what pages show."""
        return self.select_related(
            "obs_unit__observing_program", "obs_unit__obs_mode", "obs_unit__source", "operator", "reported_by_token"
        )

    def for_listing(self) -> ExecutedObsUnitQuerySet:
        """With what scientists' lists show. Seven tables with a condition on obs units: beyond eight, PostgreSQL joins
        in the order in which they are written (join_collapse_limit), and reads every execution.
        """
        return self.select_related(
            "obs_unit__observing_program", "obs_unit__obs_mode", "obs_unit__source", "obs_unit__telescope"
        )

    def with_module_configurations(self) -> ExecutedObsUnitQuerySet:
        """With the module configurations that were used, as pages name them."""
        rows = InstrumentModuleConfiguration.objects.non_polymorphic()
        named = rows.select_related("instrument_module__instrument").order_by("pk")
        return self.prefetch_related(models.Prefetch("instrument_module_configurations", named))


class ExecutedObsUnit(UuidPrimaryKey, TimeStamped):
    """One execution of an obs unit: times (UTC), conditions, quality.

    ``finished_at`` is our clock at the finish call, from which the settle delay counts; ``end_time`` is the
    instrument's. ``filed`` holds what start and finish were called with: a call that is repeated is compared with it,
    not with what an operator corrected since. Conditions: pwv mm, opacity at 225 GHz, humidity %, temperature C, wind
    and its gusts m/s, where it comes from and other angles in degrees, pressure hPa; azimuth and elevation as mean and
    as the range that the telescope moved through. ``weather``: mean and extremes of the samples of weather stations
    meanwhile (planning/weather/summaries.py). What it was observed with: the module configurations, the
    configuration (and which of its revisions that was), the slot.
    """

    machines = {"status": EXECUTION_MOVES}

    obs_unit = models.ForeignKey(ObsUnit, models.PROTECT, related_name="executions")
    status = models.CharField(
        max_length=16, choices=ExecutionStatus.choices, default=ExecutionStatus.RUNNING, editable=False
    )
    start_time = models.DateTimeField()
    end_time = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)
    instrument_module_configurations = models.ManyToManyField(
        InstrumentModuleConfiguration,
        db_table="executed_obs_unit_instrument_module_configuration",
        related_name="executions",
        blank=True,
    )
    observation_configuration = models.ForeignKey(
        ObservationConfiguration, models.PROTECT, null=True, blank=True, related_name="executions"
    )
    observation_configuration_version = models.PositiveIntegerField(
        null=True, blank=True, editable=False, help_text="Its revision when the observation began."
    )
    pre_scheduled_slot = models.ForeignKey(
        PreScheduledSlot, models.PROTECT, null=True, blank=True, related_name="executions"
    )
    parameters = models.JSONField(default=dict, blank=True)
    pwv_mm_mean = models.FloatField(null=True, blank=True)
    tau_225 = models.FloatField(null=True, blank=True)
    humidity = models.FloatField(null=True, blank=True)
    temperature_c = models.FloatField(null=True, blank=True)
    wind_m_s = models.FloatField(null=True, blank=True)
    wind_gust_m_s = models.FloatField(null=True, blank=True)
    wind_direction_deg = models.FloatField(null=True, blank=True, help_text="From north over east.")
    pressure_hpa = models.FloatField(null=True, blank=True, help_text="Hectopascal, as millibar.")
    elevation_deg_mean = models.FloatField(null=True, blank=True)
    azimuth_deg_mean = models.FloatField(null=True, blank=True)
    el_min_deg = models.FloatField(null=True, blank=True, help_text="Degrees.")
    el_max_deg = models.FloatField(null=True, blank=True, help_text="Degrees.")
    az_min_deg = models.FloatField(null=True, blank=True, help_text="Degrees.")
    az_max_deg = models.FloatField(null=True, blank=True, help_text="Degrees.")
    weather = models.JSONField(default=dict, blank=True, editable=False)
    quality = models.CharField(max_length=16, choices=ExecutionQuality.choices, default=ExecutionQuality.UNKNOWN)
    quality_comment = models.TextField(blank=True)
    operator = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    reported_by_token = models.ForeignKey(
        ApiToken, models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )

    filed = models.JSONField(default=dict, blank=True, editable=False)

    objects = ExecutedObsUnitQuerySet.as_manager()

    class Meta:
        verbose_name = "execution"
        db_table = "executed_obs_unit"
        ordering = ["-start_time"]
        indexes = [
            models.Index(fields=["obs_unit", "start_time"], name="execution_by_obs_unit"),
            models.Index(fields=["-start_time"], name="execution_by_start"),
            # Lists narrowed by what is rare among millions; "executions that never finish" too.
            models.Index(fields=["status", "-start_time"], name="execution_by_status"),
            models.Index(fields=["quality", "-start_time"], name="execution_by_quality"),
            # Which observations does a file of a data stream overlap?
            GistIndex(time_range(), name="execution_by_time", condition=Q(end_time__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(end_time__isnull=True) | Q(end_time__gte=F("start_time")), name="execution_ends_after_start"
            ),
            known_values("status", ExecutionStatus, "execution_status_known"),
            known_values("quality", ExecutionQuality, "execution_quality_known"),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__range": limits}),
                    name=f"execution_{field}_range",
                )
                for field, limits in CONDITION_LIMITS.items()
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{low}__isnull": True})
                    | Q(**{f"{high}__isnull": True})
                    | Q(**{f"{low}__lte": F(high)}),
                    name=f"execution_{low.removesuffix('_min_deg')}_order",
                )
                for low, high in (("el_min_deg", "el_max_deg"), ("az_min_deg", "az_max_deg"))
            ),
            models.CheckConstraint(
                condition=Q(observation_configuration__isnull=True, observation_configuration_version__isnull=True)
                | Q(observation_configuration__isnull=False, observation_configuration_version__isnull=False),
                name="execution_configuration_has_version",
            ),
        ]

    @property
    def is_over(self) -> bool:
        """However it ended."""
        return self.status != ExecutionStatus.RUNNING

    def __str__(self) -> str:
        return f"{self.obs_unit} {timezone.localtime(self.start_time):%Y-%m-%d %H:%M:%S}"
