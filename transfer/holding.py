"""What work needs of the lease under which it runs: to say how far it is, and to be told to stop."""

from __future__ import annotations

from typing import Protocol


class Held(Protocol):
    """The holder's side of a lease (transfer/lease.py)."""

    def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
        """Report progress; raises when the work has to stop. Cheap: called between chunks and files."""
