"""Rows of this app with all that their shapes read, so that a page takes a constant number of queries."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from planning.models import (
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
)


def programs() -> QuerySet[ObservingProgram]:
    """With lead, instruments and sub-programs."""
    return ObservingProgram.objects.select_related("lead").prefetch_related(
        "instruments", "sub_programs"
    )


def sub_programs() -> QuerySet[SubObservingProgram]:
    """With program and lead."""
    return SubObservingProgram.objects.select_related("observing_program", "lead")


def sources() -> QuerySet[Any]:
    """Of every kind."""
    return Source.objects.all()


def azimuth_ranges() -> QuerySet[ConstantElevationAzimuthRange]:
    """Lines of azimuth tables."""
    return ConstantElevationAzimuthRange.objects.all()


def obs_modes() -> QuerySet[ObsMode]:
    """With their instruments."""
    return ObsMode.objects.select_related("instrument")


def obs_units() -> QuerySet[ObsUnit]:
    """With what their shape names."""
    return ObsUnit.objects.select_related(
        "observing_program", "sub_observing_program", "source", "obs_mode", "telescope"
    ).prefetch_related("instrument_module_configurations")


def configurations() -> QuerySet[Any]:
    """How obs units are observed, of every kind; the parameters of an inpar file come with CHAI's."""
    configured: QuerySet[Any] = ObservationConfiguration.objects.all()
    return configured


def inpar_parameters() -> QuerySet[ChaiInparParameter]:
    """Parameters of inpar files."""
    return ChaiInparParameter.objects.all()


def tiles() -> QuerySet[ChaiTiling]:
    """Tiles of large maps."""
    return ChaiTiling.objects.all()


def slots() -> QuerySet[PreScheduledSlot]:
    """With their telescopes."""
    return PreScheduledSlot.objects.select_related("telescope")


def executions() -> QuerySet[ExecutedObsUnit]:
    """With what was planned, and with the set-ups that were used."""
    return ExecutedObsUnit.objects.with_plan().with_set_ups()
