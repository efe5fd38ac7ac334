"""Reading the plan in full: module configurations, lines, configurations, tiles, slots."""

from __future__ import annotations

import pytest

from tests.api.conftest import ApiClient
from tests.api.reading import names_in, queries_of
from tests.factories.observatory import ChaiModuleConfigurationFactory, LineFactory, PrimeCamModuleConfigurationFactory
from tests.factories.planning import (
    ChaiInparParameterFactory,
    ChaiTilingFactory,
    ObsModeFactory,
    ObsUnitFactory,
    PreScheduledSlotFactory,
    PrimeCamObservationConfigurationFactory,
)

pytestmark = pytest.mark.django_db


def test_telescopes_and_observatories_are_read(viewer_api: ApiClient) -> None:
    PrimeCamModuleConfigurationFactory.create()

    (telescope,) = viewer_api.get("/api/telescopes/").json()["results"]
    (observatory,) = viewer_api.get("/api/observatories/").json()["results"]

    assert (telescope["short_name"], telescope["lat_deg"]) == ("fyst", -22.985639)
    assert observatory["telescopes"] == ["fyst"]


def test_lines_are_found_by_frequency(viewer_api: ApiClient) -> None:
    LineFactory.create()
    LineFactory.create(name="CO(7-6)", rest_frequency_ghz="806.6518060")

    high = viewer_api.get("/api/lines/", min_ghz="500").json()["results"]

    assert [line["rest_frequency_ghz"] for line in high] == ["806.6518060"]
    assert names_in(viewer_api.get("/api/lines/", name="co(4")) == ["CO(4-3)"]


def test_set_ups_show_what_their_kind_has(viewer_api: ApiClient) -> None:
    tuning = ChaiModuleConfigurationFactory.create()
    PrimeCamModuleConfigurationFactory.create(active=False)

    chai, prime_cam = viewer_api.get("/api/instrument_module_configurations/").json()["results"]

    assert (chai["type"], chai["module"], chai["line"]) == ("chai_module_configuration", "lfa", tuning.line_id)
    assert (prime_cam["instrument"], prime_cam["band_center_ghz"]) == ("primecam", 280.0)
    one = viewer_api.get(f"/api/instrument_module_configurations/{chai['id']}/")
    assert one.json() == chai
    active = viewer_api.get("/api/instrument_module_configurations/", active="true")
    assert names_in(active) == ["CO(4-3)"]


def test_configurations_show_what_their_kind_has(viewer_api: ApiClient) -> None:
    parameter = ChaiInparParameterFactory.create()
    scan = PrimeCamObservationConfigurationFactory.create()

    chai, prime_cam = viewer_api.get("/api/observation_configurations/").json()["results"]

    assert chai["obs_unit"] == parameter.chai_observation_configuration.obs_unit_id
    assert [line["value"] for line in chai["inpar_parameters"]] == ["83.809d0"]
    assert prime_cam["scan_params"] == {"radius_deg": 0.5}
    of_unit = viewer_api.get("/api/observation_configurations/", obs_unit=scan.obs_unit_id)
    assert of_unit.json()["results"] == [prime_cam]
    assert viewer_api.get(f"/api/observation_configurations/{chai['id']}/").json() == chai


def test_modes_and_tiles_are_read(viewer_api: ApiClient) -> None:
    ObsModeFactory.create()
    ChaiTilingFactory.create(tile_number=4)

    assert names_in(viewer_api.get("/api/obs_modes/")) == ["daisy"]
    (tile,) = viewer_api.get("/api/chai_tilings/", name="Orion map").json()["results"]
    assert tile["tile_number"] == 4


def test_slots_are_found_by_the_time_they_reach_into(viewer_api: ApiClient) -> None:
    slot = PreScheduledSlotFactory.create()

    def found(**query: str) -> list[int]:
        answer = viewer_api.get("/api/pre_scheduled_slots/", **query)
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()["results"]]

    assert found(telescope="fyst", status="planned") == [slot.pk]
    assert found(ends_after="2026-05-01T22:29:00Z") == [slot.pk]
    assert found(ends_after="2026-05-01T22:30:00Z") == []
    assert found(starts_before="2026-05-01T22:00:00Z") == []


def test_obs_units_name_their_set_ups_in_a_bounded_number_of_queries(viewer_api: ApiClient) -> None:
    module_configuration = PrimeCamModuleConfigurationFactory.create()
    ObsUnitFactory.create().instrument_module_configurations.add(module_configuration)
    one = queries_of(viewer_api, "/api/obs_units/")
    for _ in range(5):
        ObsUnitFactory.create().instrument_module_configurations.add(module_configuration)

    assert queries_of(viewer_api, "/api/obs_units/") <= one
    rows = viewer_api.get("/api/obs_units/").json()["results"]
    assert rows[0]["instrument_module_configurations"] == [module_configuration.pk]
    assert rows[0]["telescope"] == "fyst"


def test_set_ups_are_read_in_a_bounded_number_of_queries(viewer_api: ApiClient) -> None:
    ChaiModuleConfigurationFactory.create(name="a")
    one = queries_of(viewer_api, "/api/instrument_module_configurations/")
    for name in "bcdef":
        ChaiModuleConfigurationFactory.create(name=name)

    assert queries_of(viewer_api, "/api/instrument_module_configurations/") <= one
