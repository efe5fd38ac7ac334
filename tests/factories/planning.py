"""What is to be observed and what was: by default Orion-KL for Galactic Ecology, with Prime-Cam."""

from __future__ import annotations

from datetime import UTC, datetime

import factory
from factory.django import DjangoModelFactory

from planning.models import (
    CalibrationCadence,
    ChaiInparParameter,
    ChaiObservationConfiguration,
    ChaiTiling,
    ConstantElevationAzimuthRange,
    ConstantElevationSource,
    ExecutedObsUnit,
    ExecutionStatus,
    FixedSource,
    ObservingProgram,
    ObsMode,
    ObsUnit,
    PreScheduledSlot,
    PrimeCamObservationConfiguration,
    ProgramMembership,
    SolarSystemObject,
    SubObservingProgram,
    WeatherSample,
)
from planning.models.configurations import MappingMode
from planning.models.scan_parameters import ScanType
from tests.factories.accounts import UserFactory
from tests.factories.observatory import InstrumentModuleFactory, TelescopeFactory

START = datetime(2026, 5, 1, 22, 0, tzinfo=UTC)
END = datetime(2026, 5, 1, 22, 30, tzinfo=UTC)


class ObservingProgramFactory(DjangoModelFactory[ObservingProgram]):
    """Galactic Ecology; another ``short_name`` makes another program."""

    class Meta:
        model = ObservingProgram
        django_get_or_create = ("short_name",)

    short_name = "GEco"
    name = factory.LazyAttribute(lambda o: "Galactic Ecology" if o.short_name == "GEco" else f"Program {o.short_name}")


class SubObservingProgramFactory(DjangoModelFactory[SubObservingProgram]):
    """The Galactic Center sub-program."""

    class Meta:
        model = SubObservingProgram
        django_get_or_create = ("observing_program", "short_name")

    observing_program = factory.SubFactory(ObservingProgramFactory)
    short_name = "GC"
    name = "Galactic Center"


class FixedSourceFactory(DjangoModelFactory[FixedSource]):
    """Orion-KL; another ``name`` makes another source at the same place."""

    class Meta:
        model = FixedSource
        django_get_or_create = ("name",)

    name = "Orion-KL"
    ra_deg = 83.809
    dec_deg = -5.37264


class SolarSystemObjectFactory(DjangoModelFactory[SolarSystemObject]):
    """Jupiter."""

    class Meta:
        model = SolarSystemObject
        django_get_or_create = ("name",)

    name = "Jupiter"
    ephemeris_name = "jupiter"
    naif_id = 599


class ConstantElevationSourceFactory(DjangoModelFactory[ConstantElevationSource]):
    """A field scanned at 50 degrees."""

    class Meta:
        model = ConstantElevationSource
        django_get_or_create = ("name",)

    name = "Deep56-like"
    elevation_deg = 50.0


class ConstantElevationAzimuthRangeFactory(DjangoModelFactory[ConstantElevationAzimuthRange]):
    """The field while it rises."""

    class Meta:
        model = ConstantElevationAzimuthRange

    source = factory.SubFactory(ConstantElevationSourceFactory)
    lst_start_h = 22.0
    lst_stop_h = 1.5
    elevation_deg = 50.0
    az_min_deg = 110.0
    az_max_deg = 170.0


class ObsModeFactory(DjangoModelFactory[ObsMode]):
    """The daisy scan."""

    class Meta:
        model = ObsMode
        django_get_or_create = ("name",)

    name = "daisy"


class CalibrationCadenceFactory(DjangoModelFactory[CalibrationCadence]):
    """The focus of Prime-Cam's 280 GHz module, every two hours."""

    class Meta:
        model = CalibrationCadence
        django_get_or_create = ("instrument_module", "obs_mode")

    instrument_module = factory.SubFactory(InstrumentModuleFactory)
    obs_mode = factory.SubFactory(ObsModeFactory, name="focus", category="calibration")
    interval_s = 7200


class ObsUnitFactory(DjangoModelFactory[ObsUnit]):
    """Orion-KL in daisy scans, 30 minutes."""

    class Meta:
        model = ObsUnit

    name = factory.Sequence(lambda n: f"Orion-KL daisy {n}")
    observing_program = factory.SubFactory(ObservingProgramFactory)
    source = factory.SubFactory(FixedSourceFactory)
    obs_mode = factory.SubFactory(ObsModeFactory)
    telescope = factory.SubFactory(TelescopeFactory)
    obs_unit_type = "prime_cam_obs_unit"
    planned_duration_s = 1800


class ExecutedObsUnitFactory(DjangoModelFactory[ExecutedObsUnit]):
    """A running execution that began on 2026-05-01 at 22:00 UTC.

    The trait ``finished`` ends it half an hour later.
    """

    class Meta:
        model = ExecutedObsUnit

    class Params:
        finished = factory.Trait(status=ExecutionStatus.COMPLETED, end_time=END, finished_at=END)

    obs_unit = factory.SubFactory(ObsUnitFactory)
    start_time = START


class PrimeCamObservationConfigurationFactory(DjangoModelFactory[PrimeCamObservationConfiguration]):
    """A daisy scan of half a degree."""

    class Meta:
        model = PrimeCamObservationConfiguration

    obs_unit = factory.SubFactory(ObsUnitFactory)
    scan_type = ScanType.DAISY
    velocity_deg_s = 0.3
    scan_params = factory.LazyFunction(lambda: {"radius_deg": 0.5})


class ChaiObservationConfigurationFactory(DjangoModelFactory[ChaiObservationConfiguration]):
    """An on-the-fly map of ten arcminutes."""

    class Meta:
        model = ChaiObservationConfiguration

    obs_unit = factory.SubFactory(ObsUnitFactory, obs_unit_type="chai_obs_unit")
    mapping_mode = MappingMode.OTF
    map_width_arcsec = 600.0
    map_height_arcsec = 600.0


class ChaiTilingFactory(DjangoModelFactory[ChaiTiling]):
    """The tiles of a map of Orion, numbered from 0."""

    class Meta:
        model = ChaiTiling

    name = "Orion map"
    tile_number = factory.Sequence(int)
    source = factory.SubFactory(FixedSourceFactory)
    width_arcsec = 450.0
    height_arcsec = 450.0


class ChaiInparParameterFactory(DjangoModelFactory[ChaiInparParameter]):
    """The longitude of the ON position."""

    class Meta:
        model = ChaiInparParameter

    chai_observation_configuration = factory.SubFactory(ChaiObservationConfigurationFactory)
    name = "obs_lam_on"
    value = "83.809d0"
    value_type = "float"
    unit = "deg"


class PreScheduledSlotFactory(DjangoModelFactory[PreScheduledSlot]):
    """Half an hour from 2026-05-01 at 22:00 UTC."""

    class Meta:
        model = PreScheduledSlot

    obs_unit = factory.SubFactory(ObsUnitFactory)
    start_time = START
    end_time = END


class ProgramMembershipFactory(DjangoModelFactory[ProgramMembership]):
    """Somebody in a program."""

    class Meta:
        model = ProgramMembership

    observing_program = factory.SubFactory(ObservingProgramFactory)
    user = factory.SubFactory(UserFactory)


class WeatherSampleFactory(DjangoModelFactory[WeatherSample]):
    """A dry night on Cerro Chajnantor."""

    class Meta:
        model = WeatherSample

    telescope = factory.SubFactory(TelescopeFactory)
    station = "chajnantor"
    time = START
    pwv_mm = 0.6
    relative_humidity_pct = 12.0
    temperature_c = -6.9
    pressure_hpa = 519.4
    wind_m_s = 6.1
    wind_gust_m_s = 7.5
    wind_direction_deg = 317.0
