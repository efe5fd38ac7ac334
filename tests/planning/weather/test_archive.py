"""Files of weather archives: the archive's own forms, ours, other units, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

import pytest

from ccatdc.common.errors import RequestError
from planning.weather.archive import Archive, read_archive


def read(text: str) -> Archive:
    return read_archive(StringIO(text))


def test_a_monthly_file_as_the_logger_wrote_it() -> None:
    archive = read(
        "2,12/05/01,00:14:10,1.1,7,15,1.5,-6.9,12,519.4,11.7,0,\n"
        "# this file opened 2012 05 03 (y m d) 15:09:35\n"
        "2,12/05/01,00:29:10,2.3,349,8,3.3,-5.7,10,519.4,11.8,0,\n"
    )
    first, second = archive.samples
    assert first.time == datetime(2012, 5, 1, 0, 14, 10, tzinfo=UTC)
    assert first.values == {
        "wind_m_s": 1.1, "wind_direction_deg": 7, "wind_gust_m_s": 1.5, "temperature_c": -6.9,
        "relative_humidity_pct": 12, "pressure_hpa": 519.4,
    }  # fmt: skip
    assert second.values["wind_direction_deg"] == 349


def test_the_merged_file_and_a_broken_sensor() -> None:
    archive = read(
        "datetime,temperature_C,pressure_mbar,relative_humidity,wind_speed_avg_mps\n"
        "2006-05-11 00:14:10+00:00,-2.1,527.1,103,\n"
        "2006-05-11 00:29:10+00:00,-2.2,nan,40,-99\n"
    )
    assert [sample.values for sample in archive.samples] == [
        {"temperature_c": -2.1, "pressure_hpa": 527.1},
        {"temperature_c": -2.2, "relative_humidity_pct": 40},
    ]
    assert archive.left_out == {"relative_humidity_pct": 1, "wind_m_s": 1}


def test_other_units_and_the_last_of_two_samples_of_one_time() -> None:
    archive = read(
        "time,temperature_k,relative_humidity_fraction,pressure_torr\n"
        "2026-05-01T22:00:00Z,270.15,0.5,400\n2026-05-01T22:00:00Z,268.15,0.12,390\n"
    )
    (sample,) = archive.samples
    assert sample.values == {
        "temperature_c": pytest.approx(-5),
        "relative_humidity_pct": pytest.approx(12),
        "pressure_hpa": pytest.approx(519.957, abs=0.001),
    }


@pytest.mark.parametrize(
    "text",
    [
        "time,humidity\n2026-05-01T22:00:00Z,12\n",
        "relative_humidity_pct\n12\n",
        "time,pressure_hpa,pressure_mbar\n2026-05-01T22:00:00Z,500,500\n",
        "time,pwv_mm\n2026-05-01T22:00:00Z,half\n",
        "time,pwv_mm\nyesterday,0.5\n",
        "time,pwv_mm\n2026-05-01T22:00:00Z\n",
        "time,relative_humidity\n2026-05-01T22:00:00Z,0.5\n2026-05-01T22:01:00Z,0.6\n",
    ],
    ids=["unknown", "no time", "twice", "no number", "no moment", "short", "fraction"],
)
def test_what_is_no_such_file_is_refused(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(text)
    assert caught.value.code == "weather.not_an_archive"


def test_an_empty_file_has_no_samples() -> None:
    assert read("# nothing\n").samples == []
