"""The folder that a run wrote: ``science/ qa/ plots/ statistics/ logs/`` and ``manifest.json``, as calls of the API.

The first folder of a file says what kind of product it is. The manifest has the run, and what more is known of products;
a file that it does not name is a product of its own. UUIDs are made of the run's and of names, so that the same folder
again makes the same calls, and the server changes nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from ccat_file.digests import checksum_of
from ccat_file.errors import UsageError
from ccat_file.rows import FiledFile, files_below
from ccat_file.times import time_of

#: First folder of a file, and the kind of product that it is.
KINDS: Final = {"science": "science", "qa": "qa_metric", "plots": "plot", "statistics": "statistics", "logs": "log"}
MANIFEST: Final = "manifest.json"
MANIFEST_BYTES: Final = 4 * 1024 * 1024
#: What the server takes in one call.
MAX_PRODUCTS, MAX_FILES = 1000, 10_000
_OF_END: Final = ("status", "end_time", "exit_code", "message")
_OF_PRODUCT: Final = ("name", "kind", "level", "version", "release", "quality_metrics", "description", "files")


@dataclass(frozen=True)
class Filing:
    """All that one folder says: bodies of the calls, in their order."""

    run: dict[str, Any]
    products: list[dict[str, Any]]
    end: dict[str, Any] | None

    def portions(self) -> Iterator[list[dict[str, Any]]]:
        """Products in portions that the server takes."""
        portion: list[dict[str, Any]] = []
        files = 0
        for product in self.products:
            count = len(product["files"])
            if portion and (len(portion) == MAX_PRODUCTS or files + count > MAX_FILES):
                yield portion
                portion, files = [], 0
            portion.append(product)
            files += count
        if portion:
            yield portion


def read_folder(folder: Path, *, root: Path, location: str, checksum: str = "sha256") -> Filing:
    """Read the manifest and every file. UsageError for what cannot be filed; nothing was sent.

    A run without an id gets one, which is written into the manifest before anything is sent.
    """
    manifest = _manifest(folder)
    run, end = _run(folder, manifest)
    files = _files(folder, root, checksum)
    listed = _listed(manifest, files)
    named = {path for product in listed for path in product["files"]}
    listed += [{"files": [path]} for path in files if path not in named]
    products = [_product(product, run, files, location) for product in listed]
    if len({product["name"] for product in products}) < len(products):
        raise UsageError("Two products have the same name.")
    return Filing(run, products, end)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        if path.stat().st_size > MANIFEST_BYTES:
            raise UsageError(f"{path} has more than {MANIFEST_BYTES} bytes.")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("run"), dict):
        raise UsageError(f"{path} has no object named run.")
    if unknown := content.keys() - {"run", "products"}:
        raise UsageError(f"{path}: {min(unknown)!r} is none of run, products.")
    return content


def _run(folder: Path, manifest: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What begins the run, and what ends it; None while it has no status."""
    run = dict(manifest["run"])
    for name in ("name", "software", "version", "start_time"):
        if not isinstance(run.get(name), str) or not run[name]:
            raise UsageError(f"{MANIFEST}: run.{name} is missing.")
    for name in ("start_time", "end_time"):
        if name in run:
            _require_time(name, run[name])
    if "id" not in run:
        run["id"] = str(uuid4())
        _write(folder / MANIFEST, {**manifest, "run": run})
    try:
        UUID(run["id"])
    except (ValueError, AttributeError, TypeError) as error:
        raise UsageError(f"{MANIFEST}: run.id is no UUID.") from error
    end = {name: run.pop(name) for name in _OF_END if name in run}
    if end and not {"status", "end_time"} <= end.keys():
        raise UsageError(f"{MANIFEST}: a run that is over has both status and end_time.")
    return run, end or None


def _require_time(name: str, text: Any) -> None:
    try:
        moment = time_of(text)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{MANIFEST}: run.{name} is no time in ISO 8601.") from error
    if moment.tzinfo is None:
        raise UsageError(f"{MANIFEST}: run.{name} has no zone: add Z or an offset.")


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """In one step: a run must not lose the id that it was filed under."""
    new = path.with_name(f".{path.name}.new")
    try:
        with new.open("w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=1, ensure_ascii=False)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Give the run an id in it.") from error


def _files(folder: Path, root: Path, checksum: str) -> dict[str, FiledFile]:
    """By path below the folder. UsageError for a link, and for what lies in no folder of a kind."""
    found = {}
    for path in files_below([folder]):
        name = path.relative_to(folder).as_posix()
        if name in (MANIFEST, f".{MANIFEST}.new"):
            continue
        if name.partition("/")[0] not in KINDS or "/" not in name:
            raise UsageError(f"{path} is in none of the folders {', '.join(KINDS)}.")
        before = FiledFile.of(path, root)
        try:
            digits = checksum_of(path, checksum)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}.") from error
        after = FiledFile.of(path, root, checksum=digits, checksum_algorithm=checksum)
        if (after.size, after.created_at) != (before.size, before.created_at):
            raise UsageError(f"{path} is still being written. Nothing was filed.")
        found[name] = after
    return found


def _listed(manifest: Mapping[str, Any], files: Mapping[str, FiledFile]) -> list[dict[str, Any]]:
    """The products that the manifest describes, with files that are there."""
    listed = manifest.get("products", [])
    if not isinstance(listed, list) or not all(isinstance(product, dict) for product in listed):
        raise UsageError(f"{MANIFEST}: products is no list of objects.")
    seen: set[str] = set()
    for number, product in enumerate(listed):
        paths = product.get("files")
        if unknown := product.keys() - set(_OF_PRODUCT):
            raise UsageError(f"{MANIFEST}: products[{number}] has {min(unknown)!r}; known: {', '.join(_OF_PRODUCT)}.")
        if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
            raise UsageError(f"{MANIFEST}: products[{number}] has no files.")
        for path in paths:
            if path not in files:
                raise UsageError(f"{MANIFEST}: products[{number}] names {path!r}, which is not in the folder.")
            if path in seen:
                raise UsageError(f"{MANIFEST}: {path} is of two products.")
            seen.add(path)
    return [dict(product) for product in listed]


def _product(
    product: dict[str, Any], run: Mapping[str, Any], files: Mapping[str, FiledFile], location: str
) -> dict[str, Any]:
    paths: Sequence[str] = product["files"]
    belongs = UUID(run["id"])
    name = product.get("name") or f"{run['name']}/{paths[0]}"
    rows = []
    for path in paths:
        row = files[path].row(belongs, "", "", location)
        rows.append({key: row[key] for key in row if key not in ("executed_obs_unit", "instrument", "module")})
    return {
        "kind": KINDS[paths[0].partition("/")[0]],
        **product,
        "id": str(uuid5(belongs, name)),
        "processing_run": run["id"],
        "name": name,
        "files": rows,
    }
