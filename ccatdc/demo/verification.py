"""Is it true? What the demo checks for itself at the end, on the disks, without trusting a row.

The digests were taken when the files were written. Compared with them: every staged file, every
member of every archived tar as Python's ``tarfile`` reads it, and the sidecars. And looked for:
anything that should be gone from SOURCE and BUFFER.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from datamgmt.checksums import digest_stream
from datamgmt.storage.keys import RESERVED
from datamgmt.storage.paths import open_regular, opened_folder, opened_root


@dataclass(frozen=True, slots=True)
class Expected:
    """A file as it was written."""

    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class ArchivedPackage:
    """Where a package's object should be: a plain file below the S3 server's folder."""

    name: str
    bucket: Path
    key: str
    sidecar_key: str
    files: frozenset[str]


class Findings:
    """What was looked at, and everything that is wrong."""

    def __init__(self) -> None:
        self.checked: Counter[str] = Counter()
        self.wrong: list[str] = []

    def require(self, kind: str, what: str, fault: str) -> None:
        """Count one check of a kind; ``fault`` is empty when all is well."""
        self.checked[kind] += 1
        if fault:
            self.wrong.append(f"{what}: {fault}")


def check_staged(
    folder: Path, expected: Mapping[str, Expected], findings: Findings, package: str
) -> None:
    """The staged tree of one package holds exactly its files, byte for byte."""
    with opened_root(str(folder)) as root:
        found = set(_files_below(root))
        for path in sorted(expected):
            *folders, name = path.split("/")
            fault = "it is not there"
            if path in found:
                with (
                    opened_folder(root, folders) as at,
                    os.fdopen(open_regular(at, name), "rb", 0) as stream,
                ):
                    fault = _fault(stream, expected[path])
            findings.require("staged files", f"staged {path}", fault)
        for path in sorted(found - expected.keys()):
            findings.require("staged files", f"staged {path}", f"is no file of {package}")


def check_archived(
    package: ArchivedPackage, expected: Mapping[str, Expected], findings: Findings
) -> None:
    """The object is a tar that holds exactly the package's files, and its sidecar names them."""
    what = f"{package.bucket.name}/{package.key}"
    try:
        with tarfile.open(package.bucket / package.key, "r:") as tar:
            members: set[str] = set()
            for member in tar:
                if member.isdir():
                    continue
                members.add(member.name)
                stream = tar.extractfile(member) if member.isreg() else None
                if member.name not in package.files or stream is None:
                    fault = "is no file of this package"
                else:
                    fault = _fault(cast(BinaryIO, stream), expected[member.name])
                findings.require("archived files", f"{what}, {member.name}", fault)
        for path in sorted(package.files - members):
            findings.require("archived files", f"{what}, {path}", "it is not in the tar")
    except (OSError, tarfile.TarError) as error:
        findings.require("archived files", what, f"cannot be read: {error}")
    findings.require("sidecars", f"{package.bucket.name}/{package.sidecar_key}", _sidecar(package))


def check_gone(root: Path, prefix: str, findings: Findings) -> None:
    """Nothing of the run is left at a SOURCE, neither in its folder nor on its way out."""
    left: list[str] = []
    folder = root / prefix
    if folder.is_dir():
        with opened_root(str(folder)) as opened:
            left = sorted(_files_below(opened))
    fault = f"{len(left)} files are left, such as {left[0]!r}" if left else ""
    findings.require("cleaned places", str(folder), fault)


def check_nothing_named(root: Path, names: Iterable[str], findings: Findings) -> None:
    """No file in a BUFFER belongs to one of these packages or bundles."""
    wanted = tuple(names)
    with opened_root(str(root)) as opened:
        left = [path for path in _files_below(opened) if path.rpartition("/")[2].startswith(wanted)]
    fault = f"{len(left)} files are left, such as {left[0]!r}" if left else ""
    findings.require("cleaned places", str(root), fault)


def _fault(stream: BinaryIO, expected: Expected) -> str:
    size, digest = digest_stream(stream)
    if size != expected.size:
        return f"has {size} bytes, {expected.size} were written"
    return "" if digest == expected.digest else "its bytes differ from those written"


def _sidecar(package: ArchivedPackage) -> str:
    try:
        document = json.loads((package.bucket / package.sidecar_key).read_bytes())
        names = {file["relative_path"] for file in document["files"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"cannot be read: {error!r}"
    return "" if names == package.files else "does not name the files of its package"


def _files_below(root: int) -> Iterable[str]:
    """Paths of everything below an open folder that is no folder; not the house's own."""
    pending: list[str] = [""]
    while pending:
        folder = pending.pop()
        with (
            opened_folder(root, folder.split("/") if folder else []) as at,
            os.scandir(at) as entries,
        ):
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if path != RESERVED:
                        pending.append(path)
                else:
                    yield path
