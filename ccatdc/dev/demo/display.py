"""What a person sees: live tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

#: Heads and rows of a table.
Rows = tuple[Sequence[str], Sequence[Sequence[str]]]


class Display:
    """Says what happens. ``to_stderr`` leaves standard output to a machine."""

    def __init__(self, *, to_stderr: bool) -> None:
        self._console = Console(stderr=to_stderr, highlight=False, soft_wrap=True)
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """One line about what happened now; above the tables where there are some."""
        self._console.print(text, markup=False)

    @contextmanager
    def tables(self) -> Iterator[None]:
        """Tables below the lines while the block runs; nothing but the lines on no terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def show(self, look: Callable[[], Sequence[Rows]]) -> None:
        """Redraw the tables with what ``look`` sees now; nothing where there are none."""
        if self._live is not None:
            self._live.update(Group(*(_table(heads, rows) for heads, rows in look())), refresh=True)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    return table
