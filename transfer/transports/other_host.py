"""A disk of another host, reached over ssh: what transports do there besides moving bytes.

The other host needs sshd and coreutils; who logs in there (``user`` of the location) may write below its root and nothing
else. Keys and known hosts belong into the ssh configuration of the worker's account; ``CCATDC_SSH_COMMAND`` may name
another command.
"""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

import environ

from ccatdc.common.errors import NoSpaceError, TransportError
from datamgmt.models import DiskDataLocation
from datamgmt.storage.disk.parts import part_prefix
from datamgmt.storage.identity import Marker
from datamgmt.storage.keys import MARKER_KEY, RESERVED, key_hash
from transfer.models.transport_parameters import TransportParameters
from transfer.transports.base import CRASHED, Place, Transport
from transfer.transports.program import no_program

#: Seconds for a short command on the other host.
COMMAND_SECONDS = 120
#: What programs here and there say when a disk is full.
_NO_SPACE = ("No space left on device", "Insufficient space")
#: How our commands there end when a program is missing.
_NO_PROGRAM = 67


@dataclass(frozen=True)
class OtherHost:
    """The host of a disk location, and its disk. ``program`` names who moves, in part names and errors; a part of it is a
    file, or a folder.
    """

    location: DiskDataLocation
    program: str
    parameters: TransportParameters
    in_folders: bool = False

    @classmethod
    def of(cls, place: Place, program: str, parameters: TransportParameters, *, in_folders: bool = False) -> OtherHost:
        assert isinstance(place.location, DiskDataLocation)  # noqa: S101  can_move() said so
        return cls(place.location, program, parameters, in_folders)

    @property
    def login(self) -> str:
        there = self.location
        return f"{there.user}@{there.host}" if there.user else there.host

    @property
    def ssh(self) -> list[str]:
        """The command that reaches it, without its name. Of an option that is there twice, ssh takes the first."""
        command = shlex.split(environ.Env().str("CCATDC_SSH_COMMAND", default="ssh"))
        return [*command, *self.parameters.ssh, "-o", "BatchMode=yes", "-o", "ConnectTimeout=30"]

    def path(self, key: str) -> str:
        """Where a key is there."""
        return f"{self.location.path.rstrip('/')}/{key}"

    def part_key(self, key: str, attempt: str) -> str:
        """The key of what an attempt writes for a file until it is whole: a name that the sweep of the location knows."""
        suffix = "tree" if self.in_folders else "part"
        return f"{RESERVED}/parts/{part_prefix(key, attempt)}{key_hash(self.program)}.{suffix}"

    def part(self, key: str, attempt: str) -> str:
        """Where that is there."""
        return self.path(self.part_key(key, attempt))

    def run(self, command: str) -> str:
        """Run a shell command there; its output."""
        try:
            done = subprocess.run(
                [*self.ssh, "--", self.login, command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TransportError(
                f"{self.location.host} did not answer within {COMMAND_SECONDS} s.", code="transport.timeout"
            ) from error
        if done.returncode == _NO_PROGRAM:
            raise no_program(self.program, f"{self.location.host}, the host of {self.location.full_name}")
        if done.returncode != 0:
            raise self.failure(f"a command ended with {done.returncode}", done.stderr)
        return done.stdout

    def prepare(self) -> None:
        """The disk there is the location's, and the program is there. An unmounted disk must not be filled."""
        path = shlex.quote(self.path(MARKER_KEY))
        found = self.run(
            f"command -v {self.program} >/dev/null || exit {_NO_PROGRAM}; if [ -f {path} ]; then cat -- {path}; fi"
        )
        marker = Marker(self.location.uuid, self.location.full_name)
        marker.require(found.encode() if found.strip() else None, f"{self.location.path} on {self.location.host}")

    def make_folders_of(self, *keys: str) -> str:
        """The command that does it."""
        return "mkdir -p -- " + " ".join(shlex.quote(str(PurePosixPath(self.path(key)).parent)) for key in keys)

    def publish(self, part: str, key: str, size: int, then: str = "true") -> None:
        """Give a part its name, without replacing anything, when it has its size: a program may say that all went well
        though it did not. What has another size goes. ``then`` is one more command.
        """
        final = self.path(key)
        p, f, d = (shlex.quote(each) for each in (part, final, str(PurePosixPath(final).parent)))
        answer = self.run(
            f'n=$(stat -c %s -- {p}); if [ "$n" != {size} ]; then rm -f -- {p}; echo "${{n:-0}}"; exit 0; fi; '
            f"sync -- {p} && ln -- {p} {f} && sync -- {d} && rm -- {p} && {then}"
        )
        if answer.strip():
            raise TransportError(
                f"{self.program} said that it had sent all of {key} to {self.location.full_name}: {answer.strip()} of"
                f" {size} bytes are there.",
                code="transport.incomplete",
            )

    def received(self, key: str) -> int | None:
        """Bytes of the file there; None when there is none."""
        path = shlex.quote(self.path(key))
        answer = self.run(f"if [ -f {path} ]; then stat -c %s -- {path}; fi")
        return int(answer) if answer.strip() else None

    def failure(self, what: str, said: str, *, is_crash: bool = False) -> TransportError | NoSpaceError:
        """The error for what went wrong there, or on the way."""
        last = said.strip().splitlines()[-1] if said.strip() else "nothing more was said"
        if any(each in said for each in _NO_SPACE):
            return NoSpaceError(f"{self.location.full_name} is full: {last}")
        return TransportError(
            f"{self.location.full_name} on {self.location.host}: {what}: {last}",
            code=CRASHED if is_crash else f"transport.{self.program}",
            remedy="It is tried again; if it repeats, log in there as the worker does and look.",
        )


class ToOtherHost(Transport):
    """From a disk here to a disk of a named host, by a program that both have."""

    proves: ClassVar[bool] = False
    #: Where the route names no number.
    usual_streams: ClassVar[int]
    in_folders: ClassVar[bool] = False

    @property
    def streams(self) -> int:
        return self.parameters.streams or self.usual_streams

    def can_move(self, origin: Place, destination: Place) -> bool:
        """The origin is a disk here, the destination a disk of a named host."""
        there = destination.location
        return (
            isinstance(origin.location, DiskDataLocation) and isinstance(there, DiskDataLocation) and bool(there.host)
        )

    def received(self, key: str, destination: Place) -> int | None:
        return self.host_of(destination).received(key)

    def host_of(self, destination: Place) -> OtherHost:
        return OtherHost.of(destination, self.name, self.parameters, in_folders=self.in_folders)
