"""rsync over ssh: the destination is a disk of another host. Proves nothing about the digest, so stage 40 reads what
arrived.

The other host needs sshd, rsync and coreutils; who logs in there (``user`` of the location) may write below its root
and nothing else. Keys, known hosts and ports belong into the ssh configuration of the worker's account;
``CCATDC_SSH_COMMAND`` may name another command.
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import tempfile
import time
from pathlib import Path
from typing import ClassVar

import environ

from ccatdc.common.errors import NoSpaceError, TransportError
from datamgmt.checksums import BUFFER_BYTES
from datamgmt.models import DiskDataLocation
from datamgmt.storage.identity import Marker
from datamgmt.storage.keys import MARKER_KEY, RESERVED
from transfer.engine.worker.lease import LeaseHandle
from transfer.routing.sources import damaged, open_at, origin_errors
from transfer.transports.base import Attempt, Cargo, Place, Transport

#: Seconds for a short command on the other host, and of silence after which rsync gives up.
COMMAND_SECONDS = 120
SILENCE_SECONDS = 300
#: What rsync and the commands on the other host say when a disk is full.
NO_SPACE = "No space left on device"
#: How rsync ends when it could not do everything: here that it could not read, or there not write.
PARTLY = 23


class Rsync(Transport):
    """``rsync``: one stream over ssh, whole files, under a temporary name."""

    name: ClassVar[str] = "rsync"
    proves: ClassVar[bool] = False

    def can_move(self, origin: Place, destination: Place) -> bool:
        """The origin is a disk here, the destination a disk of a named host."""
        there = destination.location
        return (
            isinstance(origin.location, DiskDataLocation) and isinstance(there, DiskDataLocation) and bool(there.host)
        )

    def move(self, cargo: Cargo, origin: Place, destination: Place, attempt: Attempt, lease: LeaseHandle) -> None:
        """Send under a temporary name, fsync there, give it its name without replacing anything."""
        there = _disk(destination)
        _check_identity(there)
        here = _require_there(cargo, origin)
        part = _part(there, cargo.destination_key, attempt.name)
        final = _path(there, cargo.destination_key)
        folder = str(Path(final).parent)
        _remote(there, f"mkdir -p -- {shlex.quote(str(Path(part).parent))} {shlex.quote(folder)}")
        resumes = _take_over(there, [_part(there, *each) for each in attempt.earlier], part, cargo.size)
        ended, said = self._send(here, there, part, lease, resumes=resumes)
        if ended == PARTLY:
            _require_readable(cargo, origin, lease)
        if ended != 0:
            raise _failure(there, f"rsync ended with {ended}", said)
        quoted = {name: shlex.quote(value) for name, value in (("p", part), ("f", final), ("d", folder))}
        _remote(
            there,
            f"sync -- {quoted['p']} && ln -- {quoted['p']} {quoted['f']} && sync -- {quoted['d']} && rm -- {quoted['p']}",
        )

    def received(self, key: str, destination: Place) -> int | None:
        path = shlex.quote(_path(_disk(destination), key))
        answer = _remote(_disk(destination), f"if [ -f {path} ]; then stat -c %s -- {path}; fi")
        return int(answer) if answer.strip() else None

    def discard_attempt(self, key: str, attempt: str, destination: Place) -> None:
        """One name, the attempt's own."""
        there = _disk(destination)
        _remote(there, f"rm -f -- {shlex.quote(_part(there, key, attempt))}")

    @staticmethod
    def _send(here: Path, there: DiskDataLocation, part: str, lease: LeaseHandle, *, resumes: bool) -> tuple[int, str]:
        """How rsync ended, and what it said."""
        command = [
            # The kernel kills it when this worker is killed: an orphan would write beside its successor.
            *("setpriv", "--pdeathsig", "KILL", "--"),
            "rsync",
            # What is there is the beginning of the same bytes; else there is nothing to compare with on the other side.
            "--append" if resumes else "--whole-file",
            "--no-compress",  # detector data do not compress; the processor is needed elsewhere
            "--inplace",  # the name is temporary already
            "--protect-args",
            f"--timeout={SILENCE_SECONDS}",
            "--rsh",
            shlex.join(_ssh()),
            "--",
            str(here),
            f"{_login(there)}:{part}",
        ]
        # A file, since a pipe that nobody reads meanwhile would stop rsync when it is full.
        with tempfile.TemporaryFile("w+", errors="replace") as errors:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
            try:
                while process.poll() is None:
                    lease.check(_bytes_read(process.pid))
                    time.sleep(0.2)
            finally:
                process.kill()
                process.wait()
            errors.seek(0)
            return process.returncode, errors.read()


def _disk(place: Place) -> DiskDataLocation:
    assert isinstance(place.location, DiskDataLocation)  # noqa: S101  can_move() said so
    return place.location


def _require_there(cargo: Cargo, origin: Place) -> Path:
    """The file to send, with the size that was recorded: rsync would tell neither from a bad link."""
    what = f"{cargo.origin_key} at {origin}"
    with origin_errors(origin.storage, what):
        found = origin.storage.stat(cargo.origin_key)
    if found.size != cargo.size:
        raise damaged(what, f"{found.size} bytes", f"{cargo.size} bytes")
    path = origin.storage.local_path(cargo.origin_key)
    if path is None:
        raise TransportError(f"{what} is no local file.")
    return path


def _require_readable(cargo: Cargo, origin: Place, lease: LeaseHandle) -> None:
    """:class:`OriginError` when it was the disk here that failed: one more read tells."""
    buffer = memoryview(bytearray(BUFFER_BYTES))
    done = 0
    with open_at(origin.storage, cargo.origin_key, f"{cargo.origin_key} at {origin}") as stream:
        while count := stream.readinto(buffer):  # type: ignore[attr-defined]
            done += count
            lease.check(done)


def _bytes_read(pid: int) -> int | None:
    """What a process has read so far, as the kernel counts; None when it is gone."""
    try:
        counters = Path(f"/proc/{pid}/io").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    (line,) = (line for line in counters.splitlines() if line.startswith("rchar:"))
    return int(line.split()[1])


def _login(there: DiskDataLocation) -> str:
    return f"{there.user}@{there.host}" if there.user else there.host


def _ssh() -> list[str]:
    command = environ.Env().str("CCATDC_SSH_COMMAND", default="ssh")
    return [*shlex.split(command), "-o", "BatchMode=yes", "-o", "ConnectTimeout=30"]


def _path(there: DiskDataLocation, key: str) -> str:
    return f"{there.path.rstrip('/')}/{key}"


def _part(there: DiskDataLocation, key: str, attempt: str) -> str:
    name = hashlib.blake2s(key.encode(), digest_size=8).hexdigest()
    return _path(there, f"{RESERVED}/parts/rsync-{attempt}-{name}")


def _take_over(there: DiskDataLocation, earlier: list[str], part: str, size: int) -> bool:
    """Give the longest part of earlier attempts the name of this one's, and remove their others; whether there was one.

    Stage 40 reads what arrives: a beginning that is not good is found there.
    """
    if not earlier:
        return False
    names = " ".join(map(shlex.quote, earlier))
    answer = _remote(
        there,
        f'best=; most=0; for f in {names}; do [ -f "$f" ] || continue; n=$(stat -c %s -- "$f"); '
        f'if [ "$n" -gt "$most" ] && [ "$n" -le {size} ]; then rm -f -- "$best"; best=$f; most=$n; '
        f'else rm -f -- "$f"; fi; done; if [ -n "$best" ]; then mv -- "$best" {shlex.quote(part)} && echo "$most"; fi',
    )
    return bool(answer.strip())


def _remote(there: DiskDataLocation, command: str) -> str:
    """Run a shell command on the other host; its output."""
    try:
        done = subprocess.run(
            [*_ssh(), "--", _login(there), command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TransportError(
            f"{there.host} did not answer within {COMMAND_SECONDS} s.", code="transport.timeout"
        ) from error
    if done.returncode != 0:
        raise _failure(there, f"a command ended with {done.returncode}", done.stderr)
    return done.stdout


def _failure(there: DiskDataLocation, what: str, errors: str) -> TransportError | NoSpaceError:
    last = errors.strip().splitlines()[-1] if errors.strip() else "nothing more was said"
    if NO_SPACE in errors:
        return NoSpaceError(f"{there.full_name} is full: {last}")
    return TransportError(
        f"{there.full_name} on {there.host}: {what}: {last}",
        code="transport.rsync",
        remedy="It is tried again; if it repeats, log in there as the worker does and look.",
    )


def _check_identity(there: DiskDataLocation) -> None:
    """The marker on the other host, read over ssh: an unmounted disk there must not be filled."""
    path = shlex.quote(_path(there, MARKER_KEY))
    found = _remote(there, f"if [ -f {path} ]; then cat -- {path}; fi")
    marker = Marker(there.uuid, there.full_name)
    marker.require(found.encode() if found.strip() else None, f"{there.path} on {there.host}")
