"""``--once``: one night from the first file to the last deletion, followed, verified and reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

from ccatdc.common.errors import CcatError, DataIntegrityError, WorldError
from ccatdc.common.states import Status
from ccatdc.demo.display import Display, bytes_text
from ccatdc.demo.filing import Api, Observation
from ccatdc.demo.folder import Skipped
from ccatdc.demo.furnishing import scientist_token
from ccatdc.demo.home import Home
from ccatdc.demo.instrument import INSTRUMENTS
from ccatdc.demo.observing import Observatory
from ccatdc.demo.options import Options
from ccatdc.demo.outcome import Outcome, StoredPackage, stored_packages
from ccatdc.demo.verification import (
    Expected,
    Findings,
    check_archived,
    check_gone,
    check_nothing_named,
    check_staged,
)
from ccatdc.demo.watching import NightState, files_set_aside, look, night_state, obstacles
from datamgmt.models import DiskDataLocation, LocationType

_POLL_SECONDS = 0.25
_LOOK_AFTER_SECONDS = 1.0
PROCESSING = "cologne_ramses_processing"


class Night:
    """One night in progress. ``watch`` looks after the processes and raises when one is gone."""

    def __init__(
        self,
        options: Options,
        home: Home,
        portal_url: str,
        display: Display,
        watch: Callable[[], None],
    ) -> None:
        self._options = options
        self._home = home
        self._portal_url = portal_url
        self._display = display
        self._watch = watch
        self._observations: list[Observation] = []
        self._skipped: list[Skipped] = []
        self._job: int | None = None
        self._begin = self._watched = time.monotonic()
        self._state = ""

    def run(self) -> Outcome:
        """The whole night. Raises a CcatError that says why it did not end well."""
        with self._display.tables():
            self._observe()
            self._wait("archived", lambda state: state.all_archived)
            job = self._job = self._ask_for_everything()
            self._wait("staged", lambda state: state.job == Status.COMPLETED)
            self._wait("cleaned up", lambda state: state.left == 0)
        packages = stored_packages(self._executions())
        findings = self._verify(packages, job)
        self._say_verified(findings, packages)
        return Outcome(
            self._home, self._observations, packages, self._skipped, job, self._seconds()
        )

    def _seconds(self) -> float:
        return time.monotonic() - self._begin

    def _say(self, text: str) -> None:
        self._display.say(f"{self._seconds():6.1f} s  {text}")

    def _observe(self) -> None:
        observatory = Observatory(self._home, self._portal_url)
        if self._options.input is not None:
            observation, self._skipped = observatory.observe_folder(self._options.input)
            self._say_filed(observation)
            for entry in self._skipped:
                self._say(f"Skipped {entry.path!r}: {entry.reason}")
            return
        for instrument in INSTRUMENTS:
            self._say_filed(observatory.observe(instrument, self._options.size))

    def _say_filed(self, observation: Observation) -> None:
        self._observations.append(observation)
        self._say(
            f"Filed {observation.title} ({observation.instrument}): {len(observation.files)} files, "
            f"{bytes_text(observation.size)}"
        )

    def _executions(self) -> list[UUID]:
        return [observation.id for observation in self._observations]

    def _wait(self, what: str, done: Callable[[NightState], bool]) -> None:
        """Wait until the night is ``done``; report when it cannot be, or not in time."""
        while True:
            state = night_state(self._executions(), self._job)
            if str(state) != self._state:
                self._state = str(state)
                self._say(self._state)
            if done(state):
                return
            if state.failed or state.set_aside:
                reasons = files_set_aside(self._executions()) + obstacles()
                raise WorldError(
                    f"The night cannot be {what}: {state}.{_list(reasons)}",
                    code="demo.failed",
                    remedy=f"\nThe processes' logs are in {self._home.log}.",
                )
            if self._seconds() > self._options.timeout:
                raise WorldError(
                    f"The night was not {what} in {self._options.timeout:.0f} s: {state}."
                    f"{_list(obstacles())}",
                    code="demo.timeout",
                    remedy=f"\nThe processes' logs are in {self._home.log}; --timeout gives more time.",
                )
            if time.monotonic() - self._watched > _LOOK_AFTER_SECONDS:
                self._watched = time.monotonic()
                self._watch()
                self._display.show(look)
            time.sleep(_POLL_SECONDS)

    def _ask_for_everything(self) -> int:
        """As a scientist would: by the API, for every package of the night."""
        packages = [str(package.id) for package in stored_packages(self._executions())]
        with Api(self._portal_url, scientist_token(self._home)) as api:
            answer = api.call(
                "POST",
                "/api/staging/jobs/",
                {"packages": packages, "location": PROCESSING, "name": "scripts/demo --once"},
            )
        return int(answer["id"])

    # The end

    def _verify(self, packages: Sequence[StoredPackage], job: int) -> Findings:
        findings = Findings()
        written = {
            file.relative_path: Expected(file.size, file.digest)
            for observation in self._observations
            for file in observation.files
        }
        missing = written.keys() - {path for package in packages for path in package.files}
        for path in sorted(missing):
            findings.require("filed files", path, "is in no package")
        for package in packages:
            expected = {path: written[path] for path in package.files}
            folder = package.staged_folder(self._home, job)
            try:
                check_staged(folder, expected, findings, package.name)
            except (OSError, CcatError) as error:
                findings.require("staged files", str(folder), f"cannot be read: {error}")
            for archived in package.archived(self._home):
                check_archived(archived, written, findings)
            if not package.copies:
                findings.require("archived files", package.name, "is in no archive")
        self._verify_clean(packages, findings)
        if findings.wrong:
            raise DataIntegrityError(
                f"{len(findings.wrong)} checks failed:{_list(findings.wrong[:20])}",
                code="demo.not_verified",
            )
        return findings

    def _verify_clean(self, packages: Sequence[StoredPackage], findings: Findings) -> None:
        prefixes = {
            file.relative_path.partition("/")[0]
            for observation in self._observations
            for file in observation.files
        }
        names = {name for package in packages for name in (package.name, *package.bundles)}
        for location in DiskDataLocation.objects.active().with_site():
            root = Path(location.path)
            if location.location_type == LocationType.SOURCE:
                for prefix in prefixes:
                    check_gone(root, prefix, findings)
            elif location.location_type == LocationType.BUFFER:
                check_nothing_named(root, names, findings)

    def _say_verified(self, findings: Findings, packages: Sequence[StoredPackage]) -> None:
        size = sum(observation.size for observation in self._observations)
        checked = findings.checked
        for line in (
            "Verified, by reading what is on the disks:",
            f"  {checked['staged files']} staged files are byte for byte those written "
            f"({bytes_text(size)})",
            f"  {checked['archived files']} files extracted from the archive's {len(packages)} "
            "tars are, too",
            f"  {checked['sidecars']} sidecars name them",
            f"  {checked['cleaned places']} places at SOURCE and BUFFER are clean",
            f"The night took {self._seconds():.1f} s.",
        ):
            self._display.say(line)


def _list(lines: Sequence[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)
