"""The hierarchy that produces data: by default Prime-Cam's 280 GHz module on the telescope."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from observatory.models import (
    Instrument,
    InstrumentModule,
    InstrumentType,
    Observatory,
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
    name = factory.LazyAttribute(
        lambda o: "Prime-Cam" if o.short_name == "primecam" else o.short_name
    )
    instrument_type = InstrumentType.CAMERA


class InstrumentModuleFactory(DjangoModelFactory[InstrumentModule]):
    """The 280 GHz module of Prime-Cam, unless ``short_name`` or ``instrument`` says else."""

    class Meta:
        model = InstrumentModule
        django_get_or_create = ("instrument", "short_name")

    instrument = factory.SubFactory(InstrumentFactory)
    short_name = "f280"
    name = factory.LazyAttribute(lambda o: "280 GHz" if o.short_name == "f280" else o.short_name)
