"""Obs units, instruments and modules: whether they may be used, said of many at once."""

from __future__ import annotations

import pytest

from accounts.models import SystemLog
from ccatdc.common.audit import log
from ccatdc.common.bulk_actions import Kept, Outcome
from ccatdc.common.errors import ConfigurationError, RequestError
from observatory.availability import set_instruments_availability, set_modules_availability
from observatory.models import Instrument, InstrumentModule
from planning.models import ObsUnit, ObsUnitState
from planning.scheduling.availability import set_obs_units_availability, set_obs_units_priority
from tests.factories.accounts import UserFactory
from tests.factories.observatory import InstrumentModuleFactory
from tests.factories.planning import ObsUnitFactory

pytestmark = pytest.mark.django_db

EVERY_STATE = [str(state) for state in ObsUnitState.values]


def units_in_every_state() -> dict[str, ObsUnit]:
    return {state: ObsUnitFactory.create(name=state, state=state) for state in EVERY_STATE}


@pytest.mark.parametrize(
    ("state", "movable"),
    [
        ("draft", ["completed", "cancelled"]),
        ("active", ["draft", "on_hold"]),
        ("on_hold", ["draft", "active"]),
        ("completed", ["active", "on_hold"]),
        ("cancelled", ["draft", "active", "on_hold"]),
    ],
)
def test_units_move_to_a_state_where_they_may_and_the_others_say_why_not(state: str, movable: list[str]) -> None:
    units = units_in_every_state()

    outcome = set_obs_units_availability(ObsUnit.objects.all(), state, UserFactory.create())

    assert sorted(outcome.changed) == sorted(units[name].pk for name in movable)
    for name, unit in units.items():
        unit.refresh_from_db()
        assert unit.state == (state if name in movable else name)
    reasons = {row.name.split(": ")[1]: row.reason for row in outcome.kept}
    words = {"on_hold": "on hold"}
    assert reasons == {
        name: words.get(name, name) + (" already" if name == state else "")
        for name in EVERY_STATE
        if name not in movable
    }


def test_a_move_is_written_down_once_with_who_how_many_and_why() -> None:
    units_in_every_state()
    user = UserFactory.create()

    outcome = set_obs_units_availability(ObsUnit.objects.all(), "on_hold", user, "storm")

    line = SystemLog.objects.get(component="availability")
    assert (line.user, line.message) == (user, "Put on hold: 2 obs units. Reason: storm")
    assert line.context["ids"] == list(outcome.changed)


def test_a_move_also_tells_when_the_unit_changed() -> None:
    unit = ObsUnitFactory.create(state="active")

    set_obs_units_availability(ObsUnit.objects.all(), "on_hold", None)

    assert ObsUnit.objects.get().updated_at > unit.updated_at


def test_nothing_is_written_down_when_nothing_changes() -> None:
    ObsUnitFactory.create(state="completed")

    outcome = set_obs_units_availability(ObsUnit.objects.all(), "active", None)

    assert outcome.changed == ()
    assert not SystemLog.objects.filter(component="availability").exists()


def test_a_word_that_is_no_state_is_refused() -> None:
    unit = ObsUnitFactory.create()

    with pytest.raises(RequestError, match="'asleep' is no state"):
        set_obs_units_availability(ObsUnit.objects.all(), "asleep", None)

    unit.refresh_from_db()
    assert unit.state == "active"


def test_units_that_are_over_have_no_priority_to_set() -> None:
    units = units_in_every_state()
    ObsUnitFactory.create(name="soon", priority=1)

    outcome = set_obs_units_priority(ObsUnit.objects.all(), 1, None)

    assert set(outcome.changed) == {units[name].pk for name in ("draft", "active", "on_hold")}
    assert outcome.kept_words() == (
        "GEco: completed: completed; GEco: cancelled: cancelled; GEco: soon: priority 1 already"
    )


@pytest.mark.parametrize("priority", [-32769, 32768])
def test_a_priority_out_of_range_is_refused(priority: int) -> None:
    with pytest.raises(RequestError, match="between -32768 and 32767"):
        set_obs_units_priority(ObsUnit.objects.all(), priority, None)


def test_modules_and_instruments_are_switched_and_what_is_so_already_is_kept() -> None:
    off = InstrumentModuleFactory.create(short_name="a", name="A", available=False)
    on = InstrumentModuleFactory.create(short_name="b", name="B")
    user = UserFactory.create()

    modules = set_modules_availability(InstrumentModule.objects.all(), False, user)
    instruments = set_instruments_availability(Instrument.objects.all(), False, user, "warm")

    assert modules == Outcome((on.pk,), (Kept(off.pk, str(off), "not available already"),))
    assert instruments.changed == (on.instrument_id,)
    assert not InstrumentModule.objects.filter(available=True).exists()
    assert not Instrument.objects.filter(available=True).exists()
    assert list(SystemLog.objects.order_by("pk").values_list("message", flat=True)) == [
        "Set not available: 1 module.",
        "Set not available: 1 instrument. Reason: warm",
    ]


def test_many_names_are_counted_instead_of_listed() -> None:
    kept = tuple(Kept(n, f"u{n}", "over") for n in range(7))

    assert Outcome((), kept).kept_words() == "u0, u1, u2, u3, u4 and 2 more: over"


def test_an_act_that_nobody_writes_down_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_keepers", [])
    ObsUnitFactory.create()

    with pytest.raises(ConfigurationError, match="There is no audit log"):
        set_obs_units_availability(ObsUnit.objects.all(), "on_hold", None)

    assert ObsUnit.objects.get().state == "active"
