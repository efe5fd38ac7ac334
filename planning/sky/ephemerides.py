"""Where things are on the sky: astropy, with ephemeris and Earth rotation from packages, never from the network.

Used by the sources' positions (planning/sky/positions.py) and their visibility (planning/sky/visibility.py). astropy is
large and workers and managers have no use for it: it is imported inside functions, and only through
:func:`astropy_ready`.

The ephemeris is JPL's DE421 from a package (docs/decisions/006-ephemeris.md): astropy's built-in series are wrong by up
to half an arcminute for Jupiter and Saturn, DE421 differs from DE440 by 0.1 arcseconds at most.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccatdc.common.errors import ConfigurationError

if TYPE_CHECKING:
    from observatory.models import Telescope

#: Bodies of the ephemeris, so that a misspelt planet is refused without loading astropy.
BODIES = (
    "sun",
    "mercury",
    "venus",
    "earth-moon-barycenter",
    "earth",
    "moon",
    "mars",
    "jupiter",
    "saturn",
    "uranus",
    "neptune",
    "pluto",
)


def kernel_path() -> Path:
    """The file of the ephemeris. Raises :class:`ConfigurationError` where its package is missing."""
    found = importlib.util.find_spec("skyfield_data")  # located, not imported: only its file is used
    folder = Path(found.origin).parent / "data" if found and found.origin else None
    if folder is None or not (folder / "de421.bsp").is_file():
        raise ConfigurationError(
            "The solar-system ephemeris is not installed.",
            code="ephemeris.missing",
            remedy="Install what requirements.txt names (skyfield-data).",
        )
    return folder / "de421.bsp"


@cache
def astropy_ready() -> None:
    """Prepare astropy once in a process: our ephemeris, bundled Earth rotation, no download.

    Earth rotation beyond the bundled predictions (a year) is taken as its last value: that is a warning in the log and
    costs arcseconds at most, while no answer at all would cost the night.
    """
    from astropy.coordinates import solar_system_ephemeris
    from astropy.utils import iers

    iers.conf.auto_download = False
    iers.conf.auto_max_age = None
    iers.conf.iers_degraded_accuracy = "warn"
    solar_system_ephemeris.set(str(kernel_path()))


def site_of(telescope: Telescope) -> Any:
    """The telescope's place as an EarthLocation (WGS84, longitude east-positive)."""
    astropy_ready()
    from astropy.coordinates import EarthLocation

    return EarthLocation.from_geodetic(telescope.lon_deg, telescope.lat_deg, telescope.alt_m)


def horizontal_at(when: Any, telescope: Telescope) -> Any:
    """The frame of azimuth (north through east) and elevation. Geometric: without refraction."""
    astropy_ready()
    from astropy.coordinates import AltAz
    from astropy.time import Time

    return AltAz(obstime=Time(when), location=site_of(telescope))


def sun_at(when: Any, telescope: Telescope) -> Any:
    """The Sun as seen from the telescope."""
    return body_at("sun", when, telescope)


def body_at(name: str, when: Any, telescope: Telescope) -> Any:
    """A body of the ephemeris as seen from the telescope, light time and aberration included.

    Raises :class:`ConfigurationError` for a body that the ephemeris does not have: minor bodies need a file of their
    own.
    """
    astropy_ready()
    from astropy.coordinates import get_body
    from astropy.time import Time

    if name.lower() not in BODIES:
        raise ConfigurationError(
            f"The ephemeris has no body {name!r}.", code="ephemeris.unknown_body", remedy=f"It has {', '.join(BODIES)}."
        )
    return get_body(name, Time(when), site_of(telescope))
