"""Rows of this app with all that their serializers read, so that a page takes a constant number of queries."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from planning.models import (
    CalibrationCadence,
    ChaiInparParameter,
    ChaiTiling,
    ConstantElevationAzimuthRange,
    ExecutedObsUnit,
    ObservationConfiguration,
    ObservingProgram,
    ObsMode,
    ObsUnit,
    PreScheduledSlot,
    Source,
    SubObservingProgram,
    WeatherSample,
)


def programs() -> QuerySet[ObservingProgram]:
    return ObservingProgram.objects.select_related("lead").prefetch_related("instruments", "sub_programs")


def sub_programs() -> QuerySet[SubObservingProgram]:
    return SubObservingProgram.objects.select_related("observing_program", "lead")


def sources() -> QuerySet[Any]:
    return Source.objects.all()


def azimuth_ranges() -> QuerySet[ConstantElevationAzimuthRange]:
    return ConstantElevationAzimuthRange.objects.all()


def obs_modes() -> QuerySet[ObsMode]:
    return ObsMode.objects.select_related("instrument")


def cadences() -> QuerySet[CalibrationCadence]:
    return CalibrationCadence.objects.select_related("instrument_module__instrument", "obs_mode")


def obs_units() -> QuerySet[ObsUnit]:
    return ObsUnit.objects.select_related(
        "observing_program", "sub_observing_program", "source", "obs_mode", "telescope"
    ).prefetch_related("instrument_module_configurations")


def configurations() -> QuerySet[Any]:
    """How obs units are observed, of every kind; the parameters of an inpar file come with CHAI's."""
    configured: QuerySet[Any] = ObservationConfiguration.objects.all()
    return configured


def inpar_parameters() -> QuerySet[ChaiInparParameter]:
    return ChaiInparParameter.objects.all()


def tiles() -> QuerySet[ChaiTiling]:
    return ChaiTiling.objects.all()


def slots() -> QuerySet[PreScheduledSlot]:
    return PreScheduledSlot.objects.select_related("telescope")


def weather_samples() -> QuerySet[WeatherSample]:
    return WeatherSample.objects.select_related("telescope")


def executions() -> QuerySet[ExecutedObsUnit]:
    """With what was planned, and with the module configurations that were used."""
    return ExecutedObsUnit.objects.with_plan().with_module_configurations()
