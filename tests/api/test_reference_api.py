"""Reading what filing names: instruments, programs, obs units, sources, locations."""

from __future__ import annotations

import pytest

from tests.api.conftest import ApiClient, problem
from tests.api.reading import names_in, queries_of
from tests.factories.datamgmt import BufferLocationFactory
from tests.factories.observatory import InstrumentFactory, InstrumentModuleFactory
from tests.factories.planning import (
    ConstantElevationSourceFactory,
    ExecutedObsUnitFactory,
    FixedSourceFactory,
    ObservingProgramFactory,
    ObsUnitFactory,
    SolarSystemObjectFactory,
    SubObservingProgramFactory,
)

pytestmark = pytest.mark.django_db


class TestReference:
    def test_instruments_have_their_modules(self, viewer_api: ApiClient) -> None:
        InstrumentModuleFactory.create()
        (row,) = viewer_api.get("/api/instruments/").json()["results"]
        assert row["short_name"] == "primecam"
        assert [module["short_name"] for module in row["modules"]] == ["f280"]
        assert viewer_api.get("/api/instruments/primecam/").json() == row

    def test_programs_have_their_sub_programs(self, viewer_api: ApiClient) -> None:
        program = SubObservingProgramFactory.create().observing_program
        program.instruments.add(InstrumentFactory.create())
        (row,) = viewer_api.get("/api/observing_programs/").json()["results"]
        assert row["short_name"] == "GEco"
        assert row["instruments"] == ["primecam"]
        assert [sub["short_name"] for sub in row["sub_programs"]] == ["GC"]
        assert viewer_api.get(f"/api/observing_programs/{program.pk}/").json() == row

    def test_obs_units_are_found_by_program_and_name(self, viewer_api: ApiClient) -> None:
        unit, _ = ObsUnitFactory.create(name="a"), ObsUnitFactory.create(name="b")
        (row,) = viewer_api.get("/api/obs_units/", program="GEco", name="a").json()["results"]
        assert row["id"] == unit.pk
        assert row["source_name"] == "Orion-KL"
        assert viewer_api.get(f"/api/obs_units/{unit.pk}/").json() == row

    def test_sources_show_what_their_kind_has(self, viewer_api: ApiClient) -> None:
        FixedSourceFactory.create()
        SolarSystemObjectFactory.create()
        ConstantElevationSourceFactory.create()
        fixed, planet, field = viewer_api.get("/api/sources/").json()["results"]
        assert (fixed["type"], fixed["ra_deg"]) == ("fixed_source", 83.809)
        assert (planet["type"], planet["naif_id"]) == ("solar_system_object", 599)
        assert (field["type"], field["elevation_deg"]) == ("constant_elevation_source", 50.0)
        assert viewer_api.get(f"/api/sources/{planet['id']}/").json() == planet
        assert names_in(viewer_api.get("/api/sources/", name="jup")) == ["Jupiter"]
        assert names_in(viewer_api.get("/api/sources/", type="fixed_source")) == ["Orion-KL"]

    def test_locations_show_their_usage(self, viewer_api: ApiClient) -> None:
        location = BufferLocationFactory.create(capacity_bytes=1000, used_bytes=250)
        (row,) = viewer_api.get("/api/data_locations/").json()["results"]
        assert (row["full_name"], row["used_pct"]) == ("ccat_output_buffer", 25.0)
        assert "path" not in row
        assert viewer_api.get(f"/api/data_locations/{location.pk}/").json() == row

    @pytest.mark.parametrize(
        "address",
        [
            "/api/instruments/",
            "/api/observing_programs/",
            "/api/obs_units/",
            "/api/sources/",
            "/api/data_locations/",
            "/api/executed_obs_units/",
        ],
    )
    def test_many_rows_take_as_many_queries_as_few(self, viewer_api: ApiClient, address: str) -> None:
        def add(number: int) -> None:
            unit = ObsUnitFactory.create(
                observing_program=ObservingProgramFactory.create(short_name=f"P{number}"),
                source=FixedSourceFactory.create(name=f"S{number}"),
            )
            ExecutedObsUnitFactory.create(obs_unit=unit)
            InstrumentModuleFactory.create(instrument=InstrumentFactory.create(short_name=f"i{number}"))
            BufferLocationFactory.create(name=f"b{number}")

        add(0)
        viewer_api.get(address)
        few = queries_of(viewer_api, address)
        for number in range(1, 9):
            add(number)
        assert queries_of(viewer_api, address) <= few

    @pytest.mark.parametrize("address", ["obs_units/9223372036854775808/", f"sources/{10**40}/", "data_locations/0/"])
    def test_a_number_that_no_row_has_is_404(self, viewer_api: ApiClient, address: str) -> None:
        problem(viewer_api.get(f"/api/{address}"), 404, "request.not_found")
