"""One log file for each claim of an operation.

What the stages and storages said while it ran, and how it ended.

Around an operation in a worker (transfer/runner.py), on the worker's machine, below
``settings.LOG_DIR``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.conf import settings

logger = logging.getLogger(__name__)

#: Loggers whose lines belong to the operation that runs.
CAPTURED: Final = ("transfer", "datamgmt")
_LINE = logging.Formatter("{asctime} {levelname} {name} {message}", style="{")
#: Operations in one folder: a folder with millions of files is slow to list.
_PER_FOLDER: Final = 1000


def log_path_of(pk: int, claim: int) -> Path:
    """Where the claim's log is: ``operations/<pk // 1000>/<pk>-<claim>.log``."""
    folder: Path = settings.LOG_DIR / "operations" / str(pk // _PER_FOLDER)
    return folder / f"{pk}-{claim}.log"


@contextmanager
def captured(path: Path) -> Iterator[None]:
    """Write what our loggers say into ``path`` until the end of the block.

    A log that cannot be written is said so on standard error; it is no reason not to do the work.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError:
        logger.warning(
            "%s cannot be written; the log goes to standard error only.", path, exc_info=True
        )
        yield
        return
    handler.setFormatter(_LINE)
    for name in CAPTURED:
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        for name in CAPTURED:
            logging.getLogger(name).removeHandler(handler)
        handler.close()
