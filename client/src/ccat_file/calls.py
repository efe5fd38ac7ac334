"""One call as it is spooled: what is sent to the server, and what a true answer to it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from ccat_file.errors import SpoolError, UsageError
from ccat_file.times import UTC


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the server. ``expect`` is what a true answer to it holds."""

    observation: UUID
    method: str
    path: str
    body: Any
    expect: Mapping[str, Any]

    def as_json(self) -> bytes:
        """As it is spooled. Raises UsageError when JSON cannot say it."""
        document = {
            "spooled_at": datetime.now(UTC).isoformat(),
            "observation": str(self.observation),
            "method": self.method,
            "path": self.path,
            "expect": dict(self.expect),
            "body": self.body,
        }
        try:
            return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise UsageError(f"This cannot be written as JSON: {error}") from error


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A spooled call by its name."""

    number: int
    observation: str
    path: Path

    def read(self) -> Call:
        """The call. Raises SpoolError when somebody spoiled it, FileNotFoundError when it is gone."""
        document = self.document()
        try:
            return Call(
                UUID(document["observation"]),
                document["method"],
                document["path"],
                document["body"],
                document["expect"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SpoolError(f"{self.path} is not a spooled call: {error!r}") from error

    def document(self) -> dict[str, Any]:
        """Everything that is stored; under "refused" the server's answer."""
        try:
            document = json.loads(self.path.read_bytes())
        except ValueError as error:
            raise SpoolError(f"{self.path} is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise SpoolError(f"{self.path} is not a JSON object.")
        return document


def corrected(body: Any, assignments: Sequence[tuple[tuple[str, ...], Any]], dropped: Sequence[int]) -> Any:
    """A copy of a body with other values, and without some rows. UsageError where there is no such place."""
    changed = json.loads(json.dumps(body))
    for path, value in assignments:
        place = changed
        for name in path[:-1]:
            place = place[_key(place, name)]
        place[_key(place, path[-1], new=True)] = value
    if dropped:
        if not isinstance(changed, list) or not all(0 <= row < len(changed) for row in dropped):
            raise UsageError(f"There is no row {max(dropped)} to leave out.")
        changed = [row for number, row in enumerate(changed) if number not in dropped]
        if not changed:
            raise UsageError("No row would be left: discard the call.")
    return changed


def _key(place: Any, name: str, *, new: bool = False) -> Any:
    if isinstance(place, list) and name.isdigit() and int(name) < len(place):
        return int(name)
    if isinstance(place, dict) and (new or name in place):
        return name
    raise UsageError(f"The call has no {name!r} there.")
