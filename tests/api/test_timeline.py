"""A night of blocks in one call: all or nothing, the same again changes nothing, another one replaces it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from planning.models import (
    ConstantElevationSource,
    FixedSource,
    ObservingProgram,
    ObsUnit,
    PreScheduledSlot,
    SlotStatus,
)
from tests.api.conftest import ApiClient, client_with, problem
from tests.factories.observatory import InstrumentFactory, TelescopeFactory
from tests.factories.planning import (
    ExecutedObsUnitFactory,
    FixedSourceFactory,
    ObservingProgramFactory,
    ObsModeFactory,
    ObsUnitFactory,
    PreScheduledSlotFactory,
    SolarSystemObjectFactory,
)
from tests.planning.scheduling.ecsv import NIGHT, block, part_of_a_night, written

pytestmark = pytest.mark.django_db
PATH = "/api/timeline"
START = datetime(2026, 6, 1, 22, 0, tzinfo=UTC)


@pytest.fixture
def api(db: None) -> ApiClient:
    """The scheduler, with the modes and programs that the telescope has."""
    prime_cam = InstrumentFactory.create()
    for name, category in (("constant_el", "science"), ("pong", "science"), ("daisy", "science"),
                           ("retune", "engineering"), ("skydip", "calibration"), ("pointing_cal", "calibration")):  # fmt: skip
        ObsModeFactory.create(name=name, category=category, instrument=prime_cam)
    for name in ("WFS", "Cal"):
        ObservingProgramFactory.create(short_name=name, name=name)
    return client_with("write:schedule", "read:observations")


def times(minutes: float, length: float) -> dict[str, str]:
    start = START + timedelta(minutes=minutes)
    return {"start_time": start.isoformat(), "end_time": (start + timedelta(minutes=length)).isoformat()}


def timeline(*blocks: dict[str, Any], plan: str = "2026-06-01") -> dict[str, Any]:
    return {"plan": plan, "program": "Cal", "blocks": list(blocks)}


def retune(minutes: float, length: float = 1, **fields: Any) -> dict[str, Any]:
    return {**times(minutes, length), "name": "retune", "mode": "retune", **fields}


def slots(**fields: Any) -> Any:
    return PreScheduledSlot.objects.filter(**fields)


class TestBlocks:
    def test_a_block_has_a_slot_with_all_that_was_said(self, api: ApiClient) -> None:
        unit = ObsUnitFactory.create()
        sweep = {
            "azimuth_min_deg": 110.0, "azimuth_max_deg": 250.0, "elevation_deg": 45.0, "boresight_angle_deg": 12.5,
            "scan_index": 3, "subscan_index": 1,
        }  # fmt: skip
        events = [{"start_s": 600, "duration_s": 5}]

        answer = api.post(PATH, timeline({**times(0, 30), "obs_unit": unit.pk, **sweep, "retune_events": events}))

        assert answer.status_code == 201, answer.content
        assert answer.json() == {
            "plan": "2026-06-01", "created": 1, "unchanged": 0, "replaced": 0, "obs_units_created": 0,
        }  # fmt: skip
        (row,) = api.get("/api/pre_scheduled_slots/").json()["results"]
        assert row["obs_unit"] == unit.pk
        assert {name: row[name] for name in sweep} == sweep
        assert row["retune_events"] == [[600.0, 5.0]]
        assert (row["plan"], row["status"]) == ("2026-06-01", "planned")

    def test_a_calibration_without_a_target_needs_no_source(self, api: ApiClient) -> None:
        assert api.post(PATH, timeline(retune(0), retune(30))).json()["obs_units_created"] == 1
        (unit,) = ObsUnit.objects.all()
        assert (unit.source, unit.target_name, unit.obs_mode.name) == (None, "in place", "retune")

    def test_a_unit_is_found_by_program_and_name(self, api: ApiClient) -> None:
        unit = ObsUnitFactory.create()
        program = unit.observing_program.short_name
        body = timeline({**times(0, 30), "program": program, "name": unit.name})
        assert api.post(PATH, body).json()["obs_units_created"] == 0
        assert slots().get().obs_unit == unit

    def test_a_target_is_found_by_its_name_in_any_case(self, api: ApiClient) -> None:
        jupiter = SolarSystemObjectFactory.create()
        api.post(PATH, timeline({**times(0, 3), "name": "pointing", "mode": "pointing_cal", "source": "jupiter"}))
        assert ObsUnit.objects.get().source_id == jupiter.pk


class TestAgain:
    def test_the_same_again_changes_nothing(self, api: ApiClient) -> None:
        body = timeline(retune(0), retune(30))
        api.post(PATH, body)
        before = list(slots().values())

        again = api.post(PATH, body)

        assert (again.status_code, again.json()["unchanged"]) == (200, 2)
        assert list(slots().values()) == before

    def test_another_one_replaces_what_was_not_observed(self, api: ApiClient) -> None:
        api.post(PATH, timeline(retune(0), retune(30), retune(60)))
        first, second, third = slots().order_by("start_time")
        ExecutedObsUnitFactory.create(obs_unit=first.obs_unit, pre_scheduled_slot=first)

        answer = api.post(PATH, timeline(retune(60, elevation_deg=60.0), retune(90)))

        assert answer.json() == {
            "plan": "2026-06-01", "created": 1, "unchanged": 1, "replaced": 1, "obs_units_created": 0,
        }  # fmt: skip
        for slot in (first, second, third):
            slot.refresh_from_db()
        assert [slot.status for slot in (first, second, third)] == ["planned", "cancelled", "planned"]
        assert third.elevation_deg == 60
        assert slots(status=SlotStatus.PLANNED).count() == 3

    def test_an_empty_one_takes_the_plan_back(self, api: ApiClient) -> None:
        api.post(PATH, timeline(retune(0)))
        assert api.post(PATH, timeline()).json()["replaced"] == 1
        assert api.post(PATH, timeline(retune(0))).json()["created"] == 1

    def test_other_plans_are_left_alone(self, api: ApiClient) -> None:
        api.post(PATH, timeline(retune(0), plan="one"))
        api.post(PATH, timeline(retune(30), plan="another"))
        assert slots(status=SlotStatus.PLANNED).count() == 2


class TestRefused:
    @pytest.mark.parametrize(
        ("wrong", "field", "code"),
        [
            ({"program": "nobody's"}, "program", "does_not_exist"),
            ({"mode": "no such mode", "name": "new"}, "mode", "does_not_exist"),
            ({"source": "no such source", "name": "new"}, "source", "does_not_exist"),
            ({"mode": "pong", "name": "science"}, "source", "invalid"),
            ({"name": "", "obs_unit": 999_999}, "obs_unit", "does_not_exist"),
            (times(30, 1), "start_time", "overlap"),
            (times(40, -1), "end_time", "order"),
        ],
    )
    def test_all_or_nothing_with_what_is_wrong_by_block(
        self, api: ApiClient, wrong: dict[str, Any], field: str, code: str
    ) -> None:
        answer = api.post(PATH, timeline(retune(0), retune(30, 5), retune(60) | wrong))

        (error,) = problem(answer, 400, "timeline.invalid_blocks")["errors"]
        assert (error["index"], error["field"], error["code"]) == (2, field, code)
        assert not slots().exists()
        assert not ObsUnit.objects.exists()

    def test_a_time_that_another_slot_has(self, api: ApiClient) -> None:
        other = PreScheduledSlotFactory.create(start_time=START, end_time=START + timedelta(minutes=5))
        (error,) = problem(api.post(PATH, timeline(retune(4))), 400, "timeline.invalid_blocks")["errors"]
        assert error["code"] == "slot_taken"
        assert str(other) in error["message"]

    def test_a_unit_of_another_telescope(self, api: ApiClient) -> None:
        other = ObsUnitFactory.create(telescope=TelescopeFactory.create(short_name="other", name="Other"))
        body = timeline({**times(0, 30), "obs_unit": other.pk}) | {"telescope": "fyst"}
        (error,) = problem(api.post(PATH, body), 400, "timeline.invalid_blocks")["errors"]
        assert error["code"] == "other_telescope"
        problem(api.post(PATH, timeline()), 404, "timeline.which_telescope")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"start_time": "2026-06-01"},
            {"obs_unit": 1},
            {"name": ""},
            {"elevation_deg": 181},
            {"azimuth_min_deg": 10, "azimuth_max_deg": 5},
            {"azimut_min_deg": 10},
            {"retune_events": [{"start_s": -1, "duration_s": 5}]},
        ],
    )
    def test_nonsense(self, api: ApiClient, wrong: dict[str, Any]) -> None:
        problem(api.post(PATH, timeline(retune(0) | wrong)), 400, "request.invalid")


class TestEcsv:
    def send(self, api: ApiClient, text: str, **query: str) -> Any:
        known = {"plan": "2026-06-01", "program": "WFS", "calibration_program": "Cal", **query}
        parameters = "&".join(f"{name}={value}" for name, value in known.items())
        return api.http.generic("POST", f"{PATH}?{parameters}", text, content_type="text/ecsv")

    def test_the_planners_file_goes_in_whole(self, api: ApiClient) -> None:
        jupiter = SolarSystemObjectFactory.create()
        cosmos = FixedSourceFactory.create(name="E-COSMOS", ra_deg=150.12, dec_deg=2.2)

        answer = self.send(api, written(part_of_a_night()))

        assert answer.status_code == 201, answer.content
        assert (answer.json()["created"], answer.json()["obs_units_created"]) == (6, 5)
        by_name = {unit.name: unit for unit in ObsUnit.objects.all()}
        assert by_name["pointing_cal jupiter"].source_id == jupiter.pk
        assert by_name["retune"].source_id is by_name["skydip"].source_id is None
        assert by_name["E-COSMOS"].source_id == cosmos.pk
        field = ConstantElevationSource.objects.get()
        assert field == by_name["Deep56 rising el50"].source
        assert (field.elevation_deg, field.rising, field.width_deg, field.height_deg) == (50, True, 40, 10)
        first, second = slots(obs_unit=by_name["Deep56 rising el50"]).order_by("start_time")
        assert (first.scan_index, first.subscan_index, second.subscan_index) == (1, 0, 1)
        assert first.retune_events == [[600.0, 5.0]]
        assert first.start_time == NIGHT.replace(tzinfo=UTC) + timedelta(minutes=10)
        assert (first.azimuth_min_deg, first.azimuth_max_deg, first.elevation_deg) == (110, 130, 50)
        again = self.send(api, written(part_of_a_night()))
        assert (again.status_code, again.json()["unchanged"]) == (200, 6)

    def test_a_field_without_a_source_of_its_name_gets_one(self, api: ApiClient) -> None:
        daisy = block(0, 20, "science", "Blob", "daisy", ra_center=-10.0, dec_center=2.0)
        assert self.send(api, written([daisy])).status_code == 201
        assert (FixedSource.objects.get().name, FixedSource.objects.get().ra_deg) == ("Blob", 350)

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            (" ", "timeline.not_a_timeline"),
            ("a,b\n1,2\n", "timeline.not_a_timeline"),
            ("# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int64}\na\n1\n", "timeline.not_a_timeline"),
            ("# %ECSV 1.0\n# ---\n# meta: !!python/object/apply:os.system ['true']\na\n1\n", "timeline.not_a_timeline"),
        ],
    )
    def test_what_is_none_is_refused(self, api: ApiClient, text: str, code: str) -> None:
        problem(self.send(api, text), 400, code)

    def test_rows_that_make_no_sense_are_named(self, api: ApiClient) -> None:
        rows = part_of_a_night()
        rows[3]["start_time"] = "yesterday"
        rows[4]["block_meta_json"] = "[1]"
        errors = problem(self.send(api, written(rows)), 400, "timeline.invalid_blocks")["errors"]
        assert [error["index"] for error in errors] == [3, 4]

    def test_what_the_file_does_not_say_is_asked_for(self, api: ApiClient) -> None:
        problem(self.send(api, written(part_of_a_night()), plan=""), 400, "request.invalid")


class TestCommand:
    @pytest.fixture
    def file(self, api: ApiClient, tmp_path: Path) -> Path:
        """A part of a night, as the planner writes it."""
        SolarSystemObjectFactory.create()
        file = tmp_path / "night.ecsv"
        file.write_text(written(part_of_a_night()))
        return file

    def load(self, *arguments: object, **options: Any) -> str:
        given = {"plan": "night", "program": "WFS", "calibration_program": "Cal", **options}
        said = StringIO()
        call_command("load_reference", *map(str, arguments), **given, stdout=said)
        return said.getvalue()

    def test_it_reads_the_same_file(self, file: Path) -> None:
        first, second = (self.load(timeline=file) for _ in range(2))
        assert first.startswith("night: 6 slots are new, 0 as before")
        assert second.startswith("night: 0 slots are new, 6 as before")

    def test_what_is_wrong_is_said(self, file: Path, tmp_path: Path) -> None:
        (tmp_path / "latin.ecsv").write_bytes(b"\xe4")
        for options, reason in (
            ({"program": "XYZ"}, "no program 'XYZ'"),
            ({"program": ""}, "--program: This field may not be blank"),
            ({"plan": 65 * "x"}, "--plan: .*64 characters"),
            ({"timeline": tmp_path / "none.ecsv"}, "No such file"),
            ({"timeline": tmp_path / "latin.ecsv"}, "utf-8"),
            ({"timeline": None}, "Name a folder"),
        ):
            with pytest.raises(CommandError, match=reason):
                self.load(**{"timeline": file, **options})
        assert not PreScheduledSlot.objects.exists()

    def test_folders_and_timeline_are_loaded_together_or_not_at_all(self, file: Path, tmp_path: Path) -> None:
        folder = tmp_path / "reference"
        folder.mkdir()
        (folder / "a.yaml").write_text("observing_program:\n  - {short_name: New, name: A new program}\n")

        said = self.load(folder, timeline=file, program="New", dry_run=True)
        assert "added    observing_program New" in said
        assert "night: 6 slots are new" in said
        assert said.endswith("This was a dry run: nothing was stored.\n")
        with pytest.raises(CommandError, match="no program 'XYZ'"):
            self.load(folder, timeline=file, program="XYZ")
        assert not ObservingProgram.objects.filter(short_name="New").exists()
        assert not PreScheduledSlot.objects.exists()

        self.load(folder, timeline=file, program="New")
        assert PreScheduledSlot.objects.count() == 6
