"""What an observation was made with: named by start, checked, compared when it comes again, read back."""

from __future__ import annotations

from typing import Any

import pytest

from observatory.models import InstrumentModuleConfiguration
from planning.models import ExecutedObsUnit, ObsUnit
from tests.api.bodies import START, finish_body, finish_path, start_body
from tests.api.conftest import ApiClient, client_with, problem
from tests.api.reading import queries_of
from tests.factories.observatory import (
    ChaiModuleConfigurationFactory,
    InstrumentFactory,
    InstrumentModuleFactory,
    PrimeCamModuleConfigurationFactory,
    TelescopeFactory,
)
from tests.factories.planning import (
    ExecutedObsUnitFactory,
    ObsModeFactory,
    ObsUnitFactory,
    PreScheduledSlotFactory,
    PrimeCamObservationConfigurationFactory,
)

pytestmark = pytest.mark.django_db

SET_UPS = "instrument_module_configurations"


@pytest.fixture
def unit() -> ObsUnit:
    """Observed with Prime-Cam."""
    mode = ObsModeFactory.create(name="primecam daisy", instrument=InstrumentFactory.create())
    unit: ObsUnit = ObsUnitFactory.create(obs_mode=mode)
    return unit


@pytest.fixture
def module_configuration() -> InstrumentModuleConfiguration:
    """Of Prime-Cam's 280 GHz module."""
    row: InstrumentModuleConfiguration = PrimeCamModuleConfigurationFactory.create()
    return row


def named(module_configuration: InstrumentModuleConfiguration) -> dict[str, str]:
    module = module_configuration.instrument_module
    return {"instrument": module.instrument.short_name, "module": module.short_name, "name": module_configuration.name}


class TestStart:
    def test_set_ups_are_kept_and_read_back(
        self, instrument_api: ApiClient, unit: ObsUnit, module_configuration: InstrumentModuleConfiguration
    ) -> None:
        other = PrimeCamModuleConfigurationFactory.create(
            instrument_module=InstrumentModuleFactory.create(short_name="f350"), name="fast"
        )
        body = start_body(unit, **{SET_UPS: [named(other), {"id": module_configuration.pk}]})

        answer = instrument_api.post(START, body)

        assert answer.status_code == 201, answer.content
        shown = [
            {"id": module_configuration.pk, "instrument": "primecam", "module": "f280", "name": "standard"},
            {"id": other.pk, "instrument": "primecam", "module": "f350", "name": "fast"},
        ]
        assert answer.json()[SET_UPS] == shown
        read = instrument_api.get(f"/api/executed_obs_units/{body['id']}").json()
        assert read[SET_UPS] == shown
        found = instrument_api.get("/api/executed_obs_units/", instrument_module_configuration=other.pk)
        assert [row["id"] for row in found.json()["results"]] == [body["id"]]

    def test_configuration_and_slot_are_kept_with_the_revision(self, instrument_api: ApiClient, unit: ObsUnit) -> None:
        configuration = PrimeCamObservationConfigurationFactory.create(obs_unit=unit, version=3)
        slot = PreScheduledSlotFactory.create(obs_unit=unit)
        body = start_body(unit, observation_configuration=configuration.pk, pre_scheduled_slot=slot.pk)

        answer = instrument_api.post(START, body).json()

        assert answer["observation_configuration"] == configuration.pk
        assert answer["observation_configuration_version"] == 3
        assert answer["pre_scheduled_slot"] == slot.pk
        execution = ExecutedObsUnit.objects.get()
        assert execution.observation_configuration_id == configuration.pk
        assert execution.pre_scheduled_slot == slot

    def test_nothing_named_is_nothing_kept(self, instrument_api: ApiClient, unit: ObsUnit) -> None:
        answer = instrument_api.post(START, start_body(unit)).json()
        assert answer[SET_UPS] == []
        assert answer["observation_configuration"] is None
        assert answer["pre_scheduled_slot"] is None
        filed = ExecutedObsUnit.objects.get().filed["start"]
        assert set(filed) == {"obs_unit", "start_time", "parameters", "operator"}


class TestAgain:
    def test_the_same_in_other_words_is_the_same(
        self, instrument_api: ApiClient, unit: ObsUnit, module_configuration: InstrumentModuleConfiguration
    ) -> None:
        body = start_body(unit, **{SET_UPS: [named(module_configuration)]})
        first = instrument_api.post(START, body)
        second = instrument_api.post(START, body | {SET_UPS: [{"id": module_configuration.pk}]})
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json()

    @pytest.mark.parametrize("field", [SET_UPS, "observation_configuration", "pre_scheduled_slot"])
    def test_what_differs_is_said(
        self, instrument_api: ApiClient, unit: ObsUnit, module_configuration: InstrumentModuleConfiguration, field: str
    ) -> None:
        configuration = PrimeCamObservationConfigurationFactory.create(obs_unit=unit)
        slot = PreScheduledSlotFactory.create(obs_unit=unit)
        keys = {
            SET_UPS: [module_configuration.pk],
            "observation_configuration": configuration.pk,
            "pre_scheduled_slot": slot.pk,
        }
        sent = {**keys, SET_UPS: [{"id": module_configuration.pk}]}
        body = start_body(unit, **sent)
        instrument_api.post(START, body)
        del body[field]

        answer = problem(instrument_api.post(START, body), 409, "filing.differs")

        assert answer["differences"] == {field: {"stored": keys[field], "sent": None}}
        assert ExecutedObsUnit.objects.get().instrument_module_configurations.count() == 1

    def test_an_execution_that_was_not_filed_is_compared_with_its_rows(
        self, instrument_api: ApiClient, unit: ObsUnit, module_configuration: InstrumentModuleConfiguration
    ) -> None:
        execution = ExecutedObsUnitFactory.create(obs_unit=unit)
        execution.instrument_module_configurations.add(module_configuration)
        body = start_body(unit, id=str(execution.pk), **{SET_UPS: [{"id": module_configuration.pk}]})
        assert instrument_api.post(START, body).status_code == 200
        del body[SET_UPS]
        problem(instrument_api.post(START, body), 409, "filing.differs")

    def test_a_revision_since_then_changes_nothing(self, instrument_api: ApiClient, unit: ObsUnit) -> None:
        configuration = PrimeCamObservationConfigurationFactory.create(obs_unit=unit)
        body = start_body(unit, observation_configuration=configuration.pk)
        instrument_api.post(START, body)
        type(configuration).objects.update(version=2)
        answer = instrument_api.post(START, body)
        assert answer.status_code == 200
        assert answer.json()["observation_configuration_version"] == 1


class TestRefusals:
    def refused(self, api: ApiClient, code: str, unit: ObsUnit, **fields: Any) -> dict[str, Any]:
        answer = problem(api.post(START, start_body(unit, **fields)), 400, code)
        assert not ExecutedObsUnit.objects.exists()
        return answer

    def test_a_set_up_that_does_not_exist(
        self, instrument_api: ApiClient, unit: ObsUnit, module_configuration: InstrumentModuleConfiguration
    ) -> None:
        for name in ({"id": 999_999}, named(module_configuration) | {"name": "slow"}):
            self.refused(instrument_api, "filing.unknown_module_configuration", unit, **{SET_UPS: [name]})

    def test_a_set_up_of_another_module_is_no_set_up_of_this_one(
        self, instrument_api: ApiClient, unit: ObsUnit, module_configuration: InstrumentModuleConfiguration
    ) -> None:
        InstrumentModuleFactory.create(short_name="f350")
        name = named(module_configuration) | {"module": "f350"}
        self.refused(instrument_api, "filing.unknown_module_configuration", unit, **{SET_UPS: [name]})

    def test_a_module_of_another_instrument(self, instrument_api: ApiClient, unit: ObsUnit) -> None:
        chai = ChaiModuleConfigurationFactory.create()
        answer = self.refused(instrument_api, "filing.not_of_the_instrument", unit, **{SET_UPS: [{"id": chai.pk}]})
        assert "Prime-Cam" in answer["detail"]

    def test_a_module_at_another_telescope(self, instrument_api: ApiClient) -> None:
        unit = ObsUnitFactory.create()  # its mode is of no instrument
        far = InstrumentFactory.create(
            short_name="far", telescope=TelescopeFactory.create(short_name="nanten", name="NANTEN2")
        )
        module_configuration = PrimeCamModuleConfigurationFactory.create(
            instrument_module=InstrumentModuleFactory.create(instrument=far)
        )
        self.refused(
            instrument_api, "filing.not_of_the_instrument", unit, **{SET_UPS: [{"id": module_configuration.pk}]}
        )

    def test_two_set_ups_of_one_module(
        self, instrument_api: ApiClient, unit: ObsUnit, module_configuration: InstrumentModuleConfiguration
    ) -> None:
        other = PrimeCamModuleConfigurationFactory.create(name="fast")
        names = [{"id": module_configuration.pk}, {"id": other.pk}]
        self.refused(instrument_api, "filing.module_twice", unit, **{SET_UPS: names})

    @pytest.mark.parametrize("field", ["observation_configuration", "pre_scheduled_slot"])
    def test_what_does_not_exist_or_is_another_units(
        self, instrument_api: ApiClient, unit: ObsUnit, field: str
    ) -> None:
        make: Any = {
            "observation_configuration": PrimeCamObservationConfigurationFactory,
            "pre_scheduled_slot": PreScheduledSlotFactory,
        }[field]
        others = make.create()
        self.refused(instrument_api, "filing.not_of_the_obs_unit", unit, **{field: others.pk})
        self.refused(instrument_api, "filing.unknown_plan", unit, **{field: 999_999})

    def test_a_bound_token_names_modules_of_its_instrument_only(
        self, module_configuration: InstrumentModuleConfiguration
    ) -> None:
        unit = ObsUnitFactory.create()  # its mode is of no instrument
        chai = ChaiModuleConfigurationFactory.create()
        bound = client_with("write:observations", instrument=module_configuration.instrument_module.instrument)

        answer = bound.post(START, start_body(unit, **{SET_UPS: [{"id": chai.pk}]}))

        problem(answer, 403, "token.other_instrument")
        assert bound.post(
            START, start_body(unit, **{SET_UPS: [{"id": module_configuration.pk}]})
        ).status_code == 201  # fmt: skip

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({SET_UPS: 7}, SET_UPS),
            ({SET_UPS: [7]}, f"{SET_UPS}.0"),
            ({SET_UPS: [{}]}, f"{SET_UPS}.0"),
            ({SET_UPS: [{"id": 1, "name": "x"}]}, f"{SET_UPS}.0"),
            ({SET_UPS: [{"instrument": "primecam", "name": "x"}]}, f"{SET_UPS}.0"),
            ({SET_UPS: [{"id": "x"}]}, f"{SET_UPS}.0.id"),
            ({SET_UPS: [{"id": 2**63}]}, f"{SET_UPS}.0.id"),
            ({SET_UPS: [{"identity": 1}]}, f"{SET_UPS}.0.identity"),
            ({SET_UPS: [{"id": 1}] * 101}, SET_UPS),
            ({"observation_configuration": "x"}, "observation_configuration"),
            ({"pre_scheduled_slot": -1}, "pre_scheduled_slot"),
        ],
    )
    def test_what_makes_no_sense_is_named(
        self, instrument_api: ApiClient, unit: ObsUnit, fields: dict[str, Any], field: str
    ) -> None:
        answer = self.refused(instrument_api, "request.invalid", unit, **fields)
        assert answer["errors"][0]["field"] == field


class TestRanges:
    def test_the_ranges_of_the_pointing_are_conditions(self, instrument_api: ApiClient) -> None:
        execution = ExecutedObsUnitFactory.create()
        ranges = {"el_min_deg": 45.0, "el_max_deg": 55.5, "az_min_deg": -10.0, "az_max_deg": 20.0}
        answer = instrument_api.put(finish_path(execution), finish_body(conditions=ranges))
        assert answer.status_code == 200, answer.content
        shown = answer.json()["conditions"]
        assert {name: shown[name] for name in ranges} == ranges
        again = finish_body(conditions={**ranges, "el_max_deg": 56.0})
        answer = problem(instrument_api.put(finish_path(execution), again), 409, "filing.differs")
        assert answer["differences"] == {"el_max_deg": {"stored": 55.5, "sent": 56.0}}

    @pytest.mark.parametrize(
        ("conditions", "field"),
        [
            ({"el_min_deg": 56, "el_max_deg": 55}, "el_max_deg"),
            ({"az_min_deg": 1, "az_max_deg": 0.5}, "az_max_deg"),
            ({"el_max_deg": 181}, "el_max_deg"),
            ({"az_min_deg": -361}, "az_min_deg"),
        ],
    )
    def test_ranges_that_cannot_be_are_refused(
        self, instrument_api: ApiClient, conditions: dict[str, float], field: str
    ) -> None:
        execution = ExecutedObsUnitFactory.create()
        body = finish_body(conditions=conditions)
        answer = problem(instrument_api.put(finish_path(execution), body), 400, "request.invalid")
        assert answer["errors"][0]["field"] == f"conditions.{field}"


def test_set_ups_are_listed_in_a_bounded_number_of_queries(viewer_api: ApiClient) -> None:
    def add(number: int) -> None:
        module = InstrumentModuleFactory.create(instrument=InstrumentFactory.create(short_name=f"i{number}"))
        module_configuration = PrimeCamModuleConfigurationFactory.create(instrument_module=module)
        ExecutedObsUnitFactory.create().instrument_module_configurations.add(module_configuration)

    for number in range(2):
        add(number)
    few = queries_of(viewer_api, "/api/executed_obs_units/")
    for number in range(2, 20):
        add(number)
    assert queries_of(viewer_api, "/api/executed_obs_units/") <= few
