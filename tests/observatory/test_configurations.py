"""Lines and module configurations: what the database refuses, and what the form says first."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from observatory.models import ChaiModuleConfiguration, InstrumentModuleConfiguration, Line
from tests.factories.observatory import ChaiModuleConfigurationFactory, LineFactory, PrimeCamModuleConfigurationFactory

pytestmark = pytest.mark.django_db


def test_a_line_keeps_its_frequency_to_100_hz() -> None:
    LineFactory.create(name="[CI] 3P1-3P0", rest_frequency_ghz=Decimal("492.1606510"))

    assert str(Line.objects.get().rest_frequency_ghz) == "492.1606510"


def test_a_line_has_a_frequency_above_zero() -> None:
    with pytest.raises(IntegrityError, match="line_frequency_positive"):
        LineFactory.create(rest_frequency_ghz=Decimal(0))


def test_a_set_up_comes_back_as_its_kind() -> None:
    chai = ChaiModuleConfigurationFactory.create()
    PrimeCamModuleConfigurationFactory.create()

    kinds = {row.type: type(row).__name__ for row in InstrumentModuleConfiguration.objects.all()}

    assert InstrumentModuleConfiguration.objects.get(pk=chai.pk) == chai
    assert kinds == {
        "chai_module_configuration": "ChaiModuleConfiguration",
        "prime_cam_module_configuration": "PrimeCamModuleConfiguration",
    }


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"tuning_frequency_ghz": 0.0}, "chai_tuning_positive"),
        ({"if_frequency_ghz": 3.9}, "chai_if_band"),
        ({"if_frequency_ghz": 8.1}, "chai_if_band"),
        ({"bandwidth_ghz": 0.0}, "chai_spectrometer_positive"),
        ({"n_channels": 0}, "chai_spectrometer_positive"),
        ({"sideband": "dsb"}, "chai_sideband_known"),
        ({"velocity_frame": "cmb"}, "chai_velocity_frame_known"),
        (
            {"valid_from": datetime(2026, 5, 2, tzinfo=UTC), "valid_to": datetime(2026, 5, 1, tzinfo=UTC)},
            "module_configuration_validity_order",
        ),
    ],
)
def test_the_database_refuses_an_impossible_tuning(fields: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        ChaiModuleConfigurationFactory.create(**fields)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"band_center_ghz": -280.0}, "prime_cam_band_positive"),
        ({"bandwidth_ghz": 0.0}, "prime_cam_band_positive"),
        ({"sample_rate_hz": 0.0}, "prime_cam_sample_rate_positive"),
        ({"fpi_start_ghz": 420.0, "fpi_stop_ghz": 210.0}, "prime_cam_fpi_order"),
        ({"fpi_step_ghz": -1.0}, "prime_cam_fpi_positive"),
    ],
)
def test_the_database_refuses_an_impossible_read_out(fields: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        PrimeCamModuleConfigurationFactory.create(**fields)


def test_a_name_is_used_once_in_a_module() -> None:
    first = ChaiModuleConfigurationFactory.create()
    twin = ChaiModuleConfiguration(
        instrument_module=first.instrument_module,
        name=first.name,
        line=first.line,
        sideband="lsb",
        tuning_frequency_ghz=461.0,
    )

    with pytest.raises(IntegrityError, match="module_configuration_name_unique"):
        twin.save()


def test_a_tuning_outside_the_range_of_the_module_is_named() -> None:
    tuning = ChaiModuleConfigurationFactory.build(
        instrument_module=ChaiModuleConfigurationFactory.create().instrument_module, tuning_frequency_ghz=806.65
    )

    with pytest.raises(ValidationError, match="reaches from 455 to 495 GHz only"):
        tuning.clean()


@pytest.mark.parametrize("streams", ["rfsoc01_drone1", ["rfsoc1_drone1"], [1], {"a": 1}])
def test_a_stream_is_named_as_the_read_out_names_it(streams: Any) -> None:
    module_configuration = PrimeCamModuleConfigurationFactory.build(stream_ids=streams)

    with pytest.raises(ValidationError, match="rfsoc01_drone1"):
        module_configuration.clean()


def test_streams_of_the_read_out_are_taken() -> None:
    PrimeCamModuleConfigurationFactory.build(stream_ids=["rfsoc01_drone1"]).clean()
