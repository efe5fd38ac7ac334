"""One log file for each claim of an operation: what the stages and storages said while it ran, and how it ended.

Around an operation in a worker (transfer/engine/worker/runner.py). Files are in Django's storage ``logs`` (settings:
STORAGES), so that the portal reads them wherever it runs: below ``LOG_DIR``, or in a bucket.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.core.files import File
from django.core.files.storage import Storage, storages

logger = logging.getLogger(__name__)

#: Loggers whose lines belong to the operation that runs.
CAPTURED: Final = ("transfer", "datamgmt")
_LINE: Final = logging.Formatter("{asctime} {levelname} {name} {message}", style="{")
#: Operations in one folder: a folder with millions of files is slow to list.
_PER_FOLDER: Final = 1000
#: Bytes that a page shows of a log: its end.
_SHOWN: Final = 200_000


def log_name_of(pk: int, claim: int) -> str:
    """The name of a claim's log: ``operations/<pk // 1000>/<pk>-<claim>.log``."""
    return f"operations/{pk // _PER_FOLDER}/{pk}-{claim}.log"


@contextmanager
def captured(name: str) -> Iterator[None]:
    """Write what our loggers say into the log of this name until the end of the block.

    A log that cannot be written is said so on standard error; it is no reason not to do the work.
    """
    with tempfile.TemporaryDirectory() as folder:
        storage = storages["logs"]
        path = _path_in(storage, name) or Path(folder) / "log"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handler = logging.FileHandler(path, encoding="utf-8")
        except OSError:
            logger.warning("%s cannot be written; the log goes to standard error only.", path, exc_info=True)
            yield
            return
        handler.setFormatter(_LINE)
        for captured_name in CAPTURED:
            logging.getLogger(captured_name).addHandler(handler)
        try:
            yield
        finally:
            for captured_name in CAPTURED:
                logging.getLogger(captured_name).removeHandler(handler)
            handler.close()
            if path.is_relative_to(folder):
                _keep(storage, name, path)


def end_of_log(name: str) -> str | None:
    """The last part of a log as text; None when there is none any more. OSError when its storage does not answer."""
    storage = storages["logs"]
    if not storage.exists(name):
        return None
    with storage.open(name) as file:
        file.seek(max(0, file.size - _SHOWN))
        return bytes(file.read()).decode(errors="replace")


def remove_logs(claims: Iterable[tuple[int, int]]) -> None:
    """Remove the logs of operations, given as (key, number of claims)."""
    storage = storages["logs"]
    for pk, number in claims:
        for claim in range(1, number + 1):
            storage.delete(log_name_of(pk, claim))


def _path_in(storage: Storage, name: str) -> Path | None:
    """Where a storage on disk has the file; None for others."""
    try:
        return Path(storage.path(name))
    except NotImplementedError:
        return None


def _keep(storage: Storage, name: str, path: Path) -> None:
    try:
        with path.open("rb") as written:
            storage.save(name, File(written))
    except Exception:  # its storage is another system, with errors of its own
        logger.exception("The log %s could not be kept.", name)
