"""bbcp: many TCP streams for one file, to a disk of another host. Proves nothing about the digest, so stage 40 reads what
arrived.

Both hosts need bbcp in the PATH (of a login without terminal, there), and ports between them for its data connections.
Command line, output and the rules of ``-a`` follow its own description and were tried with version 14.04.14: in append
mode it writes in order, keeps a signature of the source in the folder that ``-a`` names, and goes on only where source and
signature still agree. It takes no blanks in paths, so that it is given a link here and a path below the root there.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path
from typing import ClassVar, Final

from ccatdc.common.errors import ConfigurationError
from transfer.engine.worker.lease import LeaseHandle
from transfer.transports.base import Attempt, Cargo, Place
from transfer.transports.local_file import require_readable, require_there
from transfer.transports.other_host import OtherHost, ToOtherHost
from transfer.transports.program import Ended, require_program, run_program

_WINDOW_BYTES: Final = 8 << 20
_REPORT_SECONDS: Final = 2
#: Time limit of one file: an hour, or what it takes at a tenth of 1 Gbit/s or of the route's limit. A receiver that a cut
#: link left behind ends by it.
_NOMINAL_BYTES_PER_SECOND: Final = 125_000_000
_LEAST_SECONDS: Final = 3600
#: ``bbcp: 261127 22:06:06 19% done; 19.6 MB/s``
_PROGRESS: Final = re.compile(r"bbcp: .*?\b(\d{1,3})% done; ")
#: What it says when a part is not the beginning of this file.
_NOT_ITS_BEGINNING: Final = ("append not possible", "Cannot append to", "append state")
#: The file in the folder of an attempt, here and there; the signature holds its name.
_FILE: Final = "part"


class Bbcp(ToOtherHost):
    """``bbcp``: one file at a time, with many streams."""

    name: ClassVar[str] = "bbcp"
    usual_streams: ClassVar[int] = 16
    in_folders: ClassVar[bool] = True

    def move(self, cargo: Cargo, origin: Place, destination: Place, attempt: Attempt, lease: LeaseHandle) -> None:
        """Send into a folder of the attempt, fsync there, give it its name without replacing anything."""
        require_program(self.name)
        there = self.host_of(destination)
        _require_speakable(there)
        folder = there.part_key(cargo.destination_key, attempt.name)
        here = require_there(cargo, origin)
        there.prepare()
        _take_over(there, cargo, attempt)
        ended = self._send(here, there, folder, lease, cargo.size)
        if ended.status != 0 and any(each in ended.said for each in _NOT_ITS_BEGINNING):
            # The source is another file than before, to bbcp: sent from another host, say. The whole again.
            quoted = shlex.quote(there.path(folder))
            there.run(f"rm -rf -- {quoted} && mkdir -- {quoted}")
            ended = self._send(here, there, folder, lease, cargo.size)
        if ended.status != 0:
            if " reading " in ended.said:
                require_readable(cargo, origin, lease)
            raise there.failure(f"bbcp ended with {ended.status}", ended.said, is_crash=ended.status < 0)
        rest = f"rm -rf -- {shlex.quote(there.path(folder))}"
        there.publish(there.path(f"{folder}/{_FILE}"), cargo.destination_key, cargo.size, rest)

    def discard_attempt(self, key: str, attempt: str, destination: Place) -> None:
        """One folder, the attempt's own."""
        there = self.host_of(destination)
        there.run(f"rm -rf -- {shlex.quote(there.part(key, attempt))}")

    def _send(self, here: Path, there: OtherHost, folder: str, lease: LeaseHandle, size: int) -> Ended:
        with tempfile.TemporaryDirectory(prefix="bbcp-") as links:
            link = Path(links) / _FILE
            link.symlink_to(here)
            command = ["bbcp", *self._options(there, folder, size), str(link), f"{there.login}:{folder}/{_FILE}"]
            return run_program(command, lease, size, progress_in=lambda line: _done(line, size))

    def _options(self, there: OtherHost, folder: str, size: int) -> list[str]:
        given = self.parameters
        rate = min(given.limit_bytes_per_second or _NOMINAL_BYTES_PER_SECOND, _NOMINAL_BYTES_PER_SECOND)
        root = shlex.quote(there.location.path)
        # bbcp cuts the command at blanks and adds its own words; ssh joins them again with single blanks.
        receiver = [*there.ssh, "-x", "-a", "--", there.login, "cd", root, "&&", "exec", "bbcp"]
        return [
            *("-a", folder, "-k"),  # go on with what is there, keep it when the link is cut
            "-e",  # checksums of what crosses the link
            *("-s", str(self.streams)),
            *("-w", str(given.window_bytes or _WINDOW_BYTES)),
            *("-P", str(_REPORT_SECONDS)),
            *("-t", str(max(_LEAST_SECONDS, 10 * size // rate))),
            *(("-x", str(given.limit_bytes_per_second)) if given.limit_bytes_per_second else ()),
            *(("-Z", given.ports) if given.ports else ()),
            *("-T", " ".join(receiver)),
        ]


def _require_speakable(there: OtherHost) -> None:
    """The command for the other side goes through bbcp in words."""
    path = there.location.path
    if " ".join(path.split()) != path or "%" in path:
        raise ConfigurationError(
            f"bbcp cannot be told the path of {there.location.full_name}: {path!r}.",
            code="transport.none_can",
            remedy="Give the location a path without % and without blanks beside each other, or the route another method.",
        )


def _take_over(there: OtherHost, cargo: Cargo, attempt: Attempt) -> None:
    """Make the folders; give the longest part of earlier attempts, with its signature, to this one, and remove their others."""
    folder = there.part_key(cargo.destination_key, attempt.name)
    names = " ".join(shlex.quote(there.part(*each)) for each in attempt.earlier) or "/dev/null"
    made = shlex.quote(there.path(folder))
    there.run(
        f"{there.make_folders_of(folder, cargo.destination_key)}; "
        f'best=; most=0; for d in {names}; do [ -d "$d" ] || continue; n=$(stat -c %s -- "$d/{_FILE}" || echo 0); '
        f'if [ "$n" -gt "$most" ] && [ "$n" -le {cargo.size} ]; then [ -z "$best" ] || rm -rf -- "$best"; '
        f'best=$d; most=$n; else rm -rf -- "$d"; fi; done; '
        f'if [ -n "$best" ]; then mv -T -- "$best" {made}; else mkdir -p -- {made}; fi'
    )


def _done(line: str, size: int) -> int | None:
    """The bytes that a line of its output reports; None when it is another line."""
    found = _PROGRESS.match(line)
    return int(found[1]) * size // 100 if found else None
