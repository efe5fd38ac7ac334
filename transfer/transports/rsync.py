"""rsync over ssh: the destination is a disk of another host. Proves nothing about the digest, so stage 40 reads what
arrived. Both hosts need rsync (transfer/transports/other_host.py has the rest).
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import ClassVar, Final

from transfer.engine.worker.lease import LeaseHandle
from transfer.transports.base import Attempt, Cargo, Place
from transfer.transports.local_file import require_readable, require_there
from transfer.transports.other_host import OtherHost, ToOtherHost
from transfer.transports.program import SILENCE_SECONDS, Ended, require_program, run_program

#: How rsync ends when it could not do everything: here that it could not read, or there not write.
PARTLY: Final = 23
#: How it ends when the program broke down here or there: its protocol, its child, a signal, memory. Not the link.
_CRASHES: Final = (12, 13, 14, 20, 22)


class Rsync(ToOtherHost):
    """``rsync``: a stream over ssh for each file, whole files, under a temporary name."""

    name: ClassVar[str] = "rsync"
    usual_streams: ClassVar[int] = 4

    @property
    def files_at_once(self) -> int:
        """A file has one stream."""
        return self.streams

    def move(self, cargo: Cargo, origin: Place, destination: Place, attempt: Attempt, lease: LeaseHandle) -> None:
        """Send under a temporary name, fsync there, give it its name without replacing anything."""
        require_program(self.name)
        there = self.host_of(destination)
        part = there.part(cargo.destination_key, attempt.name)
        here = require_there(cargo, origin)
        there.prepare()
        resumes = _take_over(there, cargo, attempt)
        ended = self._send(here, there, part, lease, cargo.size, resumes=resumes)
        if ended.status == PARTLY:
            require_readable(cargo, origin, lease)
        if ended.status != 0:
            is_crash = ended.status < 0 or ended.status in _CRASHES
            raise there.failure(f"rsync ended with {ended.status}", ended.said, is_crash=is_crash)
        there.publish(part, cargo.destination_key, cargo.size)

    def discard_attempt(self, key: str, attempt: str, destination: Place) -> None:
        """One name, the attempt's own."""
        there = self.host_of(destination)
        there.run(f"rm -f -- {shlex.quote(there.part(key, attempt))}")

    def _send(self, here: Path, there: OtherHost, part: str, lease: LeaseHandle, size: int, *, resumes: bool) -> Ended:
        command = [
            "rsync",
            # What is there is the beginning of the same bytes; else there is nothing to compare with on the other side.
            "--append" if resumes else "--whole-file",
            "--no-compress",  # detector data do not compress; the processor is needed elsewhere
            "--inplace",  # the name is temporary already
            "--protect-args",
            f"--timeout={SILENCE_SECONDS:.0f}",
            *self._limit(),
            "--rsh",
            shlex.join(there.ssh),
            "--",
            str(here),
            f"{there.login}:{part}",
        ]
        return run_program(command, lease, size)

    def _limit(self) -> list[str]:
        """The share of one stream; rsync counts in KiB."""
        limit = self.parameters.limit_bytes_per_second
        return [f"--bwlimit={max(1, limit // 1024 // self.files_at_once)}"] if limit else []


def _take_over(there: OtherHost, cargo: Cargo, attempt: Attempt) -> bool:
    """Make the folders, give the longest part of earlier attempts the name of this one's, and remove their others; whether
    there was one.

    Stage 40 reads what arrives: a beginning that is not good is found there.
    """
    part = there.part_key(cargo.destination_key, attempt.name)
    names = " ".join(shlex.quote(there.part(*each)) for each in attempt.earlier) or "/dev/null"
    answer = there.run(
        f"{there.make_folders_of(part, cargo.destination_key)}; "
        f'best=; most=0; for f in {names}; do [ -f "$f" ] || continue; n=$(stat -c %s -- "$f"); '
        f'if [ "$n" -gt "$most" ] && [ "$n" -le {cargo.size} ]; then rm -f -- "$best"; best=$f; most=$n; '
        f'else rm -f -- "$f"; fi; done; '
        f'if [ -n "$best" ]; then mv -- "$best" {shlex.quote(there.path(part))} && echo "$most"; fi'
    )
    return bool(answer.strip())
