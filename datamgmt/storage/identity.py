"""The marker object that proves which location a root folder or a bucket is (decision 9).

Written when a location is registered, checked before every write and delete.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from ccatdc.common.errors import LocationIdentityError


class ForeignMarkerError(LocationIdentityError):
    """The place says that it is another location's; ``marker`` is what it says."""

    default_code = "location.marker_foreign"

    def __init__(self, message: str, marker: Marker) -> None:
        super().__init__(message, remedy="Correct the path or bucket of the location, or the mount.")
        self.marker = marker


@dataclass(frozen=True, slots=True)
class Marker:
    """What one location's marker says. The UUID is the identity; the name is for people."""

    uuid: UUID
    full_name: str

    def to_bytes(self) -> bytes:
        """The content of the marker object."""
        content = {"format": 1, "uuid": str(self.uuid), "full_name": self.full_name}
        return json.dumps(content, indent=2, sort_keys=True).encode() + b"\n"

    def require(self, found: bytes | None, where: str) -> None:
        """Judge the marker that was found at ``where`` (None: there is none).

        :class:`LocationIdentityError` with the code ``location.marker_missing``,
        ``location.marker_unreadable`` or ``location.marker_foreign``.
        """
        if found is None:
            raise LocationIdentityError(
                f"{where} has no marker of {self.full_name}: "
                "a disk that is not mounted, or a location that was not registered.",
                code="location.marker_missing",
                remedy="Mount it, or register the location; the work waits until then.",
            )
        try:
            content = json.loads(found)
            owner, owner_name = UUID(content["uuid"]), str(content["full_name"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LocationIdentityError(
                f"The marker at {where} cannot be read ({type(error).__name__}).",
                code="location.marker_unreadable",
                remedy=f"Find out who changed it; {self.full_name} takes no writes until then.",
            ) from error
        if owner != self.uuid:
            raise ForeignMarkerError(
                f"{where} belongs to another location, {owner_name} ({owner}), not to {self.full_name} ({self.uuid}).",
                Marker(owner, owner_name),
            )
