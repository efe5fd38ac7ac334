"""The hierarchy that produces data: by default Prime-Cam's 280 GHz module on the telescope."""

from __future__ import annotations

from decimal import Decimal

import factory
from factory.django import DjangoModelFactory

from observatory.models import (
    ChaiModuleConfiguration,
    DataStream,
    Instrument,
    InstrumentModule,
    InstrumentType,
    Line,
    Observatory,
    PrimeCamModuleConfiguration,
    Sideband,
    Telescope,
)


class ObservatoryFactory(DjangoModelFactory[Observatory]):
    """The CCAT Observatory, one for all tests."""

    class Meta:
        model = Observatory
        django_get_or_create = ("short_name",)

    name = "CCAT Observatory"
    short_name = "ccat"


class TelescopeFactory(DjangoModelFactory[Telescope]):
    """FYST, one for all tests."""

    class Meta:
        model = Telescope
        django_get_or_create = ("short_name",)

    observatory = factory.SubFactory(ObservatoryFactory)
    name = "Fred Young Submillimeter Telescope"
    short_name = "fyst"
    lon_deg = -67.740278
    lat_deg = -22.985639
    alt_m = 5611.8
    aperture_m = 6.0


class InstrumentFactory(DjangoModelFactory[Instrument]):
    """Prime-Cam; another ``short_name`` makes another instrument."""

    class Meta:
        model = Instrument
        django_get_or_create = ("short_name",)

    telescope = factory.SubFactory(TelescopeFactory)
    short_name = "primecam"
    name = factory.LazyAttribute(lambda o: "Prime-Cam" if o.short_name == "primecam" else o.short_name)
    instrument_type = InstrumentType.CAMERA


class InstrumentModuleFactory(DjangoModelFactory[InstrumentModule]):
    """The 280 GHz module of Prime-Cam, unless ``short_name`` or ``instrument`` says else."""

    class Meta:
        model = InstrumentModule
        django_get_or_create = ("instrument", "short_name")

    instrument = factory.SubFactory(InstrumentFactory)
    short_name = "f280"
    name = factory.LazyAttribute(lambda o: "280 GHz" if o.short_name == "f280" else o.short_name)


class DataStreamFactory(DjangoModelFactory[DataStream]):
    """What the 280 GHz module of Prime-Cam reads out, in packages of an hour."""

    class Meta:
        model = DataStream
        django_get_or_create = ("instrument_module", "name")

    instrument_module = factory.SubFactory(InstrumentModuleFactory)
    name = "timestreams"
    settle_seconds = 0


class LineFactory(DjangoModelFactory[Line]):
    """CO(4-3); another ``name`` makes another line at the same frequency."""

    class Meta:
        model = Line
        django_get_or_create = ("name",)

    name = "CO(4-3)"
    species = "CO"
    transition = "4-3"
    rest_frequency_ghz = Decimal("461.0407682")


class ChaiModuleConfigurationFactory(DjangoModelFactory[ChaiModuleConfiguration]):
    """CHAI's LFA, tuned to CO(4-3)."""

    class Meta:
        model = ChaiModuleConfiguration
        django_get_or_create = ("instrument_module", "name")

    instrument_module = factory.SubFactory(
        InstrumentModuleFactory,
        instrument__short_name="chai",
        instrument__name="CHAI",
        instrument__instrument_type=InstrumentType.HETERODYNE,
        short_name="lfa",
        name="LFA",
        freq_min_ghz=455.0,
        freq_max_ghz=495.0,
    )
    name = "CO(4-3)"
    line = factory.SubFactory(LineFactory)
    sideband = Sideband.USB
    tuning_frequency_ghz = 461.0407682


class PrimeCamModuleConfigurationFactory(DjangoModelFactory[PrimeCamModuleConfiguration]):
    """The usual read-out of the 280 GHz module."""

    class Meta:
        model = PrimeCamModuleConfiguration
        django_get_or_create = ("instrument_module", "name")

    instrument_module = factory.SubFactory(InstrumentModuleFactory)
    name = "standard"
    band_center_ghz = 280.0
    bandwidth_ghz = 60.0
    n_detectors = 10368
