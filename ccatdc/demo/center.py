"""The data center's own processes: portal, managers, and workers for every active location."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ccatdc.demo.children import Children
from ccatdc.demo.filing import wait_until_healthy
from ccatdc.demo.servers import HOST, Servers
from datamgmt.models import DataLocation

_REPOSITORY = Path(__file__).resolve().parents[2]
_PORTAL_SECONDS = 60.0


class DataCenter:
    """Starts them, looks after them, ends them."""

    def __init__(self, running: Servers, log: Path, say: Callable[[str], None]) -> None:
        self._running = running
        self._say = say
        self._children = Children(log, say)
        self._served: set[str] = set()

    def start(self) -> None:
        """Start all of them; returns when the portal answers."""
        # gunicorn would add these to what it is told here.
        os.environ.pop("GUNICORN_CMD_ARGS", None)
        self._children.start(
            "portal",
            *("-P", "-m", "gunicorn", "ccatdc.wsgi", f"--bind={HOST}:{self._running.port}"),
            *("--workers=2", "--threads=4", "--preload", f"--chdir={_REPOSITORY}"),
            "--graceful-timeout=5",
        )
        self._children.manage("managers", "run_managers")
        self._serve(_active_locations())
        wait_until_healthy(self._running.portal_url, _PORTAL_SECONDS, self.watch)

    def watch(self) -> None:
        """Look after servers and processes once, and serve locations that became active since.

        Raises WorldError for a server that is gone and for a process that keeps ending.
        """
        self._running.require_running()
        self._children.watch()
        new = _active_locations() - self._served
        if new:
            self._say(f"Active now: {', '.join(sorted(new))}")
            self._serve(new)

    def stop(self) -> None:
        """End all of them."""
        self._children.stop()

    def _serve(self, locations: set[str]) -> None:
        name = f"workers {len(self._served)}" if self._served else "workers"
        self._children.manage(name, "run_location", *sorted(locations))
        self._served |= locations


def _active_locations() -> set[str]:
    """Full names of those that have a place: nothing can be done at one that is not registered."""
    rows = DataLocation.objects.active().with_site()
    return {row.full_name for row in rows if row.registered_at is not None}
