"""Acts on many rows: asked for once, done in one statement, and what was left alone is said with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from accounts.models import Change, SystemLog
from ccatdc.common.admin import actions
from datamgmt.models import DataLocation, RawDataFile
from planning.models import ObsUnit, SlotStatus
from tests.factories.datamgmt import (
    BufferLocationFactory,
    DataArchiveFactory,
    RawDataFileFactory,
    SiteFactory,
    SourceLocationFactory,
    UnrecordedFileFactory,
)
from tests.factories.observatory import (
    DataStreamFactory,
    InstrumentFactory,
    InstrumentModuleFactory,
    PrimeCamModuleConfigurationFactory,
)
from tests.factories.planning import (
    START,
    ObservingProgramFactory,
    ObsUnitFactory,
    PreScheduledSlotFactory,
    SubObservingProgramFactory,
)
from tests.factories.transfer import DataTransferRouteFactory

pytestmark = pytest.mark.django_db
UNITS = "/portal/planning/obsunit/"


@dataclass(frozen=True)
class Switch:
    """A page whose rows are in use or not: by which column, and by which actions that changes."""

    page: str
    make: Callable[..., Any]
    column: str = "active"
    on: str = "switch_on_selected"
    off: str = "switch_off_selected"


_AVAILABLE = ("available", "available_selected", "unavailable_selected")
SWITCHED = [
    Switch("observatory.Instrument", InstrumentFactory.create, *_AVAILABLE),
    Switch("observatory.InstrumentModule", InstrumentModuleFactory.create, *_AVAILABLE),
    Switch("observatory.InstrumentModuleConfiguration", PrimeCamModuleConfigurationFactory.create),
    Switch("planning.ObservingProgram", ObservingProgramFactory.create),
    Switch("planning.SubObservingProgram", SubObservingProgramFactory.create),
    Switch("datamgmt.Site", SiteFactory.create),
    Switch("datamgmt.DataArchive", DataArchiveFactory.create),
    Switch("transfer.DataTransferRoute", DataTransferRouteFactory.create),
]


def act(client: Client, page: str, action: str, rows: list[Any], **more: Any) -> Any:
    url = reverse(f"admin:{page.replace('.', '_').lower()}_changelist")
    keys = [row.pk for row in rows]
    body = {"action": action, "index": "0", "_selected_action": keys, **more}
    return client.post(url, body)


def said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def states() -> dict[str, str]:
    return dict(ObsUnit.objects.values_list("name", "state"))


def units(**names_and_states: str) -> list[ObsUnit]:
    return [ObsUnitFactory.create(name=n, state=s) for n, s in names_and_states.items()]


def test_units_are_activated_and_those_that_may_not_say_why(operator: Client) -> None:
    rows = units(one="on_hold", two="draft", three="active", four="cancelled")

    response = act(operator, "planning.ObsUnit", "activate_selected", rows)

    assert states() == {"one": "active", "two": "active", "three": "active", "four": "cancelled"}
    assert said(response) == [
        "Activate: 2 done.",
        "Activate: 2 not changed. GEco: three: active already; GEco: four: cancelled.",
    ]
    assert SystemLog.objects.get().message == "Activated: 2 obs units."


def test_putting_on_hold_is_asked_first_and_takes_a_reason(operator: Client) -> None:
    rows = units(one="active", two="active")

    question = act(operator, "planning.ObsUnit", "hold_selected", rows)
    assert "Units on hold are not scheduled" in question.content.decode()
    assert set(states().values()) == {"active"}

    act(operator, "planning.ObsUnit", "hold_selected", rows, confirmed="1", reason=" wind ")

    assert set(states().values()) == {"on_hold"}
    line = SystemLog.objects.get()
    assert line.message == "Put on hold: 2 obs units. Reason: wind"
    assert line.user is not None
    assert line.user.username == "admin"
    change = Change.objects.about(rows[0]).latest("id")
    assert (change.user, change.changes) == (line.user, {"state": ["active", "on_hold"]})


def test_every_row_of_a_list_is_meant_by_one_word(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = units(**{f"u{n}": "active" for n in range(60)})

    question = act(operator, "planning.ObsUnit", "hold_selected", rows[:1], select_across="1")
    content = question.content.decode()
    assert content.count('name="_selected_action"') == 1
    assert "and 10 more" in content

    act(operator, "planning.ObsUnit", "hold_selected", rows[:1], select_across="1", confirmed="1")
    assert set(states().values()) == {"on_hold"}

    monkeypatch.setattr(actions, "MOST_TOGETHER", 59)
    response = act(operator, "planning.ObsUnit", "activate_selected", rows[:1], select_across="1")
    assert said(response)[-1:] == ["Activate: at most 59 at once. Narrow the list."]
    assert set(states().values()) == {"on_hold"}


def test_a_priority_is_asked_for_and_set(operator: Client) -> None:
    rows = units(one="active", two="completed")

    question = act(operator, "planning.ObsUnit", "set_priority_selected", rows)
    assert 'name="number"' in question.content.decode()
    response = act(operator, "planning.ObsUnit", "set_priority_selected", rows, confirmed="1", number="2")

    assert dict(ObsUnit.objects.values_list("name", "priority")) == {"one": 2, "two": 5}
    assert said(response)[1] == "Set priority: 1 not changed. GEco: two: completed."


@pytest.mark.parametrize("number", ["", "soon", "99999"])
def test_what_is_no_priority_changes_nothing(operator: Client, number: str) -> None:
    rows = units(one="active")

    response = act(operator, "planning.ObsUnit", "set_priority_selected", rows, confirmed="1", number=number)

    assert ObsUnit.objects.get().priority == 5
    assert said(response)[0].startswith("Set priority: ")


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("complete_selected", "active", "completed"),
        ("cancel_selected", "on_hold", "cancelled"),
        ("reopen_selected", "cancelled", "draft"),
    ],
)
def test_units_end_and_are_taken_up_again(operator: Client, action: str, before: str, after: str) -> None:
    act(operator, "planning.ObsUnit", action, units(one=before), confirmed="1")

    assert states() == {"one": after}


def test_the_page_of_a_unit_has_the_buttons_that_make_sense(operator: Client) -> None:
    (unit,) = units(one="on_hold")

    content = operator.get(f"{UNITS}{unit.pk}/change/").content.decode()

    names = admin.site.get_model_admin(ObsUnit).actions or []
    there = {str(name) for name in names if f'value="{name}"' in content}
    assert there == {"activate_selected", "set_priority_selected", "complete_selected", "cancel_selected"}


def test_the_state_of_a_unit_is_chosen_once_and_moved_later(operator: Client) -> None:
    (unit,) = units(one="active")

    assert 'name="state"' in operator.get(f"{UNITS}add/").content.decode()
    assert 'value="completed"' not in operator.get(f"{UNITS}add/").content.decode()
    assert 'name="state"' not in operator.get(f"{UNITS}{unit.pk}/change/").content.decode()


def test_planned_slots_are_cancelled_and_done_ones_stay(operator: Client) -> None:
    planned = PreScheduledSlotFactory.create()

    act(operator, "planning.PreScheduledSlot", "cancel_selected", [planned], confirmed="1")
    response = act(operator, "planning.PreScheduledSlot", "cancel_selected", [planned], confirmed="1")

    planned.refresh_from_db()
    assert planned.status == SlotStatus.CANCELLED
    assert said(response)[-1].endswith("cancelled.")


@pytest.mark.parametrize("switch", SWITCHED, ids=lambda switch: switch.page)
def test_things_are_switched_off_and_on(operator: Client, switch: Switch) -> None:
    row = switch.make(**{switch.column: True})

    act(operator, switch.page, switch.off, [row], confirmed="1")
    row.refresh_from_db()
    assert getattr(row, switch.column) is False

    act(operator, switch.page, switch.on, [row])
    row.refresh_from_db()
    assert getattr(row, switch.column) is True
    response = act(operator, switch.page, switch.on, [row])
    assert said(response)[-1].endswith(f"{switch.column} already.")
    assert SystemLog.objects.count() == 2


@pytest.mark.parametrize("switch", SWITCHED, ids=lambda switch: switch.page)
def test_a_viewer_switches_nothing(viewer: Client, switch: Switch) -> None:
    row = switch.make(**{switch.column: True})

    for action in (switch.on, switch.off):
        act(viewer, switch.page, action, [row], confirmed="1")

    row.refresh_from_db()
    assert getattr(row, switch.column) is True
    assert not SystemLog.objects.exists()


def test_a_viewer_moves_no_unit(viewer: Client) -> None:
    rows = units(one="active")

    for action in admin.site.get_model_admin(ObsUnit).actions or []:
        act(viewer, "planning.ObsUnit", str(action), rows, confirmed="1", number="1")

    assert states() == {"one": "active"}
    assert ObsUnit.objects.get().priority == 5


def test_work_on_every_row_of_a_list_is_asked_for_by_one_word_too(operator: Client) -> None:
    locations = [BufferLocationFactory.create(name=f"buffer_{n}") for n in range(3)]

    question = act(operator, "datamgmt.DataLocation", "switch_off_selected", locations[:1], select_across="1")
    assert question.content.decode().count('name="_selected_action"') == 1
    act(operator, "datamgmt.DataLocation", "switch_off_selected", locations[:1], select_across="1", confirmed="1")

    assert not DataLocation.objects.non_polymorphic().filter(active=True).exists()


def test_every_act_on_many_rows_is_tried() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))
    existing = {
        str(name)
        for page in admin.site._registry.values()
        for name in page.actions or []
        if getattr(getattr(page, str(name)), "together", False)
    }

    assert existing
    assert {name for name in existing if f'"{name}"' not in text} == set()


@pytest.mark.parametrize(
    ("action", "quality"), [("judge_good", "good"), ("judge_usable", "usable"), ("judge_bad", "bad")]
)
def test_files_are_judged_and_the_reason_is_their_comment(
    operator: Client, viewer: Client, action: str, quality: str
) -> None:
    page, rows = "datamgmt.RawDataFile", RawDataFileFactory.create_batch(2)
    words = {"confirmed": "1", "reason": "dome light on"}

    act(viewer, page, action, rows, **words)
    assert not SystemLog.objects.filter(message__startswith=f"Quality {quality}").exists()
    asked = act(operator, page, action, rows)
    assert asked.status_code == 200
    act(operator, page, action, rows, **words)
    again = act(operator, page, action, rows, **words)

    for file in rows:
        file.refresh_from_db()
        assert (file.quality, file.quality_comment) == (quality, "dome light on")
    assert f"{quality} already" in " ".join(said(again))
    (entry,) = SystemLog.objects.filter(message__startswith=f"Quality {quality}: 2 files.")
    assert "dome light on" in entry.message
    shown = operator.get(reverse("admin:datamgmt_rawdatafile_change", args=[rows[0].pk])).content.decode()
    assert "dome light on" in shown


def test_unrecorded_files_are_filed_as_of_a_stream_and_an_unknown_one_is_said(operator: Client, viewer: Client) -> None:
    stream, location = DataStreamFactory.create(), SourceLocationFactory.create()
    rows = [UnrecordedFileFactory.create(location=location, key=f"hk/{n}.g3", modified_at=START) for n in range(2)]
    module = stream.instrument_module
    of_module = f"{module.instrument.short_name}/{module.short_name}"
    page, words = "datamgmt.UnrecordedFile", {"confirmed": "1", "reason": "the client was away"}

    act(viewer, page, "file_selected", rows, text=f"{of_module}/{stream.name}", **words)
    assert not RawDataFile.objects.exists()
    assert "no data stream" in said(act(operator, page, "file_selected", rows, text=f"{of_module}/other", **words))[0]
    assert said(act(operator, page, "file_selected", rows, text=f"{of_module}/{stream.name}", **words))[-1] == (
        "File: 2 done."
    )
    assert RawDataFile.objects.filter(data_stream=stream).count() == 2
