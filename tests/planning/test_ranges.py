"""Ranges that the database keeps by itself, whoever writes: every test goes around the models' own ``clean``."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from planning.models import ExecutedObsUnit, ObservingProgram, ObsMode, ObsUnit, SolarSystemObject, Source
from planning.models.scan_parameters import SCAN_PARAMETERS, ScanType
from tests.factories.planning import (
    ChaiObservationConfigurationFactory,
    ConstantElevationSourceFactory,
    ExecutedObsUnitFactory,
    FixedSourceFactory,
    ObservingProgramFactory,
    ObsModeFactory,
    ObsUnitFactory,
    PrimeCamObservationConfigurationFactory,
    SolarSystemObjectFactory,
)

pytestmark = pytest.mark.django_db

PONG = {"width_deg": 1.0, "height_deg": 1.0, "spacing_deg": 0.1}
DAISY = {"radius_deg": 0.5}


class TestScan:
    @pytest.mark.parametrize(
        ("scan_type", "parameters"),
        [
            ("constant_el", {}),
            ("constant_el", {"az_min_deg": 110, "az_max_deg": 250, "n_scans": 4}),
            ("constant_el", {"az_min_deg": -360, "turnaround_s": 0}),
            ("pong", PONG),
            ("pong", PONG | {"num_terms": 100, "angle_deg": -45.5, "n_cycles": 1}),
            ("daisy", DAISY | {"avoidance_radius_deg": 0, "y_offset_deg": -180}),
        ],
    )
    def test_what_the_telescope_can_do_is_kept(self, scan_type: str, parameters: dict[str, Any]) -> None:
        scan = PrimeCamObservationConfigurationFactory.create(scan_type=scan_type, scan_params=parameters)
        scan.full_clean()

    @pytest.mark.parametrize(
        ("scan_type", "parameters"),
        [
            ("daisy", {}),
            ("daisy", {"radius_deg": 0}),
            ("daisy", {"radius_deg": 180.1}),
            ("daisy", {"radius_deg": "0.5"}),
            ("daisy", {"radius_deg": True}),
            ("daisy", {"radius_deg": None}),
            ("daisy", {"radius_deg": [0.5]}),
            ("daisy", DAISY | {"width_deg": 1}),
            ("daisy", DAISY | {"avoidance_radius_deg": -1}),
            ("daisy", []),
            ("daisy", "radius"),
            ("daisy", 7),
            ("pong", {"width_deg": 1, "height_deg": 1}),
            ("pong", PONG | {"radius_deg": 1}),
            ("pong", PONG | {"num_terms": 101}),
            ("pong", PONG | {"num_terms": 2.5}),
            ("pong", PONG | {"n_cycles": 0}),
            ("pong", PONG | {"n_cycles": {"a": 1}}),
            ("constant_el", {"az_min_deg": 250, "az_max_deg": 110}),
            ("constant_el", {"az_min_deg": 110, "az_max_deg": 110}),
            ("constant_el", {"az_min_deg": -361}),
            ("constant_el", {"radius_deg": 1}),
            ("constant_el", {"n_scans": 1.5}),
        ],
    )
    def test_what_it_cannot_is_refused(self, scan_type: str, parameters: Any) -> None:
        scan = PrimeCamObservationConfigurationFactory.create()
        scan.scan_type, scan.scan_params = scan_type, parameters

        with pytest.raises(ValidationError) as refused:
            scan.full_clean()

        assert set(refused.value.message_dict) == {"scan_params"}

    def test_every_scan_type_has_its_parameters(self) -> None:
        assert set(SCAN_PARAMETERS) == set(ScanType)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"off_frame": "icrs", "off_x": 83.8, "off_y": 91.0}, "chai_off_position_range"),
        ({"off_frame": "galactic", "off_x": 361.0, "off_y": 0.0}, "chai_off_position_range"),
        ({"map_angle_deg": 361.0}, "chai_angles_range"),
        ({"array_angle_deg": -361.0}, "chai_angles_range"),
    ],
)
def test_a_map_lies_on_the_sky(fields: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        ChaiObservationConfigurationFactory.create(**fields)


def test_a_relative_off_position_is_in_arcseconds() -> None:
    ChaiObservationConfigurationFactory.create(
        off_frame="relative", off_x=-1800.0, off_y=3600.0, off_offset_frame="horizontal", off_true_angle=False,
        map_offset_x_arcsec=-30.0, map_offset_y_arcsec=0.0, map_offset_frame="galactic", map_offset_true_angle=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"ra_deg": 360.0}, "fixed_source_ra_range"),
        ({"dec_deg": -90.5}, "fixed_source_dec_range"),
        ({"frame": "fk4"}, "fixed_source_frame_is_icrs"),
        ({"pm_ra_mas_yr": 1.0}, "fixed_source_proper_motion_complete"),
        ({"extent_arcmin": -1.0}, "fixed_source_extent_not_negative"),
    ],
)
def test_a_fixed_source_is_somewhere(fields: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        FixedSourceFactory.create(**fields)


@pytest.mark.parametrize(
    "center",
    [
        {"ra_center_deg": None, "dec_center_deg": -32.0},
        {"ra_center_deg": 24.0, "dec_center_deg": None},
        {"ra_center_deg": 360.0, "dec_center_deg": -32.0},
    ],
)
def test_a_field_has_a_whole_centre_or_none(center: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="ce_source_center_range"):
        ConstantElevationSourceFactory.create(**center)


def test_kinds_are_known() -> None:
    SolarSystemObjectFactory.create()
    with pytest.raises(IntegrityError, match="tracking_kind_known"):
        SolarSystemObject.objects.update(tracking_kind="comet")


def test_the_kind_of_a_source_is_known() -> None:
    FixedSourceFactory.create()
    with pytest.raises(IntegrityError, match="source_type_known"):
        Source.objects.update(type="nebula")


def test_the_category_of_a_mode_is_known() -> None:
    ObsModeFactory.create()
    with pytest.raises(IntegrityError, match="obs_mode_category_known"):
        ObsMode.objects.update(category="fun")


def test_a_program_has_no_negative_time() -> None:
    ObservingProgramFactory.create()
    with pytest.raises(IntegrityError, match="program_hours_not_negative"):
        ObservingProgram.objects.update(allocated_hours=-1)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"obs_unit_type": "mod_cam_obs_unit"}, "obs_unit_type_known"),
        ({"planned_duration_s": 0}, "obs_unit_plan_positive"),
        ({"repetitions_requested": 0}, "obs_unit_plan_positive"),
        ({"min_elevation_deg": 91.0}, "obs_unit_elevation_range"),
        ({"lst_start_h": 24.5}, "obs_unit_lst_range"),
    ],
)
def test_a_unit_can_be_observed(fields: dict[str, Any], constraint: str) -> None:
    ObsUnitFactory.create()
    with pytest.raises(IntegrityError, match=constraint):
        ObsUnit.objects.update(**fields)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"quality": "superb"}, "execution_quality_known"),
        ({"pwv_mm_mean": -0.1}, "execution_pwv_mm_mean_range"),
        ({"tau_225": 101.0}, "execution_tau_225_range"),
        ({"humidity": 100.5}, "execution_humidity_range"),
        ({"temperature_c": -273.0}, "execution_temperature_c_range"),
        ({"wind_m_s": 201.0}, "execution_wind_m_s_range"),
        ({"elevation_deg_mean": 181.0}, "execution_elevation_deg_mean_range"),
        ({"azimuth_deg_mean": -361.0}, "execution_azimuth_deg_mean_range"),
        ({"el_min_deg": -91.0}, "execution_el_min_deg_range"),
        ({"el_max_deg": 181.0}, "execution_el_max_deg_range"),
        ({"az_min_deg": -361.0}, "execution_az_min_deg_range"),
        ({"az_max_deg": 721.0}, "execution_az_max_deg_range"),
        ({"el_min_deg": 60.0, "el_max_deg": 50.0}, "execution_el_order"),
        ({"az_min_deg": 60.0, "az_max_deg": 50.0}, "execution_az_order"),
        ({"observation_configuration_version": 1}, "execution_configuration_has_version"),
    ],
)
def test_the_conditions_of_an_execution_are_possible(fields: dict[str, Any], constraint: str) -> None:
    ExecutedObsUnitFactory.create()
    with pytest.raises(IntegrityError, match=constraint):
        ExecutedObsUnit.objects.update(**fields)
