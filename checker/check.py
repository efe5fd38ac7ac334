"""Compare every row that promises bytes with the bytes, and every stored byte with the rows.

Found are files that are *lost* (no copy of them is whole anywhere), copies that are *bad* (not what their row says),
*litter* (stored, and named by no row), what is *double*, and rows in a *wrong state* for a flow at rest.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast
from uuid import UUID

import psycopg
from blake3 import blake3
from psycopg.rows import dict_row

from checker.stores import Store, store_of

_CHUNK = 1024 * 1024
#: States in which a copy has its bytes where the row says.
_THERE = ("present", "staged", "deletion_possible", "deletion_pending", "deletion_scheduled")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. ``kind``: lost, bad, litter, double, state."""

    kind: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.what}"


@dataclass
class Report:
    """What was found, and how much was read."""

    findings: list[Finding] = field(default_factory=list)
    copies: int = 0
    bytes: int = 0

    def add(self, kind: str, where: str, what: str) -> None:
        self.findings.append(Finding(kind, where, what))


def check(database: psycopg.Connection[Any], *, only: list[str] | None = None) -> Report:
    """Read everything at the active locations, or at those named in ``only``."""
    return _Check(database, only).run()


class _Check:
    def __init__(self, database: psycopg.Connection[Any], only: list[str] | None) -> None:
        self._database = database
        self._report = Report()
        rows = self._rows(
            "SELECT l.*, s.short_name || '_' || l.name AS full_name, d.path, b.bucket_name, b.prefix, b.endpoint_url, b.region,"
            " b.credential_key FROM data_location l JOIN site s ON s.id = l.site_id"
            " LEFT JOIN disk_data_location d ON d.datalocation_ptr_id = l.id"
            " LEFT JOIN s3_data_location b ON b.datalocation_ptr_id = l.id"
            " WHERE l.active AND s.active AND l.registered_at IS NOT NULL ORDER BY l.id"
        )
        self._places = {row["id"]: row for row in rows if only is None or row["full_name"] in only}
        self._stores: dict[int, Store] = {key: store_of(row) for key, row in self._places.items()}
        #: Files of which a whole copy was read, and the packages.
        self._whole_files: set[UUID] = set()
        self._whole_packages: set[UUID] = set()

    def run(self) -> Report:
        """All of it."""
        for copy in self._rows("SELECT * FROM physical_copy WHERE status = ANY(%s) ORDER BY id", list(_THERE)):
            if copy["data_location_id"] in self._places:
                self._read(copy)
        self._lost()
        for key in self._places:
            self._litter(key)
        self._states()
        return self._report

    def _rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        with self._database.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, parameters).fetchall()

    def _files_of(self, package: UUID) -> dict[str, dict[str, Any]]:
        query = "SELECT relative_path, size, digest FROM raw_data_file WHERE raw_data_package_id = %s"
        return {row["relative_path"]: row for row in self._rows(query, package)}

    def _read(self, copy: dict[str, Any]) -> None:
        self._report.copies += 1
        if copy["raw_data_file_id"]:
            self._read_file(copy)
        elif copy["status"] == "staged":
            self._read_tree(copy)
        elif copy["raw_data_package_id"]:
            self._read_package(copy)
        else:
            self._require(copy, copy["key"], copy["size"], copy["digest"])

    def _read_file(self, copy: dict[str, Any]) -> None:
        (row,) = self._rows("SELECT * FROM raw_data_file WHERE id = %s", copy["raw_data_file_id"])
        if self._require(copy, row["relative_path"], row["size"], row["digest"]):
            self._whole_files.add(row["id"])

    def _read_package(self, copy: dict[str, Any]) -> None:
        package = copy["raw_data_package_id"]
        (row,) = self._rows("SELECT size, digest FROM raw_data_package WHERE id = %s", package)
        if not self._require(copy, copy["key"], row["size"], row["digest"]):
            return
        stream = self._stores[copy["data_location_id"]].open(copy["key"])
        assert stream is not None  # noqa: S101  it was just read
        members = {}
        with stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None:
                    members[member.name] = _digest(cast("BinaryIO", content))
        if self._same(copy, members, package):
            self._whole_packages.add(package)

    def _read_tree(self, copy: dict[str, Any]) -> None:
        store = self._stores[copy["data_location_id"]]
        members = {}
        for name in store.below(copy["key"]):
            stream = store.open(f"{copy['key']}/{name}")
            if stream is not None:
                with stream:
                    members[name] = _digest(stream)
                    self._report.bytes += members[name][0]
        self._same(copy, members, copy["raw_data_package_id"])

    def _same(self, copy: dict[str, Any], members: dict[str, tuple[int, str]], package: UUID) -> bool:
        wanted = {path: (file["size"], file["digest"]) for path, file in self._files_of(package).items()}
        if members != wanted:
            wrong = sorted(path for path in members.keys() | wanted.keys() if members.get(path) != wanted.get(path))
            self._bad(copy, f"{len(wrong)} members are missing, double or other than filed: {wrong[:3]}")
        return members == wanted

    def _require(self, copy: dict[str, Any], key: str, size: int, digest: str) -> bool:
        """Whether the bytes under the key are these. A copy about which the row says so itself is no finding."""
        stream = self._stores[copy["data_location_id"]].open(key)
        if stream is None:
            self._bad(copy, f"nothing is there under {key}")
            return False
        with stream:
            found = _digest(stream)
        self._report.bytes += found[0]
        is_right = found[0] == size and (not digest or found[1] == digest)
        if not is_right:
            self._bad(copy, f"{key} has {found[0]} bytes, {found[1]}; not {size} bytes, {digest}")
        return is_right

    def _bad(self, copy: dict[str, Any], what: str) -> None:
        if copy["integrity"] in ("ok", "unverified"):
            self._report.add("bad", self._places[copy["data_location_id"]]["full_name"], f"copy {copy['id']}: {what}")

    def _lost(self) -> None:
        # Of a whole package all files are.
        query = "SELECT id, relative_path FROM raw_data_file WHERE raw_data_package_id IS NULL OR raw_data_package_id <> ALL(%s)"
        for row in self._rows(query, list(self._whole_packages)):
            if row["id"] not in self._whole_files:
                self._report.add("lost", "everywhere", f"no whole copy of {row['relative_path']} ({row['id']})")

    def _litter(self, location: int) -> None:
        place, store = self._places[location], self._stores[location]
        for name in store.leftovers():
            self._report.add("litter", place["full_name"], name)
        rows = self._rows(
            "SELECT c.key, c.status, f.relative_path FROM physical_copy c LEFT JOIN raw_data_file f ON f.id = c.raw_data_file_id"
            " WHERE c.data_location_id = %s AND c.status <> 'deleted'",
            location,
        )
        named = {row["relative_path"] or row["key"] for row in rows}
        trees = tuple(
            f"{row['key']}/" for row in rows if row["status"] == "staged" or place["location_type"] == "processing"
        )
        for key in store.everything():
            is_sidecar = place["location_type"] == "long_term_archive" and f"{key.removesuffix('.json')}.tar" in named
            is_ours = place["location_type"] != "processing" or key.startswith("packages/")
            if is_ours and not (key in named or is_sidecar or key.startswith(trees)):
                self._report.add("litter", place["full_name"], key)

    def _states(self) -> None:
        for row in self._rows(
            "SELECT id, operation_type, status, error_code FROM operation"
            " WHERE status <> 'completed' AND error_code <> 'operation.cancelled'"
        ):
            self._report.add(
                "state", f"operation {row['id']}", f"{row['operation_type']} is {row['status']} {row['error_code']}"
            )
        for row in self._rows("SELECT id, name, state FROM raw_data_package"):
            if row["state"] != "archived":
                self._report.add("state", f"package {row['name']}", f"it is {row['state']}")
        for row in self._rows(
            "SELECT id, status FROM physical_copy WHERE status LIKE 'deletion_%%' AND status <> 'deletion_possible'"
        ):
            self._report.add("state", f"copy {row['id']}", f"it is {row['status']}")
        archived = set(self._archived_copies())
        for row in self._rows("SELECT id, name FROM raw_data_package WHERE state = 'archived'"):
            if row["id"] not in archived & self._whole_packages:
                self._report.add("state", f"package {row['name']}", "it is archived, and no archive copy is whole")
        twice = self._rows(
            "SELECT digest, count(*) AS n FROM raw_data_package WHERE digest <> '' GROUP BY digest HAVING count(*) > 1"
        )
        for row in twice:
            self._report.add("double", row["digest"], f"{row['n']} packages have these bytes")

    def _archived_copies(self) -> Iterator[UUID]:
        rows = self._rows(
            "SELECT c.raw_data_package_id FROM physical_copy c JOIN data_location l ON l.id = c.data_location_id"
            " WHERE l.location_type = 'long_term_archive' AND c.status = 'present' AND c.integrity = 'ok'"
        )
        yield from (row["raw_data_package_id"] for row in rows)


def _digest(stream: BinaryIO) -> tuple[int, str]:
    digest, size = blake3(), 0
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return size, f"blake3:{digest.hexdigest()}"
