"""Tonight: rise, set, when a source can be observed; as numbers and as a picture."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from ccatdc.common.errors import RequestError
from planning.models import ConstantElevationSource, FixedSource, SolarSystemObject, Source
from planning.visibility import Span, Visibility, night_of, visibility
from planning.visibility_picture import picture
from tests.factories.observatory import TelescopeFactory

FYST = TelescopeFactory.build(observatory=None)
EVENING = date(2026, 11, 21)
ORION = FixedSource(name="Orion-KL", ra_deg=83.809, dec_deg=-5.37264)


def seen(source: Source, **limits: float) -> Visibility:
    return visibility(source, FYST, EVENING, **limits)


def near(moment: datetime, text: str, seconds: int = 5) -> bool:
    expected = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return abs(moment - expected) < timedelta(seconds=seconds)


def hours(spans: list[Span]) -> float:
    return sum(((end - start).total_seconds() for start, end in spans), 0.0) / 3600


class TestDay:
    def test_it_is_from_noon_to_noon_of_the_mean_sun(self) -> None:
        day = seen(ORION)

        assert len(day.times) == 289
        assert near(day.times[0], "2026-11-21T16:30:58", 1)
        assert day.times[-1] - day.times[0] == timedelta(days=1)

    @pytest.mark.parametrize(
        ("moment", "evening"),
        [
            ("2026-11-21T16:30", date(2026, 11, 20)),
            ("2026-11-21T16:32", date(2026, 11, 21)),
            ("2026-11-22T09:00", date(2026, 11, 21)),
        ],
    )
    def test_the_night_changes_at_noon(self, moment: str, evening: date) -> None:
        assert night_of(datetime.fromisoformat(moment).replace(tzinfo=UTC), FYST) == evening

    def test_rise_set_and_the_highest_point_are_those_of_another_program(self) -> None:
        # Skyfield 1.55 with DE440, horizon at 0 degrees without refraction.
        day = seen(ORION)

        (rise,), (set_,) = day.rises, day.sets
        assert near(rise, "2026-11-21T23:54:28")
        assert near(set_, "2026-11-22T12:10:40")
        assert day.highest is not None
        assert near(day.highest, "2026-11-22T06:02:34", 180)  # the nearest sample

    def test_the_night_is_when_the_sun_is_down(self) -> None:
        ((start, end),) = seen(ORION).night

        assert near(start, "2026-11-21T22:52:36")
        assert near(end, "2026-11-22T09:41:13")

    def test_it_is_observable_inside_the_limits_of_the_telescope(self) -> None:
        day = seen(ORION)
        ((start, end),) = day.observable

        assert day.min_elevation_deg == 20
        assert day.rises[0] < start < end < day.sets[0]

    def test_narrower_limits_leave_less_time(self) -> None:
        assert hours(seen(ORION, min_elevation_deg=45).observable) < hours(seen(ORION).observable)
        # Limits of a unit do not widen those of the telescope.
        assert seen(ORION, min_elevation_deg=5).observable == seen(ORION).observable

    def test_near_the_sun_nothing_is_observable(self) -> None:
        near_sun = FixedSource(name="near the Sun", ra_deg=237, dec_deg=-20)

        assert seen(near_sun).observable == []
        assert hours(seen(near_sun, min_sun_distance_deg=0).observable) > 8
        assert max(angle or 0 for angle in seen(near_sun).sun_distance_deg) < 3

    def test_a_source_near_the_pole_neither_rises_nor_sets(self) -> None:
        day = seen(FixedSource(name="pole", ra_deg=0, dec_deg=-89))

        assert (day.rises, day.sets) == ([], [])
        assert hours(day.observable) == pytest.approx(24, abs=8)

    def test_a_source_of_the_north_is_never_up(self) -> None:
        day = seen(FixedSource(name="north", ra_deg=0, dec_deg=85))

        assert (day.rises, day.sets, day.observable) == ([], [], [])

    def test_the_moon_moves_among_the_stars(self) -> None:
        day = seen(SolarSystemObject(name="Moon", ephemeris_name="moon"))

        distances = [angle for angle in day.sun_distance_deg if angle is not None]
        assert distances[-1] - distances[0] > 10

    def test_a_field_is_up_when_its_centre_is(self) -> None:
        field = ConstantElevationSource(
            name="x", elevation_deg=50, rising=True, ra_center_deg=24, dec_center_deg=-32
        )

        assert len(seen(field).rises) == 1

    @pytest.mark.parametrize("year", [1899, 2053])
    def test_a_day_beyond_the_ephemeris_is_refused(self, year: int) -> None:
        with pytest.raises(RequestError, match="beyond the ephemeris"):
            visibility(ORION, FYST, date(year, 6, 1))


class TestPicture:
    def test_it_is_an_svg_that_shows_the_night_and_the_curve(self) -> None:
        root = ET.fromstring(picture(seen(ORION), "Orion-KL"))  # noqa: S314 (our own)

        ns = "{http://www.w3.org/2000/svg}"
        assert root.tag == f"{ns}svg"
        assert len(root.findall(f"{ns}polyline")) == 1
        assert {"#e5e7eb", "#bbf7d0"} <= {r.get("fill") for r in root.findall(f"{ns}rect")}

    def test_a_name_cannot_become_markup(self) -> None:
        drawn = picture(seen(ORION), "<script>alert(1)</script>")

        assert "<script>" not in drawn
