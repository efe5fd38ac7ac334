"""Tonight: rise, set, when a source can be observed; as numbers and as a picture."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from ccatdc.common.errors import RequestError
from planning.models import ConstantElevationSource, FixedSource, SolarSystemObject, Source
from planning.sky.picture import USUAL_WIDTH, WIDTHS, picture
from planning.sky.visibility import Span, Visibility, night_of, visibility
from tests.factories.observatory import TelescopeFactory
from tests.planning.sky.test_positions import SKYFIELD, arcseconds_between, source_of

FYST = TelescopeFactory.build(observatory=None)
EVENING = date(2026, 11, 21)
ORION = FixedSource(name="Orion-KL", ra_deg=83.809, dec_deg=-5.37264)


def seen(source: Source, **limits: Any) -> Visibility:
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
        field = ConstantElevationSource(name="x", elevation_deg=50, rising=True, ra_center_deg=24, dec_center_deg=-32)

        assert len(seen(field).rises) == 1

    @pytest.mark.parametrize("year", [1899, 2053])
    def test_a_day_beyond_the_ephemeris_is_refused(self, year: int) -> None:
        with pytest.raises(RequestError, match="beyond the ephemeris"):
            visibility(ORION, FYST, date(year, 6, 1))


class TestAgainstAnotherProgram:
    """Elevation and distance from the Sun between two samples, against Skyfield with DE440 (tests/planning/sky/skyfield.csv)."""

    @pytest.mark.parametrize(
        ("when", "name", "azimuth", "elevation"), [row for row in SKYFIELD if row[0].startswith(("2026-11", "2027"))]
    )
    def test_a_source_is_as_high_and_as_far_from_the_sun(
        self, when: str, name: str, azimuth: float, elevation: float
    ) -> None:
        moment = datetime.fromisoformat(when)
        day = visibility(source_of(name), FYST, night_of(moment, FYST))
        number = next(n for n, sample in enumerate(day.times) if sample > moment)
        share = (moment - day.times[number - 1]) / timedelta(minutes=5)

        def at_the_moment(values: list[float | None]) -> float:
            before, after = values[number - 1], values[number]
            assert before is not None and after is not None
            return before + share * (after - before)

        sun = next(row for row in SKYFIELD if row[:2] == (when, "sun"))
        apart = arcseconds_between(azimuth, elevation, sun[2], sun[3]) / 3600
        assert at_the_moment(day.elevation_deg) == pytest.approx(elevation, abs=0.01)
        assert at_the_moment(day.sun_distance_deg) == pytest.approx(apart, abs=0.01)


class TestExtremes:
    @pytest.mark.parametrize(("latitude", "declination", "ups"), [(-80, -60, True), (-80, 60, False), (89.9, 10, True)])
    def test_far_from_the_equator_a_source_is_up_always_or_never(
        self, latitude: float, declination: float, ups: bool
    ) -> None:
        telescope = TelescopeFactory.build(observatory=None, lat_deg=latitude, el_min_deg=0)
        source = FixedSource(name="x", ra_deg=10, dec_deg=declination)

        day = visibility(source, telescope, EVENING, min_sun_distance_deg=0)

        assert (day.rises, day.sets) == ([], [])
        assert hours(day.observable) == (24 if ups else 0)

    @pytest.mark.parametrize(("latitude", "night"), [(-85, 0), (85, 24)])
    def test_there_may_be_no_night_or_no_day(self, latitude: float, night: float) -> None:
        telescope = TelescopeFactory.build(observatory=None, lat_deg=latitude)

        assert hours(visibility(ORION, telescope, EVENING).night) == night

    def test_the_sun_itself_is_never_observable(self) -> None:
        sun = SolarSystemObject(name="Sun", ephemeris_name="sun")

        day = seen(sun)

        assert day.observable == [] and max(d or 0 for d in day.sun_distance_deg) < 1e-6
        # It is up when it is not night.
        assert (day.sets, day.rises) == ([day.night[0][0]], [day.night[0][1]])

    def test_a_source_in_the_zenith_is_beyond_the_limit_of_a_unit(self) -> None:
        overhead = FixedSource(name="overhead", ra_deg=84, dec_deg=FYST.lat_deg)

        assert max(e or 0 for e in seen(overhead).elevation_deg) > 89
        # Before and after it is too high.
        assert len(seen(overhead, max_elevation_deg=85).observable) == 2

    def test_a_day_may_have_two_rises(self) -> None:
        # A sidereal day is four minutes shorter: what rises just after noon rises again just before the next.
        noon = seen(ORION).times[0]
        shift = (seen(ORION).rises[0] - noon).total_seconds() / 240 * 366.25 / 365.25
        early = FixedSource(name="early", ra_deg=(83.809 - shift + 0.5) % 360, dec_deg=-5.37264)

        assert len(seen(early).rises) == 2


class TestPicture:
    NS = "{http://www.w3.org/2000/svg}"

    def drawn(self, source: Source, width: int = USUAL_WIDTH) -> ET.Element:
        return ET.fromstring(picture(seen(source), source.name, width))  # noqa: S314 (our own)

    def test_it_shows_both_curves_the_night_and_when_it_is_observable(self) -> None:
        root = self.drawn(ORION)

        assert root.tag == f"{self.NS}svg"
        assert {p.get("class") for p in root.iter(f"{self.NS}polyline")} == {"sun", "curve"}
        assert {r.get("class") for r in root.iter(f"{self.NS}rect")} == {"page", "night", "up"}
        assert root.findtext(f"{self.NS}title") == "Orion-KL: rises 23:54, sets 12:10 UTC"

    def test_the_curve_has_the_elevations_of_the_day(self) -> None:
        day = seen(ORION)
        (curve,) = (p for p in self.drawn(ORION).iter(f"{self.NS}polyline") if p.get("class") == "curve")
        points = [tuple(map(float, point.split(","))) for point in curve.get("points", "").split()]
        assert len(points) == len(day.times)
        assert (points[0][0], points[-1][0]) == (0, 1)
        assert [90 - y for _, y in points] == pytest.approx(day.elevation_deg, abs=0.01)

    @pytest.mark.parametrize("width", WIDTHS)
    def test_at_any_width_all_is_inside(self, width: int) -> None:
        long = FixedSource(name="x" * 128, ra_deg=10, dec_deg=-60)

        root = self.drawn(long, width)

        assert root.get("width") == str(width)
        for text in root.findall(f"{self.NS}text"):
            x, words = float(text.get("x", "")) + float(text.get("dx", 0)), text.text or ""
            length = len(words) * (7.8 if text.get("class") == "title" else 6.2)
            assert x + length <= width + 1, words

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            (FixedSource(name="pole", ra_deg=0, dec_deg=-89), "does not set"),
            (FixedSource(name="north", ra_deg=0, dec_deg=85), "does not rise; not observable"),
            (FixedSource(name="near the Sun", ra_deg=237, dec_deg=-20), " UTC; not observable"),
        ],
        ids=["pole", "north", "Sun"],
    )
    def test_what_does_not_rise_or_cannot_be_observed_is_said(self, source: FixedSource, words: str) -> None:
        assert (self.drawn(source).findtext(f"{self.NS}title") or "").endswith(words)

    def test_it_has_colours_for_dark_pages(self) -> None:
        assert "prefers-color-scheme:dark" in picture(seen(ORION), "x")

    def test_a_name_cannot_become_markup(self) -> None:
        drawn = picture(seen(ORION), "<script>alert(1)</script>")

        assert "<script>" not in drawn
