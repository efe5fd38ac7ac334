"""Sources, obs units, configurations and slots over the API: by natural keys, all or nothing, again and again."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import SystemLog
from planning.models import FixedSource, ObsUnit, PreScheduledSlot, PrimeCamObservationConfiguration
from tests.api.conftest import ApiClient, client_with, problem
from tests.factories.observatory import InstrumentFactory
from tests.factories.planning import ObservingProgramFactory, ObsModeFactory

pytestmark = pytest.mark.django_db
PATH = "/api/plans"


@pytest.fixture
def api(db: None) -> ApiClient:
    """A planner, with a program and a mode."""
    ObservingProgramFactory.create(short_name="GPS")
    ObsModeFactory.create(name="daisy", instrument=InstrumentFactory.create())
    return client_with("write:schedule")


def plans(**unit: Any) -> dict[str, Any]:
    return {
        "fixed_source": [{"name": "Orion-KL", "ra_deg": 83.809, "dec_deg": -5.3726}],
        "obs_unit": [
            {
                "observing_program": "GPS",
                "name": "Orion",
                "source": "Orion-KL",
                "obs_mode": "daisy",
                "obs_unit_type": "prime_cam_obs_unit",
                "planned_duration_s": 1200,
                **unit,
            }
        ],
        "prime_cam_observation_configuration": [
            {"obs_unit": "GPS/Orion", "scan_type": "daisy", "velocity_deg_s": 0.3, "scan_params": {"radius_deg": 0.5}}
        ],
        "pre_scheduled_slot": [
            {"obs_unit": "GPS/Orion", "start_time": "2026-12-01T03:00:00Z", "end_time": "2026-12-01T03:20:00Z"}
        ],
    }


def test_all_that_a_plan_needs_goes_in_by_one_call_and_again(api: ApiClient) -> None:
    first, second = (api.put(PATH, plans()) for _ in range(2))

    assert first.status_code == 200, first.content
    assert [first.json()[name] for name in ("added", "changed", "unchanged")] == [4, 0, 0]
    assert [second.json()[name] for name in ("added", "changed", "unchanged")] == [0, 0, 4]
    unit = ObsUnit.objects.get()
    assert unit.source == FixedSource.objects.get()
    assert PrimeCamObservationConfiguration.objects.get().obs_unit == unit
    assert PreScheduledSlot.objects.get().obs_unit == unit
    assert SystemLog.objects.filter(component="planning").count() == 1


def test_what_is_said_otherwise_is_changed_and_the_rest_stays(api: ApiClient) -> None:
    api.put(PATH, plans())
    answer = api.put(PATH, {"obs_unit": plans(planned_duration_s=600)["obs_unit"]}).json()
    assert (answer["changed"], answer["changes"][0]) == (
        1,
        {"section": "obs_unit", "name": "GPS/Orion", "added": False},
    )
    unit = ObsUnit.objects.get()
    assert (unit.planned_duration_s, PreScheduledSlot.objects.count()) == (600, 1)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"source": "nobody"}, "source"),
        ({"planned_duration_s": -1}, "planned_duration_s"),
        ({"planned_duration_s": 1e400}, "planned_duration_s"),
        ({"name": "a\0b"}, "name"),
        ({"nonsense": 1}, "nonsense"),
        ({"min_elevation_deg": 80, "max_elevation_deg": 20}, ""),
    ],
)
def test_all_or_nothing_with_what_is_wrong_by_row(api: ApiClient, wrong: dict[str, Any], field: str) -> None:
    if wrong.get("planned_duration_s") == 1e400:
        wrong = {"planned_duration_s": 10**30}
    errors = problem(api.put(PATH, plans(**wrong)), 400, "plans.invalid_rows")["errors"]
    assert {"obs_unit"} <= {error["section"] for error in errors}
    if field:
        assert field in {error["field"] for error in errors}
    assert not FixedSource.objects.exists()


@pytest.mark.parametrize("body", [{"user": [{"username": "x"}]}, {"obs_unit": {}}, {"obs_unit": [1]}, []])
def test_what_is_no_plan_is_refused(api: ApiClient, body: Any) -> None:
    problem(api.put(PATH, body), 400, "request.invalid")
