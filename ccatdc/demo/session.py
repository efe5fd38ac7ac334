"""Without ``--once``: instruments observe every now and then until somebody stops it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import datetime
from itertools import cycle

from ccatdc.common.errors import CcatError
from ccatdc.demo.display import Display, bytes_text
from ccatdc.demo.home import Home
from ccatdc.demo.instrument import INSTRUMENTS, Instrument
from ccatdc.demo.observing import Observatory
from ccatdc.demo.options import Options
from ccatdc.demo.watching import look

_TICK_SECONDS = 2.0
#: With less room than this the instruments pause: the archive of a demo is never emptied.
_ROOM_BYTES = 2_000_000_000


def run_session(
    options: Options, home: Home, portal_url: str, display: Display, watch: Callable[[], None]
) -> None:
    """Observe, show and watch for ever; ends by an exception: a signal, or a child that died."""
    observatory = Observatory(home, portal_url)
    instruments = cycle(INSTRUMENTS)
    due = time.monotonic() if options.every else float("inf")
    with display.tables():
        while True:
            if time.monotonic() >= due:
                due = time.monotonic() + options.every
                _observe(observatory, next(instruments), options.size, display)
            watch()
            display.show(look)
            time.sleep(_TICK_SECONDS)


def _observe(observatory: Observatory, instrument: Instrument, size: int, display: Display) -> None:
    free = shutil.disk_usage(observatory.home.root).free
    if free < _ROOM_BYTES + 4 * size:
        display.say(f"Only {bytes_text(free)} are free: the instruments pause.")
        return
    try:
        observation = observatory.observe(instrument, size)
    except CcatError as error:  # the portal may just be restarting
        display.say(f"An observation was not filed: {error}")
        return
    display.say(
        f"{datetime.now():%H:%M:%S} Filed {observation.title} ({observation.instrument}): {len(observation.files)} files, "
        f"{bytes_text(observation.size)}"
    )
