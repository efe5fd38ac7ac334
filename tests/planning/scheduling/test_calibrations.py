"""Which calibrations are due: after which executions, for which modules, in how many queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from planning.models import CalibrationCadence, ExecutedObsUnit, ObsUnit
from planning.scheduling.calibrations import Calibration, calibrations
from tests.factories.accounts import RoleFactory
from tests.factories.observatory import InstrumentFactory, InstrumentModuleFactory, PrimeCamModuleConfigurationFactory
from tests.factories.planning import CalibrationCadenceFactory, ExecutedObsUnitFactory, ObsModeFactory, ObsUnitFactory
from tests.portal.conftest import logged_in, person

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 2, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def cadence() -> CalibrationCadence:
    """The focus of the 280 GHz module, every two hours."""
    made: CalibrationCadence = CalibrationCadenceFactory.create()
    return made


def unit_of(mode: str = "focus", **fields: Any) -> ObsUnit:
    category = "science" if mode == "daisy" else "calibration"
    unit: ObsUnit = ObsUnitFactory.create(obs_mode=ObsModeFactory.create(name=mode, category=category), **fields)
    return unit


def observe(unit: ObsUnit, ago: timedelta, *modules: str, **fields: Any) -> ExecutedObsUnit:
    """Something that ended so long ago, with these modules of Prime-Cam."""
    end = NOW - ago
    execution: ExecutedObsUnit = ExecutedObsUnitFactory.create(
        **{"obs_unit": unit, "status": "completed", "start_time": end - timedelta(minutes=5), "end_time": end, **fields}
    )
    for module in modules:
        execution.instrument_module_configurations.add(
            PrimeCamModuleConfigurationFactory.create(
                instrument_module=InstrumentModuleFactory.create(short_name=module)
            )
        )
    return execution


def now(at: datetime = NOW) -> list[Calibration]:
    return calibrations(CalibrationCadence.objects.all(), at)


@pytest.mark.usefixtures("cadence")
class TestDue:
    def test_what_was_never_done_is_due(self) -> None:
        (state,) = now()
        assert (state.is_due, state.last_end, state.due_at, state.overdue) == (True, None, None, None)

    def test_after_the_interval_it_is_due(self) -> None:
        observe(unit_of(), HOUR, "f280")
        (state,) = now()
        assert (state.is_due, state.last_end, state.due_at) == (False, NOW - HOUR, NOW + HOUR)
        (then,) = now(NOW + HOUR)
        assert (then.is_due, then.overdue) == (True, timedelta())
        (later,) = now(NOW + 3 * HOUR)
        assert (later.is_due, later.overdue) == (True, 2 * HOUR)

    def test_the_last_one_counts_and_none_that_is_still_to_come(self) -> None:
        unit = unit_of()
        observe(unit, 5 * HOUR, "f280")
        observe(unit_of(name="other"), 3 * HOUR, "f280")
        observe(unit, -HOUR, "f280")
        (state,) = now()
        assert (state.last_end, state.overdue) == (NOW - 3 * HOUR, HOUR)

    @pytest.mark.parametrize(
        "fields",
        [{"status": "running", "end_time": None}, {"status": "aborted"}, {"status": "failed"}, {"quality": "bad"}],
    )
    def test_what_was_not_completed_well_does_not_count(self, fields: dict[str, Any]) -> None:
        observe(unit_of(), HOUR, "f280", **fields)
        (state,) = now()
        assert state.last_end is None

    def test_another_mode_does_not_count(self) -> None:
        observe(unit_of("skydip"), HOUR, "f280")
        (state,) = now()
        assert state.last_end is None

    def test_what_is_longer_ago_than_any_interval_is_not_found(self) -> None:
        observe(unit_of(), timedelta(days=92), "f280")
        (state,) = now()
        assert (state.last_end, state.is_due) == (None, True)


@pytest.mark.usefixtures("cadence")
class TestForWhichModule:
    def test_only_for_those_that_the_execution_names(self) -> None:
        CalibrationCadenceFactory.create(instrument_module=InstrumentModuleFactory.create(short_name="f350"))
        unit = unit_of()
        unit.instrument_module_configurations.add(PrimeCamModuleConfigurationFactory.create())  # of f280
        observe(unit, HOUR, "f350")
        assert [(s.cadence.instrument_module.short_name, s.is_due) for s in now()] == [("f280", True), ("f350", False)]

    def test_else_for_those_that_the_unit_plans(self) -> None:
        CalibrationCadenceFactory.create(instrument_module=InstrumentModuleFactory.create(short_name="f350"))
        unit = unit_of()
        unit.instrument_module_configurations.add(PrimeCamModuleConfigurationFactory.create())
        observe(unit, HOUR)
        assert [(s.cadence.instrument_module.short_name, s.is_due) for s in now()] == [("f350", True), ("f280", False)]

    @pytest.mark.parametrize("kind", ["prime_cam_obs_unit", "chai_obs_unit"])
    def test_else_for_all_of_the_kind_of_instrument(self, kind: str) -> None:
        """A skydip or focus of a timeline names no module, and its mode is of both instruments."""
        observe(unit_of(obs_unit_type=kind), HOUR)
        (state,) = now()
        assert state.is_due is (kind == "chai_obs_unit")

    def test_or_of_the_instrument_of_the_mode(self) -> None:
        chai = InstrumentFactory.create(short_name="chai", name="CHAI", instrument_type="heterodyne")
        lfa = InstrumentModuleFactory.create(instrument=chai, short_name="lfa")
        mode = ObsModeFactory.create(name="pointing", category="calibration", instrument=chai)
        CalibrationCadenceFactory.create(instrument_module=lfa, obs_mode=mode)
        observe(ObsUnitFactory.create(obs_mode=mode, obs_unit_type="chai_obs_unit"), HOUR)
        assert {str(s.cadence.obs_mode): s.is_due for s in now()} == {"pointing": False, "focus": True}

    def test_what_cannot_be_used_is_not_asked_for(self, cadence: CalibrationCadence) -> None:
        module = cadence.instrument_module
        for row, change in ((cadence, "active"), (module, "available"), (module.instrument, "available")):
            setattr(row, change, False)
            row.save()
            assert now() == []
            setattr(row, change, True)
            row.save()
        assert len(now()) == 1


class TestAfterScience:
    @pytest.fixture(autouse=True)
    def retune(self) -> ObsUnit:
        """A mode of which one is wanted after each science observation."""
        unit = unit_of("retune")
        CalibrationCadenceFactory.create(obs_mode=unit.obs_mode, interval_s=0)
        return unit

    def test_it_is_due_when_a_science_observation_has_ended(self, retune: ObsUnit) -> None:
        observe(retune, 3 * HOUR, "f280")
        (state,) = now()
        assert (state.is_due, state.due_at) == (False, None)
        observe(unit_of("daisy"), HOUR, "f280", status="aborted")
        (state,) = now()
        assert (state.is_due, state.due_at, state.overdue) == (True, NOW - HOUR, HOUR)
        observe(retune, timedelta(minutes=10), "f280")
        (state,) = now()
        assert (state.is_due, state.due_at) == (False, None)

    def test_science_of_another_module_and_other_calibrations_do_not_matter(self, retune: ObsUnit) -> None:
        observe(retune, 3 * HOUR, "f280")
        observe(unit_of("daisy"), HOUR, "f350")
        observe(unit_of("focus"), HOUR, "f280")
        (state,) = now()
        assert state.is_due is False


def test_the_most_urgent_comes_first_in_a_constant_number_of_queries() -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as seen:
            now()
        return len(seen)

    hours = {"next": 1, "overdue": 5, "longer overdue": 9}
    for name, ago in hours.items():
        CalibrationCadenceFactory.create(obs_mode=unit_of(name).obs_mode)
        observe(unit_of(name), ago * HOUR, "f280")
    CalibrationCadenceFactory.create(obs_mode=unit_of("retune").obs_mode, interval_s=0)
    observe(unit_of("retune"), HOUR, "f280")
    CalibrationCadenceFactory.create(obs_mode=unit_of("never").obs_mode)

    assert [str(s.cadence.obs_mode) for s in now()] == ["never", "longer overdue", "overdue", "next", "retune"]
    few = count()
    for number in range(8):
        CalibrationCadenceFactory.create(obs_mode=unit_of(f"mode {number}").obs_mode)
        observe(unit_of(f"mode {number}"), HOUR, "f280", "f350")
        observe(unit_of(f"mode {number}"), HOUR)
    assert count() == few <= 5


def test_the_page_shows_what_is_due(cadence: CalibrationCadence) -> None:
    page = "/portal/planning/calibrationcadence/"
    browser = logged_in(person("admin"))
    assert "not in 90 days" in browser.get(page).content.decode()
    observe(unit_of(), NOW - timezone.now() + 3 * HOUR, "f280")  # three hours before now
    assert "Due for 1 h" in browser.get(page).content.decode()
    CalibrationCadence.objects.update(interval_s=14400)
    assert "Done" in browser.get(page).content.decode()
    browser.post(f"{page}{cadence.pk}/change/", {**_form(cadence), "interval_s": 3600})
    cadence.refresh_from_db()
    assert cadence.interval_s == 3600


def test_who_may_only_look_does_not_change_it(cadence: CalibrationCadence) -> None:
    address = f"/portal/planning/calibrationcadence/{cadence.pk}/change/"
    user = person("viewer")
    assert logged_in(user).get(address).status_code == 302
    user.roles.add(RoleFactory.create(name="oversight", permissions=["read:all_programs"]))
    browser = logged_in(user)
    assert browser.get(address).status_code == 200
    assert browser.post(address, {**_form(cadence), "interval_s": 3600}).status_code == 403


def _form(cadence: CalibrationCadence) -> dict[str, Any]:
    return {"instrument_module": cadence.instrument_module_id, "obs_mode": cadence.obs_mode_id, "active": "on"}


class TestRules:
    def test_a_mode_for_science_is_no_calibration(self) -> None:
        row = CalibrationCadenceFactory.build(
            instrument_module=InstrumentModuleFactory.create(), obs_mode=ObsModeFactory.create()
        )
        with pytest.raises(ValidationError, match="is for science"):
            row.full_clean()

    def test_a_mode_of_another_instrument_does_not_fit(self) -> None:
        chai = InstrumentFactory.create(short_name="chai", name="CHAI")
        mode = ObsModeFactory.create(name="pointing", category="calibration", instrument=chai)
        row = CalibrationCadenceFactory.build(instrument_module=InstrumentModuleFactory.create(), obs_mode=mode)
        with pytest.raises(ValidationError, match="another instrument"):
            row.full_clean()

    def test_an_interval_beyond_what_is_looked_for_is_refused(self) -> None:
        with pytest.raises(IntegrityError):
            CalibrationCadenceFactory.create(interval_s=90 * 86400 + 1)
