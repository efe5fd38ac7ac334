"""Ranges that the database keeps by itself, whoever writes: every test goes around the models' own ``clean``."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from observatory.models import (
    ChaiModuleConfiguration,
    Instrument,
    InstrumentModule,
    PrimeCamModuleConfiguration,
    Telescope,
)
from tests.factories.observatory import (
    ChaiModuleConfigurationFactory,
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


class TestTuning:
    """A rule over three tables: whichever of them is written, it holds when the transaction ends."""

    def refused(self) -> Any:
        return pytest.raises(IntegrityError, match="chai_tuning_in_range_of_module")

    def settle(self) -> None:
        """What the end of a transaction does."""
        connection.check_constraints()

    def test_a_tuning_inside_of_its_module_is_kept(self) -> None:
        ChaiModuleConfigurationFactory.create()
        self.settle()
        ChaiModuleConfiguration.objects.update(tuning_frequency_ghz=495.0)
        self.settle()

    def test_a_new_one_outside_is_refused(self) -> None:
        with self.refused(), transaction.atomic():
            ChaiModuleConfigurationFactory.create(tuning_frequency_ghz=500.0)
            self.settle()

    def test_one_that_is_moved_outside_is_refused(self) -> None:
        ChaiModuleConfigurationFactory.create()
        with self.refused(), transaction.atomic():
            ChaiModuleConfiguration.objects.update(tuning_frequency_ghz=454.9)
            self.settle()

    @pytest.mark.parametrize("limits", [{"freq_min_ghz": 470.0}, {"freq_max_ghz": 456.0}])
    def test_a_module_cannot_leave_its_tunings_behind(self, limits: dict[str, float]) -> None:
        ChaiModuleConfigurationFactory.create()
        with self.refused(), transaction.atomic():
            InstrumentModule.objects.update(**limits)
            self.settle()

    def test_a_set_up_cannot_move_to_a_module_that_does_not_reach_it(self) -> None:
        module_configuration = ChaiModuleConfigurationFactory.create()
        other = InstrumentModuleFactory.create(
            instrument=module_configuration.instrument_module.instrument, short_name="hfa",
            freq_min_ghz=800.0, freq_max_ghz=820.0,
        )  # fmt: skip
        with self.refused(), transaction.atomic():
            type(module_configuration)._base_manager.filter(pk=module_configuration.pk).update(instrument_module=other)
            self.settle()

    def test_set_up_and_module_may_change_together(self) -> None:
        ChaiModuleConfigurationFactory.create()
        InstrumentModule.objects.update(freq_min_ghz=800.0, freq_max_ghz=820.0)
        ChaiModuleConfiguration.objects.update(tuning_frequency_ghz=806.65)
        self.settle()

    @pytest.mark.parametrize("limits", [{"freq_min_ghz": None}, {"freq_max_ghz": None}])
    def test_a_module_without_a_limit_has_none(self, limits: dict[str, None]) -> None:
        module_configuration = ChaiModuleConfigurationFactory.create()
        InstrumentModule.objects.update(**limits)
        tuning = 1.0 if "freq_min_ghz" in limits else 2000.0
        ChaiModuleConfiguration.objects.update(tuning_frequency_ghz=tuning)
        self.settle()
        module_configuration = ChaiModuleConfiguration.objects.get(pk=module_configuration.pk)
        module_configuration.clean()


@pytest.mark.django_db(transaction=True)
def test_a_commit_is_refused_too() -> None:
    with pytest.raises(IntegrityError, match="A tuning lies in the frequency range of its module"):
        ChaiModuleConfigurationFactory.create(tuning_frequency_ghz=500.0)
    assert not ChaiModuleConfiguration.objects.exists()
