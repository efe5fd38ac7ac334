"""Rows that carry along what they refer to: what is there, what is refused, and how many queries it takes."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from ccatdc.common.api.expand import serializer_of
from ccatdc.common.api.polymorphic import ByKindSerializer
from ccatdc.common.api.views import ReadingView
from tests.api.conftest import ApiClient, problem
from tests.api.reading import queries_of
from tests.api.test_access import ENDPOINTS
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.factories.datamgmt import (
    DataArchiveFactory,
    DataTransferPackageFactory,
    RawDataFileFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackageMetadataFactory,
    RawDataPackagePhysicalCopyFactory,
    SiteFactory,
    SourceLocationFactory,
)
from tests.factories.observatory import (
    ChaiModuleConfigurationFactory,
    DataStreamFactory,
    InstrumentFactory,
    InstrumentModuleFactory,
    LineFactory,
    ObservatoryFactory,
    PrimeCamModuleConfigurationFactory,
    TelescopeFactory,
)
from tests.factories.planning import (
    CalibrationCadenceFactory,
    ChaiInparParameterFactory,
    ChaiObservationConfigurationFactory,
    ChaiTilingFactory,
    ConstantElevationAzimuthRangeFactory,
    ConstantElevationSourceFactory,
    ExecutedObsUnitFactory,
    FixedSourceFactory,
    ObservingProgramFactory,
    ObsModeFactory,
    ObsUnitFactory,
    PreScheduledSlotFactory,
    PrimeCamObservationConfigurationFactory,
    SolarSystemObjectFactory,
    SubObservingProgramFactory,
)
from tests.factories.transfer import DataTransferFactory, DataTransferRouteFactory, LongTermArchiveTransferFactory

pytestmark = pytest.mark.django_db

VIEWS = {
    address: view
    for address, method, view in ENDPOINTS
    if method == "GET" and issubclass(view, ReadingView) and view.expands
}


class TestUnits:
    def test_a_unit_carries_its_source_along(self, viewer_api: ApiClient) -> None:
        unit = ObsUnitFactory.create()

        row = viewer_api.get(f"/api/obs_units/{unit.pk}/", expand="source").json()

        assert row["source"] == unit.source_id
        assert list(row["expanded"]) == ["source"]
        assert row["expanded"]["source"] == viewer_api.get(f"/api/sources/{unit.source_id}/").json()

    def test_without_the_parameter_nothing_is_carried(self, viewer_api: ApiClient) -> None:
        unit = ObsUnitFactory.create()
        assert "expanded" not in viewer_api.get(f"/api/obs_units/{unit.pk}/").json()

    def test_what_is_not_there_is_null_and_many_are_a_list(self, viewer_api: ApiClient) -> None:
        unit = ObsUnitFactory.create()
        slot = PreScheduledSlotFactory.create(obs_unit=unit)

        row = viewer_api.get(f"/api/obs_units/{unit.pk}/", expand="sub_program,observation_configuration,slots").json()

        assert row["expanded"]["sub_program"] is None
        assert row["expanded"]["observation_configuration"] is None
        assert [each["id"] for each in row["expanded"]["slots"]] == [slot.pk]

    def test_each_set_up_is_what_it_is(self, viewer_api: ApiClient) -> None:
        unit = ObsUnitFactory.create()
        chai, prime_cam = (ChaiModuleConfigurationFactory.create(), PrimeCamModuleConfigurationFactory.create())
        unit.instrument_module_configurations.add(chai, prime_cam)

        names = "instrument_module_configurations"
        expand = f"{names}.line,{names}.instrument_module.instrument"
        row = viewer_api.get(f"/api/obs_units/{unit.pk}/", expand=expand).json()

        by_type = {each["type"]: each for each in row["expanded"][names]}
        tuned = by_type["chai_module_configuration"]["expanded"]
        assert tuned["line"]["name"] == "CO(4-3)"
        assert tuned["instrument_module"]["expanded"]["instrument"]["short_name"] == "chai"
        read_out = by_type["prime_cam_module_configuration"]["expanded"]
        assert "line" not in read_out
        assert read_out["instrument_module"]["short_name"] == "f280"


class TestExecutions:
    def test_a_name_with_a_dot_brings_those_before_it(self, viewer_api: ApiClient) -> None:
        execution = ExecutedObsUnitFactory.create()

        row = viewer_api.get(f"/api/executed_obs_units/{execution.pk}", expand="obs_unit.source").json()

        unit = row["expanded"]["obs_unit"]
        assert unit["id"] == execution.obs_unit_id
        assert unit["expanded"]["source"]["name"] == "Orion-KL"

    def test_nested_rows_have_nothing_of_their_own_expanded(self, viewer_api: ApiClient) -> None:
        """``expand=instruments`` of a program is no wish about the modules inside of an instrument."""
        program = ObservingProgramFactory.create()
        program.instruments.add(InstrumentModuleFactory.create().instrument)

        row = viewer_api.get(f"/api/observing_programs/{program.pk}/", expand="instruments").json()

        (instrument,) = row["expanded"]["instruments"]
        assert "expanded" not in instrument
        assert "expanded" not in instrument["modules"][0]


class TestSight:
    def test_what_somebody_may_not_see_is_not_carried_along(self) -> None:
        """A copy of a bundle's package, say, that refers to another program."""
        scientist = UserFactory.create(permissions=["read:observations"], sees_all=False)
        api = ApiClient(ApiTokenFactory.create(user=scientist, scopes=["read:observations"]))
        own = ObservingProgramFactory.create(short_name="own", lead=scientist)
        tile = ChaiTilingFactory.create()
        mine = ChaiObservationConfigurationFactory.create(
            obs_unit=ObsUnitFactory.create(observing_program=own, obs_unit_type="chai_obs_unit"),
            tiling=ChaiTilingFactory.create(obs_unit=ObsUnitFactory.create()),
        )
        address = f"/api/observation_configurations/{mine.pk}/"

        seen = api.get(address, expand="tiling").json()
        assert seen["expanded"]["tiling"] is None

        type(mine).objects.update(tiling=tile)
        own_tile = api.get(address, expand="tiling").json()["expanded"]["tiling"]
        visible_alone = api.get(f"/api/chai_tilings/{tile.pk}/").status_code == 200
        assert (own_tile is not None) == visible_alone


class TestRefusals:
    @pytest.mark.parametrize(
        "expand", ["sauce", "source.obs_unit", "source,sauce", "source,", ",", "source source", "*"]
    )
    def test_a_name_that_there_is_not_is_refused_and_what_there_is_listed(
        self, viewer_api: ApiClient, expand: str
    ) -> None:
        unit = ObsUnitFactory.create()
        for address in (f"/api/obs_units/{unit.pk}/", "/api/obs_units/"):
            answer = problem(viewer_api.get(address, expand=expand), 400, "request.invalid")
            assert [error["field"] for error in answer["errors"]] == ["expand"]
            assert "program, sub_program, source" in answer["detail"]

    def test_an_empty_wish_is_refused(self, viewer_api: ApiClient) -> None:
        answer = problem(viewer_api.get("/api/obs_units/", expand=""), 400, "request.invalid")
        assert "empty" in answer["detail"]

    def test_where_there_is_nothing_to_expand_there_is_no_parameter(self, viewer_api: ApiClient) -> None:
        answer = problem(viewer_api.get("/api/sites/", expand="x"), 400, "request.invalid")
        assert answer["errors"][0]["code"] == "unknown_field"

    def test_single_rows_refuse_parameters_that_nobody_knows(self, viewer_api: ApiClient) -> None:
        unit = ObsUnitFactory.create()
        address = f"/api/obs_units/{unit.pk}/"
        problem(viewer_api.get(address, expands="source"), 400, "request.invalid")

    def test_a_parameter_with_one_value_that_is_there_twice_is_refused(self, viewer_api: ApiClient) -> None:
        answer = viewer_api.http.get("/api/obs_units/?name=a&name=b")
        assert "twice" in problem(answer, 400, "request.invalid")["detail"]

    def test_names_may_be_given_each_by_itself(self, viewer_api: ApiClient) -> None:
        """As generated clients do."""
        unit = ObsUnitFactory.create()
        for address in ("/api/obs_units/", f"/api/obs_units/{unit.pk}/"):
            answer = viewer_api.http.get(f"{address}?expand=source&expand=program").json()
            (row,) = answer.get("results", [answer])
            assert row["expanded"].keys() == {"source", "program"}
        found = viewer_api.http.get("/api/obs_units/?state=on_hold&state=active").json()["results"]
        assert [row["id"] for row in found] == [unit.pk]
        problem(viewer_api.http.get("/api/obs_units/?expand=source&expand="), 400, "request.invalid")


# How many queries


def scene(number: int) -> None:
    """One of everything, with nothing shared that a row refers to."""
    observatory = ObservatoryFactory.create(short_name=f"o{number}", name=f"Observatory {number}")
    telescope = TelescopeFactory.create(short_name=f"t{number}", observatory=observatory)
    instrument = InstrumentFactory.create(short_name=f"i{number}", telescope=telescope)
    module = InstrumentModuleFactory.create(instrument=instrument, short_name=f"m{number}")
    line = LineFactory.create(name=f"L{number}")
    line.instrument_modules.add(module)
    module_configurations = [
        ChaiModuleConfigurationFactory.create(instrument_module=module, name="chai", line=line),
        PrimeCamModuleConfigurationFactory.create(instrument_module=module, name="prime_cam"),
    ]
    program = ObservingProgramFactory.create(short_name=f"P{number}")
    program.instruments.add(instrument)
    sub_program = SubObservingProgramFactory.create(observing_program=program, short_name=f"S{number}")
    field = ConstantElevationSourceFactory.create(name=f"field {number}")
    ConstantElevationAzimuthRangeFactory.create(source=field)
    SolarSystemObjectFactory.create(name=f"body {number}", naif_id=1000 + number)
    units = [
        ObsUnitFactory.create(
            observing_program=program,
            sub_observing_program=sub_program,
            source=source,
            obs_mode=ObsModeFactory.create(name=f"mode {number}", instrument=instrument),
            telescope=telescope,
            obs_unit_type=kind,
        )
        for source, kind in (
            (field, "prime_cam_obs_unit"),
            (FixedSourceFactory.create(name=f"fixed {number}"), "chai_obs_unit"),
        )
    ]
    tile = ChaiTilingFactory.create(source=units[1].source, tile_number=number)
    configurations = [
        PrimeCamObservationConfigurationFactory.create(obs_unit=units[0]),
        ChaiObservationConfigurationFactory.create(obs_unit=units[1], tiling=tile),
    ]
    ChaiInparParameterFactory.create(chai_observation_configuration=configurations[1])
    DataStreamFactory.create(instrument_module=module)
    CalibrationCadenceFactory.create(instrument_module=module)
    site = SiteFactory.create(short_name=f"site{number}")
    source_location = SourceLocationFactory.create(site=site, instrument=instrument)
    for unit, configuration in zip(units, configurations, strict=True):
        unit.instrument_module_configurations.add(*module_configurations)
        execution = ExecutedObsUnitFactory.create(
            obs_unit=unit,
            pre_scheduled_slot=PreScheduledSlotFactory.create(obs_unit=unit) if unit == units[0] else None,
            observation_configuration=configuration,
            observation_configuration_version=1,
        )
        execution.instrument_module_configurations.add(*module_configurations)
        package = RawDataPackageFactory.create(
            executed_obs_unit=execution, instrument_module=module, source_location=source_location,
            built=True,
        )  # fmt: skip
        RawDataPackageMetadataFactory.create(raw_data_package=package)
        file = RawDataFileFactory.create(
            executed_obs_unit=execution, instrument_module=module, raw_data_package=package,
            source_location=source_location,
        )  # fmt: skip
        RawDataFilePhysicalCopyFactory.create(raw_data_file=file)
        RawDataPackagePhysicalCopyFactory.create(raw_data_package=package)
        LongTermArchiveTransferFactory.create(raw_data_package=package)
    bundle = DataTransferPackageFactory.create(packages=[package], built=True)
    DataTransferFactory.create(data_transfer_package=bundle)
    DataTransferRouteFactory.create(name=f"route {number}")
    DataArchiveFactory.create(short_name=f"a{number}", name=f"Archive {number}")


LISTS = sorted(
    address
    for address, view in VIEWS.items()
    if "/1/" not in address and not address.endswith(("/1", "primecam/")) and "0001" not in address
)


@pytest.fixture(scope="module")
def asked() -> dict[str, str]:
    """Everything that each list offers, at once."""
    return {address: ",".join(VIEWS[address].expands) for address in LISTS}


def test_the_lists_are_all_there() -> None:
    assert len(LISTS) >= 18


def test_twenty_rows_take_as_many_queries_as_two(viewer_api: ApiClient, asked: dict[str, str]) -> None:
    def count() -> dict[str, int]:
        return {address: queries_of(viewer_api, address, expand=expand) for address, expand in asked.items()}

    for number in range(2):
        scene(number)
    count()  # what is cached for the process is cached now
    few = count()
    for number in range(2, 20):
        scene(number)
    many = count()

    for address in LISTS:
        rows = viewer_api.get(address, page_size=1000).json()["results"]
        assert len(rows) >= 20, address
    assert {a: n for a, n in many.items() if n > few[a]} == {}


@pytest.mark.parametrize("address", sorted(VIEWS))
def test_every_offer_leads_somewhere(address: str) -> None:
    """Each name is a relation of the serializer before it, and what is before a dot is offered too."""
    view = VIEWS[address]
    for path in view.expands:
        before, _, _ = path.rpartition(".")
        assert not before or before in view.expands, path
        serializers = [view.serializer_class]
        for name in path.split("."):
            found = [
                each.relations[name].serializer
                for serializer in serializers
                for each in kinds_of(serializer)
                if name in getattr(each, "relations", {})
            ]
            assert found, path
            serializers = found


def kinds_of(serializer: Any) -> list[Any]:
    if issubclass(serializer, ByKindSerializer):
        return [serializer_of(serializer, kind) for kind in serializer.kinds]
    return [serializer]


class TestSchema:
    def test_the_description_says_what_can_be_expanded(self) -> None:
        schema = Client().get("/api/schema/?format=json").json()
        parameters = schema["paths"]["/api/obs_units/"]["get"]["parameters"]
        (expand,) = [each for each in parameters if each["name"] == "expand"]
        assert "instrument_module_configurations.line" in expand["schema"]["items"]["enum"]
        assert expand["explode"] is False
        expanded = schema["components"]["schemas"]["ObsUnit"]["properties"]["expanded"]
        assert expanded["properties"]["source"]["allOf"] == [{"$ref": "#/components/schemas/Source"}]
        assert "expanded" not in schema["components"]["schemas"]["ObsUnit"]["required"]
        assert len(schema["components"]["schemas"]["Source"]["oneOf"]) == 3
