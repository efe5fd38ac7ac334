"""What work needs of the lease under which it runs: to say how far it is, and to be told to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Held(Protocol):
    """The holder's side of a lease (transfer/lease.py)."""

    def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
        """Report progress; raises when the work has to stop. Cheap: called between chunks and files."""


@dataclass(frozen=True, slots=True)
class Part:
    """The lease as one part of the work sees it: what the part has done is added to what was done
    ``before`` (bytes). Work that reports no bytes for long looks stalled.
    """

    lease: Held
    before: int

    def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
        """As the lease's own, which is told of the whole."""
        done = self.before if done_bytes is None else self.before + done_bytes
        self.lease.check(done, total_bytes)
