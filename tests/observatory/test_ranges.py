"""Ranges that the database keeps by itself, whoever writes: every test goes around the models' own ``clean``."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError

from observatory.models import Instrument, InstrumentModule, PrimeCamModuleConfiguration, Telescope
from tests.factories.observatory import (
    InstrumentFactory,
    InstrumentModuleFactory,
    PrimeCamModuleConfigurationFactory,
    TelescopeFactory,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"lat_deg": -91.0}, "telescope_latitude_range"),
        ({"lon_deg": 292.26}, "telescope_longitude_range"),
        ({"el_min_deg": 91.0}, "telescope_elevation_order"),
        ({"el_max_deg": 181.0}, "telescope_elevation_range"),
        ({"el_min_deg": -91.0}, "telescope_elevation_range"),
        ({"az_min_deg": -361.0}, "telescope_azimuth_range"),
        ({"az_max_deg": 361.0}, "telescope_azimuth_range"),
        ({"aperture_m": 0.0}, "telescope_optics_positive"),
        ({"plate_scale_arcsec_per_mm": 0.0}, "telescope_optics_positive"),
    ],
)
def test_a_telescope_stands_on_earth(fields: dict[str, Any], constraint: str) -> None:
    TelescopeFactory.create()
    with pytest.raises(IntegrityError, match=constraint):
        Telescope.objects.update(**fields)


def test_the_type_of_an_instrument_is_known() -> None:
    InstrumentFactory.create()
    with pytest.raises(IntegrityError, match="instrument_type_known"):
        Instrument.objects.update(instrument_type="sieve")


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"freq_min_ghz": 300.0, "freq_max_ghz": 200.0}, "module_frequency_order"),
        ({"freq_max_ghz": -1.0}, "module_frequency_positive"),
        ({"freq_min_ghz": 0.0}, "module_frequency_positive"),
        ({"beam_fwhm_arcsec": 0.0}, "module_beam_positive"),
    ],
)
def test_a_module_sees_something(fields: dict[str, Any], constraint: str) -> None:
    InstrumentModuleFactory.create()
    with pytest.raises(IntegrityError, match=constraint):
        InstrumentModule.objects.update(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"fpi_start_ghz": 420.0, "fpi_stop_ghz": 210.0},
        {"fpi_start_ghz": None, "fpi_stop_ghz": 210.0},
        {"fpi_start_ghz": 210.0, "fpi_stop_ghz": None},
        {"fpi_start_ghz": 0.0, "fpi_stop_ghz": 210.0},
    ],
)
def test_an_interferometer_scans_from_a_start_to_a_stop(fields: dict[str, Any]) -> None:
    PrimeCamModuleConfigurationFactory.create()
    with pytest.raises(IntegrityError, match="prime_cam_fpi_order"):
        PrimeCamModuleConfiguration.objects.update(**fields)
