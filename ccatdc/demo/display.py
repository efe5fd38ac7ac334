"""What a person sees: live tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ccatdc.demo.watching import PlaceCount, StageCount

_LINES = 8
Look = Callable[[], tuple[Sequence[StageCount], Sequence[PlaceCount]]]


def bytes_text(size: float) -> str:
    """A number of bytes for people, in powers of 1,000."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


class Display:
    """Says what happens. ``to_stderr`` leaves standard output to a machine."""

    def __init__(self, *, to_stderr: bool) -> None:
        self._console = Console(stderr=to_stderr, highlight=False, soft_wrap=True)
        self._lines: list[str] = []
        self._live: Live | None = None
        self._head: str = ""

    @property
    def is_live(self) -> bool:
        """Whether tables can be redrawn in place."""
        return self._console.is_terminal

    def say(self, text: str) -> None:
        """One line about what happened now."""
        if self._live is None:
            self._console.print(text, markup=False)
            return
        self._lines = [*self._lines, f"{datetime.now():%H:%M:%S} {text}"][-_LINES:]

    def tables(self, head: str) -> AbstractContextManager[Any]:
        """Show tables under ``head`` while the block runs; on no terminal only ``head``, once."""
        if not self.is_live:
            self._console.print(head, markup=False)
            return nullcontext()
        self._head = head
        self._live = Live(console=self._console, auto_refresh=False, screen=False, transient=True)
        return self._live

    def end_tables(self) -> None:
        """Back to plain lines."""
        self._live = None

    def show(self, look: Look) -> None:
        """Redraw the tables with what ``look`` sees now; nothing where there are none."""
        if self._live is None:
            return
        stages, places = look()
        self._live.update(
            Group(
                Text(self._head),
                _stage_table(stages),
                _place_table(places),
                Text("\n".join(self._lines)),
            ),
            refresh=True,
        )


def _stage_table(stages: Sequence[StageCount]) -> Table:
    table = Table(title="Stages", title_justify="left", expand=False)
    table.add_column("stage")
    for name in ("waiting", "running", "done", "failed", "bytes"):
        table.add_column(name, justify="right")
    for stage in stages:
        failed = Text(str(stage.failed), style="bold red" if stage.failed else "dim")
        running = Text(str(stage.running), style="bold cyan" if stage.running else "dim")
        moved = bytes_text(stage.moved)
        table.add_row(stage.name, str(stage.waiting), running, str(stage.done), failed, moved)
    return table


def _place_table(places: Sequence[PlaceCount]) -> Table:
    table = Table(title="Locations", title_justify="left", expand=False)
    table.add_column("location")
    table.add_column("type")
    for name in ("copies", "bytes", "disk used"):
        table.add_column(name, justify="right")
    for place in places:
        used = "" if place.used_pct is None else f"{place.used_pct:.0f} %"
        table.add_row(
            place.name, place.location_type, str(place.copies), bytes_text(place.size), used
        )
    return table
