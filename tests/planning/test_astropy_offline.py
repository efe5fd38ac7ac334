"""astropy without a network and with Earth rotation that is older than the night: no download, no error, known accuracy."""

from __future__ import annotations

import subprocess
import sys

START = (
    "import os, sys, warnings\n"
    "os.environ |= {'DJANGO_SETTINGS_MODULE': 'ccatdc.settings.test', 'HOME': '/nonexistent'}\n"
    "import django; django.setup()\n"
)
#: astropy takes an error of the network for an answer: attempts are counted.
OFFLINE = (
    START + "import socket\n"
    "attempts = []\n"
    "def refused(*args, **kwargs): attempts.append(args); raise OSError('there is no network')\n"
    "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused\n"
)
#: From 150 days before its table of leap seconds ends astropy looks for a newer one.
MUCH_LATER = (
    "import astropy.utils.iers.iers as tables\n"
    "from astropy.time import Time\n"
    "tables.LeapSeconds._today = staticmethod(lambda: Time('2033-01-01', scale='tai'))\n"
)
FYST = (
    "from observatory.models import Telescope\nfyst = Telescope(lon_deg=-67.740278, lat_deg=-22.985639, alt_m=5611.8)\n"
)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_who_only_moves_bytes_does_not_load_astropy() -> None:
    out = run(
        START + "import transfer.engine.worker.runner, planning.sky.visibility, planning.admin, planning.api.urls\n"
        "print(sorted({'astropy', 'numpy', 'skyfield_data'} & set(sys.modules)))"
    )

    assert out == "[]"


def test_positions_need_no_network_when_all_tables_are_old() -> None:
    out = run(
        OFFLINE + MUCH_LATER + FYST + "from datetime import datetime, UTC\n"
        "from planning.models import SolarSystemObject\n"
        "moon = SolarSystemObject(ephemeris_name='moon')\n"
        "where = moon.position(datetime(2033, 1, 1, tzinfo=UTC), fyst)\n"
        "print(where.distance.km > 300000, attempts)"
    )

    assert out == "True []"


def test_a_catalogue_needs_no_network_when_all_tables_are_old() -> None:
    out = run(
        OFFLINE + MUCH_LATER + "from pathlib import Path\n"
        "from ccatdc.reference.readers.kosma import read_catalogue\n"
        "found = read_catalogue(Path('a.cat'), 'a B1950 12:26:33 2:19:43', 0, [])\n"
        "print(len(found), attempts)"
    )

    assert out == "1 []"


def test_that_a_download_would_be_seen() -> None:
    out = run(
        OFFLINE + MUCH_LATER + "tables.conf.auto_download = True\n"
        "warnings.simplefilter('ignore')\n"
        "Time('2026-01-01').sidereal_time('apparent', 'greenwich')\n"
        "print(len(attempts) > 0)"
    )

    assert out == "True"


def test_beyond_the_tables_the_last_rotation_is_kept_and_that_is_said() -> None:
    # Kept: UT1 - UTC of the table's last day. The Earth may have turned 15 arcseconds further for each second of it.
    out = run(
        START + FYST + "from planning.sky.ephemerides import astropy_ready, horizontal_at\n"
        "from planning.models import FixedSource\n"
        "astropy_ready()\n"
        "from astropy.time import Time\n"
        "from astropy.utils import iers\n"
        "last = iers.earth_orientation_table.get()['UT1_UTC'][-1].to_value('s')\n"
        "when = Time('2035-06-01T03:00:00')\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    warnings.simplefilter('always')\n"
        "    source = FixedSource(ra_deg=83.8, dec_deg=-5.4)\n"
        "    seen = source.position(when.to_datetime(), fyst).transform_to(horizontal_at(when, fyst))\n"
        "print(abs(seen.alt.deg) < 90, abs(float(when.delta_ut1_utc) - last) < 1e-6,\n"
        "      any('after IERS data is valid' in str(warning.message) for warning in said))"
    )

    assert out == "True True True"
