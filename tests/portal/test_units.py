"""Numbers for people."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ccatdc.common.admin.badges import COLOURS
from ccatdc.common.units import NOTHING, duration_text, field_words, rate_text, size_text
from ccatdc.templatetags.pages import KNOWN_STATES, LABELS, STATE_COLOURS, ago, ahead
from planning.models import ObsUnit


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, NOTHING),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1234567, "1.23 MB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (50_000_000_000, "50 GB"),
        (8e12, "8 TB"),
        (5e15, "5 PB"),
        (5e18, "5e+03 PB"),
    ],
)
def test_sizes_have_three_digits_and_a_decimal_unit(size: float | None, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, NOTHING),
        (-3, "0 s"),
        (0.44, "0.4 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (3660, "1 h 1 min"),
        (timedelta(days=3, hours=4, minutes=5), "3 d 4 h"),
        (timedelta(days=3, minutes=5), "3 d"),
    ],
)
def test_durations_have_two_units_at_most(seconds: timedelta | float | None, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_rate_needs_bytes_and_seconds() -> None:
    assert rate_text(10**9, 2) == "500 MB/s"
    assert rate_text(10**9, 0) == NOTHING
    assert rate_text(None, 3) == NOTHING


def test_a_moment_that_never_was_is_called_never() -> None:
    assert ago(None) == "never"
    assert ahead(None) == NOTHING


def test_states_with_one_name_have_one_label_and_one_colour() -> None:
    for states, colours in KNOWN_STATES:
        for value, label in states.choices:
            assert LABELS[value] == label
            assert STATE_COLOURS[value] == colours[value]
            assert colours[value] in COLOURS


@pytest.mark.parametrize(
    ("name", "is_number", "words"),
    [
        ("max_pwv_mm", True, "maximum PWV [mm]"),
        ("lst_start_h", True, "LST start [h]"),
        ("plate_scale_arcsec_per_mm", True, "plate scale [arcseconds/mm]"),
        ("velocity_deg_s", True, "velocity [degrees/s]"),
        ("short_name", False, "short name"),
        ("stream_s", False, "stream s"),
        ("priority", True, "priority"),
    ],
)
def test_fields_are_named_for_people_with_their_units(name: str, is_number: bool, words: str) -> None:
    assert field_words(name, is_number=is_number) == words


def test_forms_lists_and_history_use_these_names() -> None:
    assert ObsUnit._meta.get_field("planned_duration_s").verbose_name == "planned duration [s]"
    assert ObsUnit._meta.get_field("observing_program").verbose_name == "observing program"
