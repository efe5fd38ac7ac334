"""Keys: how everything in a location is named. Used by filing (0) to judge paths, and by every storage.

A key is a relative POSIX path. The first component ``.ccatdc`` is reserved: the marker that proves
which location this is, files being written, files being deleted, probes.
"""

from __future__ import annotations

import re
from typing import Final

from blake3 import blake3

from ccatdc.common.errors import KeyEscapesError

RESERVED: Final = ".ccatdc"
MARKER_KEY: Final = f"{RESERVED}/location.json"
PROBE_FOLDER: Final = f"{RESERVED}/probe"

_WRITTEN: Final = re.compile(r"(?P<name>.+)\.(?P<attempt>[0-9]{1,19}-[0-9]{1,10})(\.tar|\.json)?", re.DOTALL)

#: What Linux file systems take for one component (NAME_MAX), in UTF-8.
COMPONENT_BYTES: Final = 255


def checked_key(key: str) -> str:
    """The key itself when it may be used.

    Spaces, Unicode, newlines, backslashes and leading dashes are fine. Refused with :class:`KeyEscapesError` are keys
    that would leave the root (``storage.path_escapes``), that no file system takes (``storage.key_malformed``,
    ``storage.component_too_long``) and those below the reserved folder (``storage.key_reserved``).
    """
    if not key:
        raise KeyEscapesError("An empty path names no file.", code="storage.key_malformed")
    if "\0" in key:
        raise KeyEscapesError(f"The path {key!r} has a NUL character.", code="storage.key_malformed")
    if key.startswith("/"):
        raise KeyEscapesError(
            f"The path {key!r} is absolute.", remedy="Name files relative to the root of their location."
        )
    components = key.split("/")
    for component in components:
        if component in {"", ".", ".."}:
            raise KeyEscapesError(
                f"The path {key!r} has a component {component!r}.",
                remedy="Name files by their plain path, without '.', '..' or empty components.",
            )
        if _bytes_in(component, key) > COMPONENT_BYTES:
            raise KeyEscapesError(
                f"The path {key!r} has a component of more than {COMPONENT_BYTES} bytes in UTF-8.",
                code="storage.component_too_long",
            )
    if components[0] == RESERVED:
        raise KeyEscapesError(
            f"The path {key!r} is below {RESERVED!r}, which the data center keeps for itself.",
            code="storage.key_reserved",
        )
    return key


def checked_folder(prefix: str) -> str:
    """A folder to list: empty for the root, else a key without a slash at its end."""
    return checked_key(prefix) if prefix else ""


def attempt_of(key: str) -> str:
    """The attempt in the name of what an operation wrote (``name.12-1.tar``); empty where there is none.

    ``<operation>-<claim>``: Operation.attempt_name.
    """
    found = _WRITTEN.fullmatch(key.rpartition("/")[2])
    return found["attempt"] if found else ""


def name_of(key: str) -> str:
    """The name of the package or bundle that an operation wrote under this key; empty where it wrote none."""
    found = _WRITTEN.fullmatch(key.rpartition("/")[2])
    return found["name"] if found else ""


def key_hash(key: str) -> str:
    """32 hex digits that stand for a key in names of the reserved folder, where a full key may not fit."""
    return blake3(key.encode()).hexdigest(length=16)


def _bytes_in(component: str, key: str) -> int:
    try:
        return len(component.encode())
    except UnicodeEncodeError as error:  # a lone surrogate: how Python shows a name that is not UTF-8
        raise KeyEscapesError(
            f"The path {key!r} is not valid UTF-8.", code="storage.key_malformed", remedy="Rename the file."
        ) from error
