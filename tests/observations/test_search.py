"""Each condition of the search finds what it says and nothing else; the exports say the same as the page."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from astropy.io.votable import parse_single_table, validate
from django.test import Client
from django.urls import reverse

from observatory.models import Instrument, Line
from planning.models import ExecutedObsUnit, ObservingProgram, ObsMode
from tests.accounts.foreign import scientist
from tests.factories.planning import ConstantElevationSourceFactory, ExecutedObsUnitFactory, ObsUnitFactory
from tests.portal.conftest import logged_in
from transfer.observations import exports
from transfer.observations.lines import lines

pytestmark = pytest.mark.django_db
PAGE = "/observations/"


@pytest.fixture(autouse=True)
def three(orion: ExecutedObsUnit, center: ExecutedObsUnit, jupiter: ExecutedObsUnit) -> None:
    """All three observations are there."""


def found(client: Client, **query: Any) -> set[str]:
    """First words of the targets that the JSON export has."""
    answer = client.get(PAGE, {**query, "format": "json"})
    assert answer["Content-Type"] == "application/json", answer.content[:3000]
    return {each["target_name"].split("-")[0].split()[0] for each in json.loads(b"".join(answer))["observations"]}


@pytest.mark.parametrize(
    ("query", "targets"),
    [
        ({}, "Orion Sgr Jupiter"),
        ({"source": "orion kl"}, "Orion"),
        ({"source": "ORION_KL"}, "Orion"),
        ({"source": "m42"}, "Orion"),
        ({"source": "NGC1976"}, "Orion"),
        ({"source": "sgr a*"}, "Sgr"),
        ({"source": "m42ngc"}, ""),
        ({"source": "..."}, ""),
        ({"text": "daisy cori"}, "Orion"),
        ({"text": "daisy secret"}, ""),
        ({"text": "orion_pack"}, "Orion"),
        ({"text": "orion_pack secret"}, ""),
        ({"position": "05:35:14 -05:22:21"}, "Orion"),
        ({"position": "05:35:14 -05:22:21", "radius": "0.0001"}, ""),
        ({"position": "l 0 b 0", "radius": "1"}, "Sgr"),
        ({"position": "Orion KL"}, "Orion"),
        ({"position": "M42"}, "Orion"),
        ({"position": "83.8 -5.4", "source": "sgr"}, ""),
        ({"radius": "1"}, "Orion Sgr Jupiter"),
        ({"freq_min": "460", "freq_max": "462"}, "Sgr"),
        ({"freq_min": "480", "freq_max": "490"}, ""),
        ({"freq_max": "300"}, "Orion"),
        ({"freq_min": "455"}, "Sgr"),
        ({"start": "2026-05-02"}, "Sgr Jupiter"),
        ({"start": "2026-05-02 22:01"}, "Jupiter"),
        ({"end": "2026-05-01"}, "Orion"),
        ({"end": "2026-05-02T22:00:00Z"}, "Orion Sgr"),
        ({"status": "running"}, "Jupiter"),
        ({"quality": "usable"}, "Orion"),
        ({"quality": "bad"}, "Sgr"),
        ({"quality": "unknown"}, "Jupiter"),
        ({"pwv_max": "1"}, "Orion"),
        ({"pwv_min": "1", "pwv_max": "3"}, "Sgr"),
        ({"el_min": "50"}, "Orion"),
        ({"el_max": "50"}, "Sgr"),
        ({"state": "archived"}, "Orion"),
        ({"state": "failed"}, ""),
        ({"whose": "public"}, "Orion"),
        ({"whose": "mine"}, ""),
    ],
)
def test_conditions(client: Client, query: dict[str, str], targets: str) -> None:
    assert found(client, **query) == set(targets.split())


def test_choices_of_rows(client: Client) -> None:
    assert found(client, program=ObservingProgram.objects.get(short_name="CORI").pk) == {"Orion"}
    assert found(client, mode=ObsMode.objects.get(name="otf").pk) == {"Sgr"}
    assert found(client, line=Line.objects.get().pk) == {"Sgr"}
    chai = Instrument.objects.get(short_name="chai")
    assert found(client, instrument=chai.pk) == {"Sgr"}
    assert found(client, module=chai.modules.get().pk) == {"Sgr"}


def test_a_field_is_found_by_its_centre(client: Client) -> None:
    field = ConstantElevationSourceFactory.create(name="Deep", ra_center_deg=10.0, dec_center_deg=-50.0)
    ExecutedObsUnitFactory.create(obs_unit=ObsUnitFactory.create(source=field))
    assert found(client, position="10.5 -50", radius="1") == {"Deep"}
    assert found(client, position="20 -50", radius="1") == set()


@pytest.mark.parametrize(
    "query",
    [
        {"position": "nowhere"},
        {"position": "9" * 200},
        {"position": "0 0", "radius": "181"},
        {"pwv_max": "nan"},
        {"start": "yesterday"},
        {"start": "0"},
        {"freq_min": "1e999"},
        {"program": "999999"},
        {"quality": "splendid"},
        {"source": "x" * 101},
        {"text": "\0"},
    ],
)
def test_what_makes_no_sense_is_said_beside_its_field(client: Client, query: dict[str, str]) -> None:
    answer = client.get(PAGE, {**query, "format": "csv"})
    assert answer.status_code == 400
    assert 'class="why"' in answer.content.decode()


def test_the_page_shows_them_with_their_packages_and_a_link_to_each(client: Client, orion: ExecutedObsUnit) -> None:
    text = client.get(PAGE, {"source": "orion"}).content.decode()
    assert reverse("observations:observation", args=[orion.pk]) in text
    assert "1 of 1" in text
    assert "source=orion&amp;format=votable" in text


def test_the_page_asks_the_same_number_of_queries_for_more_rows(
    client: Client, orion: ExecutedObsUnit, django_assert_max_num_queries: Any
) -> None:
    for _ in range(10):
        ExecutedObsUnitFactory.create(obs_unit=orion.obs_unit, finished=True)
    with django_assert_max_num_queries(24):
        client.get(PAGE)


def test_csv_has_a_line_for_each_and_no_formula(client: Client) -> None:
    answer = client.get(PAGE, {"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert [row["target_name"] for row in rows] == ["Jupiter", "Sgr A*", "Orion-KL"]
    assert rows[1]["obs_unit"] == "'=center map"
    assert rows[2]["packages_archived"] == "1"


def test_votable_is_valid_and_has_positions_and_times(client: Client) -> None:
    answer = b"".join(client.get(PAGE, {"format": "votable"}))
    assert validate(io.BytesIO(answer), output=io.StringIO())
    table = parse_single_table(io.BytesIO(answer), verify="exception").to_table()
    assert list(table["target_name"]) == ["Jupiter", "Sgr A*", "Orion-KL"]
    assert table["s_ra"][2] == 83.809
    assert table["s_ra"].unit == "deg"
    assert table["t_min"][2] == pytest.approx(61161.9166667)


def test_what_is_left_out_is_said() -> None:
    three = list(lines(ExecutedObsUnit.objects.for_listing()))
    assert json.loads("".join(exports.json_parts(three, 2)))["overflow"] is True
    assert json.loads("".join(exports.json_parts(three, 3)))["overflow"] is False
    assert 'value="OVERFLOW"' in "".join(exports.votable_parts(three, 2))
    assert 'value="OVERFLOW"' not in "".join(exports.votable_parts(three, 3))


class TestWhoSeesWhat:
    def test_others_find_what_is_public_only(self) -> None:
        client = logged_in(scientist())
        assert found(client) == {"Orion"}
        assert found(client, source="sgr") == set()
        secret = ObservingProgram.objects.get(short_name="SECRET")
        assert client.get(PAGE, {"program": secret.pk}).status_code == 400
        assert "SECRET" not in client.get(PAGE).content.decode()

    def test_a_member_finds_the_program_too(self) -> None:
        user = scientist()
        ObservingProgram.objects.get(short_name="SECRET").members.add(user)
        assert found(logged_in(user)) == {"Orion", "Sgr"}
        assert found(logged_in(user), whose="mine") == {"Sgr"}

    def test_without_a_log_in_there_is_no_page(self) -> None:
        assert Client().get(PAGE).status_code == 302
