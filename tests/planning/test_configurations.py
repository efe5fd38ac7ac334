"""How obs units are observed: one configuration each, of the right kind, with parameters that exist."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from planning.models import ObservationConfiguration, PrimeCamObservationConfiguration
from planning.models.scan_parameters import SCAN_PARAMETERS, Parameter, ScanType, problems_with
from tests.factories.planning import (
    ChaiInparParameterFactory,
    ChaiObservationConfigurationFactory,
    ChaiTilingFactory,
    ConstantElevationAzimuthRangeFactory,
    ConstantElevationSourceFactory,
    PrimeCamObservationConfigurationFactory,
)


@pytest.mark.django_db
class TestRows:
    def test_a_unit_has_one_configuration_of_its_kind(self) -> None:
        configuration = PrimeCamObservationConfigurationFactory.create()
        unit = configuration.obs_unit

        assert ObservationConfiguration.objects.get(obs_unit=unit) == configuration
        assert type(unit.observation_configuration) is PrimeCamObservationConfiguration
        with pytest.raises(IntegrityError, match="obs_unit_id"):
            PrimeCamObservationConfigurationFactory.create(obs_unit=unit)

    def test_a_unit_of_chai_is_not_configured_as_prime_cam(self) -> None:
        chai = ChaiObservationConfigurationFactory.create()
        wrong = PrimeCamObservationConfigurationFactory.build(obs_unit=chai.obs_unit)

        with pytest.raises(ValidationError, match="a unit of CHAI: choose the other kind"):
            wrong.clean()

    @pytest.mark.parametrize(
        ("fields", "constraint"),
        [
            ({"velocity_deg_s": 0.0}, "prime_cam_velocity_positive"),
            ({"retune_interval_s": 0.0}, "prime_cam_times_positive"),
            ({"elevation_deg": 50.0}, "prime_cam_elevation_range"),
            ({"scan_type": "constant_el", "elevation_deg": 19.0, "scan_params": {}}, "prime_cam_elevation_range"),
            ({"scan_type": "lissajous"}, "prime_cam_scan_type_known"),
        ],
    )
    def test_the_database_refuses_an_impossible_scan(self, fields: dict[str, Any], constraint: str) -> None:
        with pytest.raises(IntegrityError, match=constraint):
            PrimeCamObservationConfigurationFactory.create(**fields)

    @pytest.mark.parametrize(
        ("fields", "constraint"),
        [
            ({"map_width_arcsec": 0.0}, "chai_map_positive"),
            ({"row_spacing_arcsec": -5.0}, "chai_map_positive"),
            ({"dump_time_s": 0.0}, "chai_times_positive"),
            ({"n_repeats": 0}, "chai_times_positive"),
            ({"off_frame": "icrs"}, "chai_off_position_complete"),
            ({"off_x": 1.0, "off_y": 1.0}, "chai_off_position_complete"),
            (
                {"off_frame": "relative", "off_x": 1.0, "off_y": 1.0, "off_offset_frame": "icrs"},
                "chai_off_offset_complete",
            ),
            (
                {"off_frame": "icrs", "off_x": 1.0, "off_y": 1.0, "off_offset_frame": "icrs", "off_true_angle": True},
                "chai_off_offset_complete",
            ),
            ({"map_offset_x_arcsec": 30.0, "map_offset_y_arcsec": 0.0}, "chai_map_offset_complete"),
            ({"map_offset_frame": "galactic", "map_offset_true_angle": True}, "chai_map_offset_complete"),
            ({"mapping_mode": "spiral"}, "chai_mapping_mode_known"),
            ({"reference_mode": "frequency"}, "chai_reference_mode_known"),
        ],
    )
    def test_the_database_refuses_an_impossible_map(self, fields: dict[str, Any], constraint: str) -> None:
        with pytest.raises(IntegrityError, match=constraint):
            ChaiObservationConfigurationFactory.create(**fields)

    def test_a_relative_off_position_says_its_frame(self) -> None:
        """A form and a file are asked for it; an older row goes on without."""
        old = ChaiObservationConfigurationFactory.create(off_frame="relative", off_x=1.0, off_y=1.0)
        with pytest.raises(ValidationError, match="in which frame"):
            old.full_clean()
        old.off_offset_frame, old.off_true_angle = "icrs", False
        old.full_clean()

    def test_a_tile_is_there_once_and_has_a_size(self) -> None:
        ChaiTilingFactory.create(tile_number=1)

        with pytest.raises(IntegrityError, match="chai_tile_size_positive"):
            ChaiTilingFactory.create(tile_number=2, width_arcsec=0.0)

    def test_a_tile_number_is_used_once_in_a_map(self) -> None:
        ChaiTilingFactory.create(tile_number=1)

        with pytest.raises(IntegrityError, match="chai_tile_unique"):
            ChaiTilingFactory.create(tile_number=1)

    def test_a_parameter_is_there_once_in_a_configuration(self) -> None:
        first = ChaiInparParameterFactory.create()

        with pytest.raises(IntegrityError, match="inpar_name_unique"):
            ChaiInparParameterFactory.create(chai_observation_configuration=first.chai_observation_configuration)

    @pytest.mark.parametrize(
        ("fields", "constraint"),
        [
            ({"lst_start_h": 24.5}, "azimuth_range_lst_range"),
            ({"elevation_deg": 10.0}, "azimuth_range_elevation_range"),
            ({"az_min_deg": 200.0}, "azimuth_range_azimuth_order"),
            ({"az_max_deg": 400.0}, "azimuth_range_azimuth_order"),
        ],
    )
    def test_the_database_refuses_an_impossible_azimuth_range(self, fields: dict[str, Any], constraint: str) -> None:
        with pytest.raises(IntegrityError, match=constraint):
            ConstantElevationAzimuthRangeFactory.create(**fields)

    @pytest.mark.parametrize(
        ("fields", "constraint"),
        [
            ({"ra_center_deg": 360.0}, "ce_source_center_range"),
            ({"dec_center_deg": -91.0}, "ce_source_center_range"),
            ({"width_deg": 0.0}, "ce_source_size_range"),
            ({"lst_stop_h": 25.0}, "ce_source_lst_range"),
            ({"az_max_deg": 361.0}, "ce_source_azimuth_range"),
        ],
    )
    def test_the_database_refuses_an_impossible_field(self, fields: dict[str, Any], constraint: str) -> None:
        with pytest.raises(IntegrityError, match=constraint):
            ConstantElevationSourceFactory.create(**fields)


class TestInparParameters:
    @pytest.mark.parametrize(
        ("value_type", "text", "value"),
        [
            ("float", "83.809d0", 83.809),
            ("float", "-1.5e-3", -0.0015),
            ("int", "42", 42),
            ("bool", ".TRUE.", True),
            ("bool", "n", False),
            ("str", "J2000", "J2000"),
        ],
    )
    def test_a_value_is_read_as_its_type(self, value_type: str, text: str, value: Any) -> None:
        parameter = ChaiInparParameterFactory.build(
            chai_observation_configuration=None, value_type=value_type, value=text
        )

        assert parameter.typed_value == value
        assert type(parameter.typed_value) is type(value)

    @pytest.mark.parametrize(("value_type", "text"), [("int", "4.2"), ("bool", "2"), ("float", "")])
    def test_a_text_that_is_no_such_value_is_refused(self, value_type: str, text: str) -> None:
        parameter = ChaiInparParameterFactory.build(
            chai_observation_configuration=None, value_type=value_type, value=text
        )

        with pytest.raises(ValidationError, match="This is no"):
            parameter.clean()


class TestScanParameters:
    @pytest.mark.parametrize(
        ("scan_type", "parameters"),
        [
            ("constant_el", {}),
            ("constant_el", {"az_min_deg": 110, "az_max_deg": 250.5, "n_scans": 3}),
            ("pong", {"width_deg": 2, "height_deg": 1.5, "spacing_deg": 0.1, "num_terms": 4}),
            ("daisy", {"radius_deg": 0.5, "avoidance_radius_deg": 0}),
            ("constant_el", {"n_cycles": 3, "lsa_min_deg": 310, "lsa_max_deg": 10, "pointing_module": "i1"}),
            (
                "pong",
                {
                    "width_deg": 2,
                    "height_deg": 1,
                    "spacing_deg": 0.1,
                    "detector_offset_x_deg": -1.5,
                    "detector_offset_y_deg": 0.2,
                    "boresight_rot_deg": 30,
                    "timestep_s": 0.1,
                },
            ),
            ("source_ces", {"footprint": "c", "eta_offset_deg": -0.5, "az_throw_deg": 3, "n_passes": 5}),
            ("track", {}),
            ("track", {"x_offset_deg": 0.1, "y_offset_deg": -0.1}),
            ("path", {"points": [[0, 110.0, 45], [60.5, 112, 45.5]]}),
            ("move_to", {"az_deg": -170, "el_deg": 60}),
        ],
    )
    def test_parameters_of_the_scan_are_taken(self, scan_type: str, parameters: dict[str, Any]) -> None:
        assert problems_with(scan_type, parameters) == []

    @pytest.mark.parametrize(
        ("scan_type", "parameters", "problem"),
        [
            ("daisy", {"radius_deg": 0.5, "width_deg": 1}, "width_deg is no parameter of a daisy"),
            ("daisy", {"radius": 0.5, "radius_deg": 1}, "did you mean radius_deg?"),
            ("daisy", {}, "radius_deg is missing"),
            ("daisy", {"radius_deg": 0}, "0 is not above 0 to 180"),
            ("daisy", {"radius_deg": "0.5"}, "'0.5' is not a number"),
            ("daisy", {"radius_deg": True}, "True is not a number"),
            ("daisy", {"radius_deg": float("nan")}, "not a finite number"),
            ("pong", {"width_deg": 200, "height_deg": 1, "spacing_deg": 1}, "200 is not above 0"),
            ("constant_el", {"n_scans": 10**400}, "the number is above 1e+15"),
            ("constant_el", {"n_scans": 1.5}, "1.5 is not a whole number"),
            ("constant_el", {"n_scans": 0}, "0 is not 1 or more"),
            ("constant_el", {"az_min_deg": 250, "az_max_deg": 110}, "is not below az_max_deg"),
            ("constant_el", {"turnaround_s": -1}, "-1 is not from 0 to 3600"),
            ("pong", [1], "is not an object"),
            ("constant_el", {"n_scans": 2, "n_cycles": 1}, "give n_scans or n_cycles"),
            ("constant_el", {"lsa_min_deg": 10}, "lsa_min_deg and lsa_max_deg go together"),
            ("constant_el", {"pointing_module": "i7"}, "'i7' is none of c, i1"),
            (
                "daisy",
                {"radius_deg": 1, "pointing_module": "c", "detector_offset_x_deg": 1, "detector_offset_y_deg": 1},
                "give pointing_module or detector_offset_x_deg",
            ),
            ("move_to", {"az_deg": 10}, "el_deg is missing"),
            ("path", {"points": [[0, 110, 45]]}, "give 2 to 500 points"),
            ("path", {"points": [[0, 110, 45], [0, 111, 45]]}, "point 1 is not after the one before"),
            ("path", {"points": [[0, 110, 45], [1, 111]]}, "point 1 is not [seconds, azimuth, elevation]"),
            ("path", {"points": [[0, 110, 45], [1, 111, 200]]}, "point 1: elevation: 200 is not from -90 to 180"),
            ("track", {"radius_deg": 1}, "radius_deg is no parameter of a track"),
        ],
    )
    def test_what_the_telescope_cannot_be_told_is_named(self, scan_type: str, parameters: Any, problem: str) -> None:
        found = problems_with(scan_type, parameters)

        assert len(found) == 1
        assert problem in found[0]

    def test_every_scan_type_has_parameters_with_their_units_and_frames(self) -> None:
        assert set(SCAN_PARAMETERS) == set(ScanType.values)
        for of_type in SCAN_PARAMETERS.values():
            for name, parameter in of_type.items():
                is_angle = name.endswith(("_deg", "_deg_s", "_deg_s2"))
                is_count = isinstance(parameter, Parameter) and parameter.whole
                assert is_angle or is_count or name.endswith("_s") or not isinstance(parameter, Parameter), name
                assert (parameter.frame is not None) == (is_angle or not isinstance(parameter, Parameter)), name

    @pytest.mark.django_db
    @pytest.mark.parametrize(("scan_type", "is_needed"), [("constant_el", True), ("daisy", True), ("track", False)])
    def test_a_scan_has_a_speed_where_it_makes_sense(self, scan_type: str, is_needed: bool) -> None:
        parameters = {"radius_deg": 0.5} if scan_type == "daisy" else {}
        fields = {"scan_type": scan_type, "velocity_deg_s": None, "scan_params": parameters}
        if is_needed:
            with pytest.raises(IntegrityError, match="prime_cam_velocity_of_scan"):
                PrimeCamObservationConfigurationFactory.create(**fields)
        else:
            PrimeCamObservationConfigurationFactory.create(**fields)

    def test_a_form_says_what_is_wrong(self) -> None:
        configuration = PrimeCamObservationConfigurationFactory.build(
            obs_unit__obs_unit_type="prime_cam_obs_unit", scan_params={"speed": 1}
        )

        with pytest.raises(ValidationError) as refused:
            configuration.clean()
        assert "speed is no parameter" in " ".join(refused.value.message_dict["scan_params"])
