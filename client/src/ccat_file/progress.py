"""A progress bar on a terminal, and nothing where there is none."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, TextIO

_EVERY_SECONDS: Final = 0.1
_SUFFIXES: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def size_text(size: float) -> str:
    """Bytes for people: ``1.5 GB``."""
    step = 0
    while size >= 1000 and step < len(_SUFFIXES) - 1:
        size, step = size / 1000, step + 1
    return f"{size:.1f} {_SUFFIXES[step]}" if step else f"{size:.0f} B"


class Bar:
    """``checksums [#####-----]  50 % 1.0 GB of 2.0 GB``. A context manager; cleans its line up."""

    def __init__(
        self, label: str, total: int, stream: TextIO | None = None, text: Callable[[int], str] = size_text
    ) -> None:
        self._label = label
        self._total = total
        self._text = text
        self._stream = stream if stream is not None else sys.stderr
        self._shown = self._stream.isatty()
        self._last = 0.0
        self._done = 0

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def advance(self, amount: int) -> None:
        self._done += amount
        now = time.monotonic()
        if self._shown and (now - self._last >= _EVERY_SECONDS or self._done >= self._total):
            self._last = now
            self._stream.write("\r\x1b[K" + self.line(shutil.get_terminal_size().columns - 1))
            self._stream.flush()

    def left(self, amount: int) -> None:
        """So much is left; the most that ever was is the whole."""
        self._total = max(self._total, amount)
        self.advance(self._total - amount - self._done)

    def line(self, columns: int) -> str:
        """The line, at most so wide."""
        share = min(1.0, self._done / self._total) if self._total else 1.0
        figures = f" {share:4.0%} {self._text(self._done)} of {self._text(self._total)}"
        width = max(0, min(40, columns - len(self._label) - len(figures) - 3))
        full = round(width * share)
        return f"{self._label} [{'#' * full}{'-' * (width - full)}]{figures}"[:columns]
