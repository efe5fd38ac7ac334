"""Places as people write them."""

from __future__ import annotations

import pytest

from ccatdc.common.errors import RequestError
from planning.sky.places import Place, place_of, separation_deg

ORION = Place(83.8092, -5.3725)


@pytest.mark.parametrize(
    "text",
    [
        "83.8092 -5.3725",
        "83.8092,-5.3725",
        "83.8092-5.3725",
        "05:35:14.2 -05:22:21",
        "5 35 14.2 -5 22 21",
        "5h35m14.2s -5d22m21s",
        "05h35m14.2s, \N{MINUS SIGN}05°22\N{PRIME}21\N{DOUBLE PRIME}",
        "l 208.995 b -19.385",
        "galactic 208.995 -19.385",
    ],
)
def test_usual_notations_are_one_place(text: str) -> None:
    assert separation_deg(place_of(text), ORION) < 0.01


def test_hours_and_degrees_without_minutes() -> None:
    assert separation_deg(place_of("10h 20m +30d"), Place(155.0, 30.0)) < 1e-9


@pytest.mark.parametrize(
    "text",
    [
        "Orion",
        "83.8",
        "10 95",
        "400 0",
        "nan nan",
        "1e5 3",
        "25:00:00 +10:00:00",
        "05:35 -95:00",
        "1" * 81,
        ": :",
        "- -",
    ],
)
def test_what_is_no_place_is_refused_with_examples(text: str) -> None:
    with pytest.raises(RequestError) as refusal:
        place_of(text)
    assert "83.81" in refusal.value.remedy


def test_a_negative_right_ascension_is_turned() -> None:
    assert place_of("-10 5") == Place(350.0, 5.0)
