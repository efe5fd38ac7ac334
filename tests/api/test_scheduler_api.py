"""What the scheduler asks and says: candidates in order, what is available, all or nothing, with an entry of the audit log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import SystemLog
from observatory.models import Instrument, InstrumentModule
from planning.models import ObsUnit
from tests.api.conftest import ApiClient, client_with, problem
from tests.api.reading import names_in, queries_of
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.factories.observatory import InstrumentFactory, InstrumentModuleFactory, PrimeCamModuleConfigurationFactory
from tests.factories.planning import (
    CalibrationCadenceFactory,
    ConstantElevationSourceFactory,
    ExecutedObsUnitFactory,
    FixedSourceFactory,
    ObservingProgramFactory,
    ObsModeFactory,
    ObsUnitFactory,
    PreScheduledSlotFactory,
    SolarSystemObjectFactory,
    SubObservingProgramFactory,
)

pytestmark = pytest.mark.django_db

AVAILABLE = "/api/obs_units/available/"
UNITS = "/api/obs_units/availability"
INSTRUMENTS = "/api/instruments/availability"
MODULES = "/api/instrument_modules/availability"
#: Orion-KL culminates at FYST, at an elevation of 72 degrees, and the Sun is far away.
ORION_HIGH = datetime(2026, 12, 15, 4, 40, tzinfo=UTC)
#: It is below the horizon.
ORION_DOWN = datetime(2026, 12, 15, 16, 40, tzinfo=UTC)


@pytest.fixture
def scheduler_api(db: None) -> ApiClient:
    """Sees everything, sets what is available."""
    return client_with("read:observations", "read:all_programs", "write:schedule")


def make_unit(**fields: Any) -> ObsUnit:
    """Ready, with Prime-Cam's 280 GHz module in its usual module configuration."""
    mode = ObsModeFactory.create(name="primecam daisy", instrument=InstrumentFactory.create())
    unit: ObsUnit = ObsUnitFactory.create(**{"obs_mode": mode, **fields})
    unit.instrument_module_configurations.add(PrimeCamModuleConfigurationFactory.create())
    return unit


class TestAvailable:
    def test_the_most_urgent_comes_first(self, scheduler_api: ApiClient) -> None:
        for name, priority in (("b", 5), ("a", 7), ("c", -1), ("d", 5)):
            make_unit(name=name, priority=priority)
        assert names_in(scheduler_api.get(AVAILABLE)) == ["c", "b", "d", "a"]

    @pytest.mark.parametrize("state", ["draft", "on_hold", "completed", "cancelled"])
    def test_a_unit_that_is_not_active_is_not(self, scheduler_api: ApiClient, state: str) -> None:
        make_unit(state=state)
        assert names_in(scheduler_api.get(AVAILABLE)) == []

    @pytest.mark.parametrize(
        "obstacle",
        [
            "program",
            "sub-program",
            "instrument",
            "module",
            "module configuration",
            "module configuration over",
            "not yet",
        ],
    )
    def test_what_is_in_the_way_hides_it(self, scheduler_api: ApiClient, obstacle: str) -> None:
        unit = make_unit(sub_observing_program=SubObservingProgramFactory.create())
        make_unit(
            name="other", observing_program=ObservingProgramFactory.create(short_name="WFS"),
            obs_mode=ObsModeFactory.create(name="any"),
        ).instrument_module_configurations.clear()  # fmt: skip
        assert len(names_in(scheduler_api.get(AVAILABLE))) == 2
        module_configuration = unit.instrument_module_configurations.get()
        now = datetime.now(UTC)
        changes: dict[str, tuple[Any, dict[str, Any]]] = {
            "program": (unit.observing_program, {"active": False}),
            "sub-program": (unit.sub_observing_program, {"active": False}),
            "instrument": (unit.obs_mode.instrument, {"available": False}),
            "module": (module_configuration.instrument_module, {"available": False}),
            "module configuration": (module_configuration, {"active": False}),
            "module configuration over": (module_configuration, {"valid_to": now - timedelta(minutes=1)}),
            "not yet": (module_configuration, {"valid_from": now + timedelta(days=1)}),
        }
        row, values = changes[obstacle]
        type(row)._base_manager.filter(pk=row.pk).update(**values)

        assert names_in(scheduler_api.get(AVAILABLE)) == ["other"]

    def test_a_module_of_an_instrument_that_is_away_is_away(self, scheduler_api: ApiClient) -> None:
        unit = make_unit(obs_mode=ObsModeFactory.create(name="any"))
        Instrument.objects.update(available=False)
        assert names_in(scheduler_api.get(AVAILABLE)) == []
        unit.instrument_module_configurations.clear()
        assert names_in(scheduler_api.get(AVAILABLE)) == [unit.name]

    def test_filters(self, scheduler_api: ApiClient) -> None:
        make_unit(name="dry", max_pwv_mm=0.5)
        make_unit(name="any")
        assert names_in(scheduler_api.get(AVAILABLE, pwv_mm="0.5")) == ["dry", "any"]
        assert names_in(scheduler_api.get(AVAILABLE, pwv_mm="0.51")) == ["any"]
        assert names_in(scheduler_api.get(AVAILABLE, instrument="chai")) == []
        assert names_in(scheduler_api.get(AVAILABLE, program="GEco", telescope="fyst")) != []

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"at": "now"}, "at"),
            ({"at": ""}, "at"),
            ({"pwv_mm": "dry"}, "pwv_mm"),
            ({"state": "active"}, "state"),
            ({"order": "name"}, "order"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, scheduler_api: ApiClient, query: dict[str, str], field: str) -> None:
        answer = problem(scheduler_api.get(AVAILABLE, **query), 400, "request.invalid")
        assert [error["field"] for error in answer["errors"]] == [field]


class TestSky:
    def at(self, api: ApiClient, moment: datetime, **query: Any) -> list[Any]:
        answer = api.get(AVAILABLE, at=moment.isoformat(), **query)
        assert answer.status_code == 200, answer.content
        rows: list[Any] = answer.json()["results"]
        return rows

    def test_a_source_is_there_when_it_is_up(self, scheduler_api: ApiClient) -> None:
        unit = make_unit()
        (row,) = self.at(scheduler_api, ORION_HIGH)
        assert row["id"] == unit.pk
        assert 70 < row["sight"]["elevation_deg"] < 74
        assert row["sight"]["sun_distance_deg"] > 150
        assert row["sight"]["slot"] is None
        assert self.at(scheduler_api, ORION_DOWN) == []

    def test_the_numbers_are_those_of_the_visibility(self, scheduler_api: ApiClient) -> None:
        unit = make_unit()
        night = scheduler_api.get(f"/api/visibility/{unit.source_id}", evening="2026-12-14").json()
        place = max(range(289), key=lambda n: night["elevation_deg"][n])
        (row,) = self.at(scheduler_api, datetime.fromisoformat(night["times"][place]))
        assert row["sight"]["elevation_deg"] == pytest.approx(night["elevation_deg"][place], abs=0.001)
        assert row["sight"]["azimuth_deg"] == pytest.approx(night["azimuth_deg"][place], abs=0.01)

    @pytest.mark.parametrize(
        "limits",
        [
            {"min_elevation_deg": 75.0},
            {"max_elevation_deg": 60.0},
            {"min_sun_distance_deg": 179.0},
            {"lst_start_h": 8.0, "lst_stop_h": 3.0},
            {"lst_start_h": 6.5},
        ],
    )
    def test_outside_of_its_limits_it_is_not(self, scheduler_api: ApiClient, limits: dict[str, float]) -> None:
        unit = make_unit()
        assert len(self.at(scheduler_api, ORION_HIGH)) == 1
        ObsUnit.objects.filter(pk=unit.pk).update(**limits)
        assert self.at(scheduler_api, ORION_HIGH) == []

    def test_the_telescopes_limits_hold_too(self, scheduler_api: ApiClient) -> None:
        unit = make_unit(min_elevation_deg=0)
        type(unit.telescope).objects.update(el_min_deg=80)
        assert self.at(scheduler_api, ORION_HIGH) == []

    def test_with_slots_only_inside_of_one(self, scheduler_api: ApiClient) -> None:
        unit = make_unit()
        slot = PreScheduledSlotFactory.create(
            obs_unit=unit, start_time=ORION_HIGH, end_time=ORION_HIGH + timedelta(minutes=30)
        )
        (row,) = self.at(scheduler_api, ORION_HIGH)
        assert row["sight"]["slot"] == slot.pk
        assert self.at(scheduler_api, ORION_HIGH - timedelta(seconds=1)) == []
        (later,) = self.at(scheduler_api, slot.end_time)  # what is over hides nothing
        assert later["sight"]["slot"] is None
        type(slot).objects.update(status="cancelled")
        assert len(self.at(scheduler_api, ORION_HIGH - timedelta(seconds=1))) == 1

    def test_what_has_no_source_has_an_azimuth_and_elevation_or_is_done_anywhere(
        self, scheduler_api: ApiClient
    ) -> None:
        sky = {"source": None, "target_azimuth_deg": 180.0}
        make_unit(name="skydip", target_elevation_deg=60.0, **sky)
        make_unit(name="too low", target_elevation_deg=10.0, min_elevation_deg=None, **sky)
        make_unit(name="retune", source=None)

        seen = {row["name"]: row for row in self.at(scheduler_api, ORION_HIGH)}

        assert set(seen) == {"skydip", "retune"}
        where = seen["skydip"]["sight"]
        assert (where["elevation_deg"], where["azimuth_deg"]) == (60, 180)
        assert where["sun_distance_deg"] > 45
        assert seen["retune"]["sight"] == {
            "elevation_deg": None, "azimuth_deg": None, "sun_distance_deg": None, "sun_warning": False, "slot": None,
        }  # fmt: skip
        assert (seen["retune"]["source"], seen["retune"]["source_name"]) == (None, None)

    def test_every_kind_of_source(self, scheduler_api: ApiClient, caplog: pytest.LogCaptureFixture) -> None:
        make_unit(name="moving", source=FixedSourceFactory.create(
            name="moving", pm_ra_mas_yr=10.0, pm_dec_mas_yr=1.0))  # fmt: skip
        make_unit(name="jupiter", source=SolarSystemObjectFactory.create(), min_elevation_deg=0)
        field = ConstantElevationSourceFactory.create(az_min_deg=110.0, az_max_deg=170.0)
        make_unit(name="field", source=field)
        nowhere = ConstantElevationSourceFactory.create(name="nowhere")
        make_unit(name="nowhere", source=nowhere)

        seen = {row["name"]: row["sight"] for row in self.at(scheduler_api, ORION_HIGH)}

        assert {"moving", "field"} <= set(seen)
        assert seen["field"]["elevation_deg"] == pytest.approx(50)
        assert "nowhere" not in seen
        assert "Nobody said where nowhere is" in caplog.text

    def test_a_time_beyond_the_ephemeris_is_refused(self, scheduler_api: ApiClient) -> None:
        answer = scheduler_api.get(AVAILABLE, at="2100-01-01T00:00:00Z")
        problem(answer, 400, "visibility.beyond_ephemeris")

    def test_many_units_take_as_many_queries_as_few(self, scheduler_api: ApiClient) -> None:
        def add(number: int) -> None:
            unit = make_unit(source=FixedSourceFactory.create(name=f"S{number}"))
            PreScheduledSlotFactory.create(
                obs_unit=unit, start_time=ORION_HIGH + timedelta(hours=number),
                end_time=ORION_HIGH + timedelta(hours=number + 1),
            )  # fmt: skip

        query = {"at": ORION_HIGH.isoformat(), "expand": "source,slots"}
        for number in range(2):
            add(number)
        queries_of(scheduler_api, AVAILABLE, **query)
        few = queries_of(scheduler_api, AVAILABLE, **query)
        for number in range(2, 20):
            add(number)
        assert queries_of(scheduler_api, AVAILABLE, **query) <= few


def availability(rows: list[Any], available: bool, field: str = "obs_units") -> dict[str, Any]:
    return {field: rows, "available": available, "reason": "wind"}


class TestUnits:
    def test_they_are_put_on_hold_and_back_with_a_line_of_the_diary(self, scheduler_api: ApiClient) -> None:
        units = [make_unit() for _ in range(2)]
        keys = [unit.pk for unit in units]

        answer = scheduler_api.put(UNITS, availability(keys, False))

        assert answer.status_code == 200, answer.content
        assert answer.json() == {"available": False, "changed": 2, "unchanged": 0}
        assert set(ObsUnit.objects.values_list("state", flat=True)) == {"on_hold"}
        line = SystemLog.objects.get(component="availability")
        assert "wind" in line.message
        assert line.context["ids"] == keys
        assert scheduler_api.token is not None
        assert line.user == scheduler_api.token.user
        assert names_in(scheduler_api.get(AVAILABLE)) == []
        scheduler_api.put(UNITS, {"obs_units": keys, "available": True})
        assert len(names_in(scheduler_api.get(AVAILABLE))) == 2

    def test_the_same_again_changes_nothing_and_says_nothing(self, scheduler_api: ApiClient) -> None:
        unit = make_unit()
        body = availability([unit.pk], False)
        scheduler_api.put(UNITS, body)
        again = scheduler_api.put(UNITS, body)
        assert again.json() == {"available": False, "changed": 0, "unchanged": 1}
        assert SystemLog.objects.filter(component="availability").count() == 1

    def test_one_that_there_is_not_keeps_all_as_they_are(self, scheduler_api: ApiClient) -> None:
        unit = make_unit()
        body = availability([unit.pk, 999_999], False)
        answer = problem(scheduler_api.put(UNITS, body), 400, "request.invalid")
        assert [error["field"] for error in answer["errors"]] == ["obs_units.1"]
        assert ObsUnit.objects.get().state == "active"
        assert not SystemLog.objects.filter(component="availability").exists()

    @pytest.mark.parametrize("state", ["draft", "completed", "cancelled"])
    @pytest.mark.parametrize("available", [True, False])
    def test_one_that_cannot_be_scheduled_does_too(self, scheduler_api: ApiClient, state: str, available: bool) -> None:
        unit, other = make_unit(state="on_hold" if available else "active"), make_unit(state=state)
        body = availability([unit.pk, other.pk], available)
        answer = problem(scheduler_api.put(UNITS, body), 409, "availability.not_schedulable")
        assert other.name in answer["detail"]
        unit.refresh_from_db()
        assert unit.state == ("on_hold" if available else "active")

    def test_who_sees_no_unit_sets_none(self) -> None:
        rights = ["read:observations", "write:schedule"]
        user = UserFactory.create(permissions=rights, sees_all=False)
        stranger = ApiClient(ApiTokenFactory.create(user=user, scopes=rights))
        unit = make_unit()
        assert names_in(stranger.get("/api/obs_units/")) == []
        answer = stranger.put(UNITS, availability([unit.pk], False))
        problem(answer, 400, "request.invalid")
        assert ObsUnit.objects.get().state == "active"


class TestInstruments:
    def test_an_instrument_and_its_modules_are_set_apart(self, scheduler_api: ApiClient) -> None:
        module = InstrumentModuleFactory.create()
        answer = scheduler_api.put(INSTRUMENTS, availability(["primecam"], False, "instruments"))
        assert answer.json() == {"available": False, "changed": 1, "unchanged": 0}
        assert not Instrument.objects.get().available
        assert InstrumentModule.objects.get().available
        body = availability([module.pk], False, "instrument_modules")
        assert scheduler_api.put(MODULES, body).json()["changed"] == 1
        assert scheduler_api.put(MODULES, body).json()["unchanged"] == 1
        assert not InstrumentModule.objects.get().available
        lines = SystemLog.objects.filter(component="availability")
        assert {line.object_type or line.context.get("object_type") for line in lines} == {
            "observatory.instrument",
            "observatory.instrumentmodule",
        }

    def test_one_that_there_is_not_keeps_all_as_they_are(self, scheduler_api: ApiClient) -> None:
        InstrumentModuleFactory.create()
        body = availability(["primecam", "chai"], False, "instruments")
        problem(scheduler_api.put(INSTRUMENTS, body), 400, "request.invalid")
        problem(scheduler_api.put(MODULES, availability([999], False, "instrument_modules")), 400, "request.invalid")
        assert Instrument.objects.get().available


class TestRights:
    @pytest.mark.parametrize("address", [UNITS, INSTRUMENTS, MODULES])
    def test_filing_is_no_right_to_schedule(self, instrument_api: ApiClient, address: str) -> None:
        problem(instrument_api.put(address, {}), 403, "request.permission_denied")

    def test_a_bound_token_speaks_for_its_instrument(self) -> None:
        unit = make_unit()
        chai = InstrumentFactory.create(short_name="chai")
        module = unit.instrument_module_configurations.get().instrument_module
        calls = [
            (UNITS, availability([unit.pk], False)),
            (INSTRUMENTS, availability(["primecam"], False, "instruments")),
            (MODULES, availability([module.pk], False, "instrument_modules")),
        ]
        rights = ("read:observations", "read:all_programs", "write:schedule")
        other = client_with(*rights, instrument=chai)
        own = client_with(*rights, instrument=module.instrument)
        for address, body in calls:
            problem(other.put(address, body), 403, "token.other_instrument")
            assert own.put(address, body).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"available": "maybe"},
        {"available": None},
        {"reason": ""},
        {"reason": "\x00"},
        {"obs_units": []},
        {"obs_units": ["x"]},
        {"obs_units": 1},
        {"obs_units": [2**63]},
        {"why": "wind"},
    ],
    ids=str,
)
def test_bodies_that_make_no_sense_are_refused(scheduler_api: ApiClient, change: dict[str, Any]) -> None:
    unit = make_unit()
    body = availability([unit.pk], False) | change
    answer = problem(scheduler_api.put(UNITS, body), 400, "request.invalid")
    assert answer["errors"][0]["field"].split(".")[0] == next(iter(change))
    assert ObsUnit.objects.get().state == "active"


class TestCalibrations:
    def test_the_call_says_which_are_due(self, scheduler_api: ApiClient) -> None:
        cadence = CalibrationCadenceFactory.create()
        unit = ObsUnitFactory.create(name="focus", obs_mode=cadence.obs_mode)
        execution = ExecutedObsUnitFactory.create(obs_unit=unit, finished=True)  # until 22:30
        execution.instrument_module_configurations.add(PrimeCamModuleConfigurationFactory.create())
        at = datetime(2026, 5, 2, 1, 0, tzinfo=UTC)

        answer = scheduler_api.get(AVAILABLE, at=at.isoformat()).json()
        assert answer["calibrations"] == [
            {
                "cadence": cadence.pk,
                "instrument": "primecam",
                "module": "f280",
                "instrument_module": cadence.instrument_module_id,
                "obs_mode": "focus",
                "interval_s": 7200,
                "last_end_time": "2026-05-01T22:30:00Z",
                "due_at": "2026-05-02T00:30:00Z",
                "due": True,
                "overdue_s": 1800.0,
            }
        ]

    def test_of_the_instrument_and_telescope_that_are_asked_for(self, scheduler_api: ApiClient) -> None:
        CalibrationCadenceFactory.create()
        for query, count in (
            ({}, 1), ({"instrument": "primecam"}, 1), ({"instrument": "chai"}, 0), ({"telescope": "other"}, 0)
        ):  # fmt: skip
            assert len(scheduler_api.get(AVAILABLE, **query).json()["calibrations"]) == count

    def test_who_sees_some_programs_only_is_not_told_when_others_observed(self) -> None:
        CalibrationCadenceFactory.create()
        scientist = UserFactory.create(permissions=["read:observations"], sees_all=False)
        api = ApiClient(ApiTokenFactory.create(user=scientist, scopes=["read:observations"]))
        assert api.get(AVAILABLE).json()["calibrations"] == []
        assert api.get("/api/calibration_cadences/").json()["results"] == []

    def test_cadences_are_read_as_all_tables_are(self, scheduler_api: ApiClient) -> None:
        CalibrationCadenceFactory.create()
        (row,) = scheduler_api.get("/api/calibration_cadences/", module="f280", obs_mode="focus").json()["results"]
        assert (row["instrument"], row["obs_mode"], row["interval_s"]) == ("primecam", "focus", 7200)
        assert scheduler_api.get("/api/calibration_cadences/", obs_mode="skydip").json()["results"] == []
