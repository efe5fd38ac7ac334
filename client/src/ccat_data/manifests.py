"""Manifests as ``b3sum`` reads and writes them: a BLAKE3 digest, two spaces and a path on each line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ccat_data.errors import UsageError

MANIFEST: Final = "MANIFEST.b3"
_LINE: Final = re.compile(r"(\\?)([0-9a-f]{64})  (.+)", re.DOTALL)
_ESCAPED: Final = {"\\\\": "\\", "\\n": "\n"}


def read_manifest(path: Path) -> dict[str, str]:
    """Digest by path; nothing where there is no manifest. UsageError for a line that is none."""
    if not path.exists():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = _LINE.fullmatch(line)
        if parts is None:
            raise UsageError(f"{path} is not a manifest: {line[:80]!r}")
        mark, digest, name = parts.groups()
        found[re.sub(r"\\[\\n]", lambda at: _ESCAPED[at[0]], name) if mark else name] = digest
    return found


def write_manifest(path: Path, digests: Mapping[str, str]) -> None:
    """Replace it, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text("".join(_line(name, digest) for name, digest in sorted(digests.items())), encoding="utf-8")
    part.replace(path)


def _line(name: str, digest: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
    return f"{chr(92) if escaped != name else ''}{digest}  {escaped}\n"
