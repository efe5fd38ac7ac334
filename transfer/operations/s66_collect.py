"""Stage 66: take over what a run made.

In: the output folder of a job that ended well. Out: its files at the results' location, a SOURCE, each with its digest;
the manager makes products of them. Only regular files of the five folders are taken, links are never followed, and nothing outside of the
output folder is looked at. Safe to repeat because: a file appears whole under a name that the run alone has, and is never
replaced.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO, Final, cast

from ccatdc.common.errors import CcatError, DataIntegrityError, KeyEscapesError
from datamgmt.checksums import digest_stream
from datamgmt.models import DataLocation
from datamgmt.storage import storage_for
from datamgmt.storage.keys import checked_key
from transfer.backends import job as job_program
from transfer.backends.base import OUTPUT_FOLDERS
from transfer.models import ProcessingJob, RunCollection
from transfer.operations.base import StageOperation, Watched, require_in_use

#: Files of one output.
MAX_FILES: Final = 5000
#: Beside the folders: what the command says about its products, as in a folder that ``ccat-data`` files.
ABOUT: Final = "manifest.json"
_ABOUT_BYTES: Final = 4 * 1024 * 1024
#: What it may say about one, beside its ``files``.
_ABOUT_FIELDS: Final = ("name", "kind", "level", "release", "description", "quality_metrics")
_CHUNK: Final = 1 << 20


class CollectResults(StageOperation[RunCollection]):
    """Takes the output of one run over."""

    def prepare(self) -> None:
        self.job = ProcessingJob.objects.get(pk=self.operation.processing_job_id)
        self.cluster = storage_for(DataLocation.objects.get(pk=self.operation.location_id))
        place = DataLocation.objects.with_site().get(pk=self.operation.results_location_id)
        require_in_use(place)
        self.results = storage_for(place)
        self.results.check_identity()
        self.output = f"{self.job.folder_key}/{job_program.OUTPUT}"
        self.collected: list[dict[str, Any]] = []

    def work(self) -> None:
        paths = self._paths()
        described = self._described(set(paths))
        taken = {path for product in described for path in product["files"]}
        for product in [*described, *({"files": [path]} for path in paths if path not in taken)]:
            about = {name: product[name] for name in _ABOUT_FIELDS if name in product}
            self.collected.append({"about": about, "files": [self._take(path) for path in product["files"]]})

    def _paths(self) -> list[str]:
        """Regular files below the five folders, by name. The storage lists no links and enters none."""
        found = []
        for key, _ in self.cluster.walk(self.output):
            self.lease.check()
            path = key.removeprefix(f"{self.output}/")
            if path == ABOUT:
                continue
            try:
                checked_key(path)
            except KeyEscapesError as error:
                self.problem(error, ascii(path))
                continue
            if path.partition("/")[0] not in OUTPUT_FOLDERS or "/" not in path:
                outside = CcatError(f"It is in none of {', '.join(OUTPUT_FOLDERS)}.", code="run.outside_folders")
                self.problem(outside, path)
                continue
            found.append(path)
            if len(found) > MAX_FILES:
                raise DataIntegrityError(
                    f"The output has more than {MAX_FILES} files.",
                    code="run.too_many_files",
                    remedy="Let the command write fewer and larger files.",
                )
        return sorted(found)

    def _described(self, paths: set[str]) -> list[dict[str, Any]]:
        """The products that the command describes. DataIntegrityError when these are none, or are not what it wrote."""
        key = f"{self.output}/{ABOUT}"
        if not self.cluster.exists(key):
            return []
        with self.cluster.open(key) as file:
            text = file.read(_ABOUT_BYTES + 1)
        try:
            found = json.loads(text) if len(text) <= _ABOUT_BYTES else None
        except (ValueError, RecursionError):
            found = None
        products = found.get("products", []) if isinstance(found, dict) else None
        if not isinstance(products, list) or not all(isinstance(each, dict) for each in products):
            raise _wrong(f"it is no object with a list of products, of at most {_ABOUT_BYTES} bytes")
        left = set(paths)
        for product in products:
            files = product.get("files")
            if not isinstance(files, list) or not files or not all(isinstance(path, str) for path in files):
                raise _wrong("a product has no list of files")
            for path in files:
                if path not in left:
                    raise _wrong(f"{path[:200]!r} is not in the output, or of two products")
                left.discard(path)
        return products

    def _take(self, path: str) -> dict[str, Any]:
        """Copy one file, with its digest; what an earlier claim took is read again."""
        source, key = f"{self.output}/{path}", f"{self.job.results_key}/{path}"
        if not self.results.exists(key):
            size = self.cluster.stat(source).size
            with (
                Watched(self.cluster.open(source), self.lease) as stream,
                self.results.writer(key, self.attempt, size) as out,
            ):
                while chunk := stream.read(_CHUNK):
                    out.write(chunk)
        with Watched(self.results.open(key), self.lease) as stream:
            size, digest = digest_stream(cast("BinaryIO", stream))
        return {"path": path, "key": key, "size": size, "checksum": digest.partition(":")[2]}

    def record(self) -> None:
        super().record()
        RunCollection.objects.filter(pk=self.operation.pk).update(collected=self.collected)


def _wrong(why: str) -> DataIntegrityError:
    return DataIntegrityError(
        f"{ABOUT} of the output: {why}.", code="run.about", remedy="Correct the command, then try the run again."
    )
