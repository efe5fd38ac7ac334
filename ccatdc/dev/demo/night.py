"""What the instruments do: with ``--once`` one night from the first file to the last deletion, followed, verified and
reported; else an observation every now and then until somebody stops it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import cycle
from typing import Any, Final, NoReturn
from uuid import UUID

from ccatdc.common.errors import CcatError, DataIntegrityError, ExternalError
from ccatdc.common.states import Status
from ccatdc.common.units import size_text
from ccatdc.dev.demo.display import Display
from ccatdc.dev.demo.filing import Api, Observation, Observatory
from ccatdc.dev.demo.folder import Skipped
from ccatdc.dev.demo.home import Home
from ccatdc.dev.demo.instrument import INSTRUMENTS, Instrument
from ccatdc.dev.demo.options import Options
from ccatdc.dev.demo.reducing import ask_for_map, check_products, state_of
from ccatdc.dev.demo.verification import StoredPackage, check_earlier, check_night, stored_packages
from ccatdc.dev.demo.watching import NightState, files_set_aside, look, night_state, obstacles
from datamgmt.models import DataLocation, DiskDataLocation, S3DataLocation

_POLL_SECONDS: Final = 0.25
_LOOK_AFTER_SECONDS: Final = 1.0
_TICK_SECONDS: Final = 2.0
#: With less free space than this the instruments pause: the archive of a demo is never emptied.
_ROOM_BYTES: Final = 2_000_000_000
PROCESSING: Final = "cologne_ramses_processing"


class Night:
    """One night in progress. ``watch`` looks after the processes and raises when one is gone."""

    def __init__(
        self, options: Options, home: Home, portal_url: str, display: Display, watch: Callable[[], None]
    ) -> None:
        self._options = options
        self._home = home
        self._portal_url = portal_url
        self._display = display
        self._watch = watch
        self._observations: list[Observation] = []
        self._skipped: list[Skipped] = []
        self._begin = self._watched = time.monotonic()
        self._state = ""

    def run(self) -> dict[str, Any]:
        """The whole night; returns the document of ``--json``. Raises a CcatError that says why it did not end well."""
        with self._display.tables():
            self._observe()
            self._wait("archived", None, lambda state: state.all_archived)
            job = self._ask_for_everything()
            self._wait("staged", job, lambda state: state.job == Status.COMPLETED)
            self._wait("cleaned up", job, lambda state: state.left == 0)
            run = self._reduce()
        packages = stored_packages(self._executions())
        self._verify(packages, job, run)
        return self._document(packages, job)

    def _seconds(self) -> float:
        return time.monotonic() - self._begin

    def _say(self, text: str) -> None:
        self._display.say(f"{self._seconds():6.1f} s  {text}")

    def _observe(self) -> None:
        observatory = Observatory(self._home, self._portal_url)
        if self._options.input is not None:
            observation, self._skipped = observatory.observe_folder(self._options.input)
            self._note(observation)
            for entry in self._skipped:
                self._say(f"Skipped {entry.path!r}: {entry.reason}")
            return
        for instrument in INSTRUMENTS:
            self._note(observatory.observe(instrument, self._options.size))

    def _note(self, observation: Observation) -> None:
        self._observations.append(observation)
        self._say(f"Filed {observation}")

    def _executions(self) -> list[UUID]:
        return [observation.id for observation in self._observations]

    def _wait(self, what: str, job: int | None, done: Callable[[NightState], bool]) -> None:
        """Wait until the night is ``done``; report when it cannot be, or not in time."""
        while True:
            state = night_state(self._executions(), job)
            if str(state) != self._state:
                self._state = str(state)
                self._say(self._state)
            if done(state):
                return
            if state.failed or state.set_aside:
                reasons = files_set_aside(self._executions()) + obstacles()
                self._give_up("failed", f"The night cannot be {what}: {state}.{_list(reasons)}")
            self._look_on(f"The night was not {what}: {state}.")

    def _look_on(self, late: str) -> None:
        """Between two looks: the processes, the tables, and the time; ``late`` says what was not done in it."""
        if self._seconds() > self._options.timeout:
            self._give_up("timeout", f"After {self._options.timeout:.0f} s: {late}{_list(obstacles())}")
        if time.monotonic() - self._watched > _LOOK_AFTER_SECONDS:
            self._watched = time.monotonic()
            self._watch()
            self._display.show(look)
        time.sleep(_POLL_SECONDS)

    def _give_up(self, how: str, message: str) -> NoReturn:
        remedy = f"\nThe processes' logs are in {self._home.log}"
        if how == "timeout":
            raise ExternalError(message, code="demo.timeout", remedy=f"{remedy}; --timeout gives more time.")
        raise ExternalError(message, code="demo.failed", remedy=f"{remedy}.")

    def _ask_for_everything(self) -> int:
        """As a scientist would: by the API, for every package of the night."""
        packages = [str(package.id) for package in stored_packages(self._executions())]
        wanted = {"packages": packages, "location": PROCESSING, "name": "scripts/demo --once"}
        with Api(self._portal_url, self._home.token("scientist")) as api:
            return int(api.call("POST", "/api/staging/jobs/", wanted)["id"])

    def _reduce(self) -> UUID | None:
        """A map of the first observation, from the request to the archive; not of a folder, which may hold anything."""
        if self._options.input is not None:
            return None
        run = ask_for_map(self._home, self._portal_url, self._observations[0].id)
        said = ""
        while True:
            state, is_archived, has_failed = state_of(run)
            if state != said:
                said = state
                self._say(state)
            if is_archived:
                return run
            if has_failed:
                self._give_up("failed", f"The night cannot be reduced: {state}{_list(obstacles())}")
            self._look_on(f"The night was not reduced: {state}.")

    def _verify(self, packages: Sequence[StoredPackage], job: int, run: UUID | None) -> None:
        findings = check_night(self._home, self._observations, packages, job)
        products = check_products(self._home, run, findings) if run is not None else 0
        check_earlier(self._home, self._executions(), findings, run=run)
        if findings.wrong:
            raise DataIntegrityError(
                f"{len(findings.wrong)} checks failed:{_list(findings.wrong[:20])}", code="demo.not_verified"
            )
        size, checked = sum(each.size for each in self._observations), findings.checked
        self._display.say(
            "Verified, by reading what is on the disks:"
            f"\n  {checked['staged files']} staged files are byte for byte those written ({size_text(size)})"
            f"\n  {checked['archived files']} files extracted from the archive's {len(packages)} tars are, too"
            f"\n  {checked['sidecars']} sidecars name them"
            f"\n  {checked['cleaned places']} places at SOURCE and BUFFER are clean"
            f"{_of_reduction(products)}"
            f"{_of_earlier_nights(checked['earlier packages'])}"
            f"\nThe night took {self._seconds():.1f} s."
        )

    def _document(self, packages: Sequence[StoredPackage], job: int) -> dict[str, Any]:
        """The document of ``--json`` (docs/demo.md)."""
        package_of = {path: package for package in packages for path in package.files}
        files = []
        for file in (file for observation in self._observations for file in observation.files):
            package = package_of[file.relative_path]
            files.append(
                {
                    "relative_path": file.relative_path,
                    "size": file.size,
                    "digest": file.digest,
                    "package": package.name,
                    "archive": dict(package.copies[0]),
                    "staged_path": f"{package.staged_folder(self._home, job)}/{file.relative_path}",
                }
            )
        return {
            "ok": True,
            "seconds": round(self._seconds(), 3),
            "files": files,
            "locations": _places(),
            "s3_root": str(self._home.s3),
            "skipped": [{"path": entry.path, "reason": entry.reason} for entry in self._skipped],
        }


def _of_reduction(products: int) -> str:
    return (
        f"\n  {products} products of the reduction are in the archive, byte for byte as it wrote them"
        if products
        else ""
    )


def _of_earlier_nights(packages: int) -> str:
    return f"\n  {packages} tars of earlier nights are those that were archived" if packages else ""


def run_session(options: Options, home: Home, portal_url: str, display: Display, watch: Callable[[], None]) -> None:
    """Observe, show and watch for ever; ends by an exception: a signal, or a child that died."""
    observatory = Observatory(home, portal_url)
    instruments = cycle(INSTRUMENTS)
    due = time.monotonic() if options.every else float("inf")
    with display.tables():
        while True:
            if time.monotonic() >= due:
                due = time.monotonic() + options.every
                display.say(_observed(observatory, next(instruments), options.size))
            watch()
            display.show(look)
            time.sleep(_TICK_SECONDS)


def _observed(observatory: Observatory, instrument: Instrument, size: int) -> str:
    free = shutil.disk_usage(observatory.home.root).free
    if free < _ROOM_BYTES + 4 * size:
        return f"Only {size_text(free)} are free: the instruments pause."
    try:
        return f"{datetime.now():%H:%M:%S} Filed {observatory.observe(instrument, size)}"
    except CcatError as error:  # the portal may just be restarting
        return f"An observation was not filed: {error}"


def _places() -> dict[str, str]:
    """Root folder or bucket of every location that has one here."""
    places = {}
    for location in DataLocation.objects.with_site():
        if isinstance(location, DiskDataLocation):
            places[location.full_name] = location.path
        elif isinstance(location, S3DataLocation):
            places[location.full_name] = location.bucket_name
    return places


def _list(lines: Sequence[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)
