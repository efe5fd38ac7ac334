"""What a person sees: live tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # Django is not set up yet when the first line is said
    from collections.abc import Callable

    from ccatdc.demo.watching import PlaceCount, StageCount

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

    def show(self, look: Look) -> None:
        """Redraw the tables with what ``look`` sees now; nothing where there are none."""
        if self._live is not None:
            stages, places = look()
            self._live.update(Group(_stage_table(stages), _place_table(places)), refresh=True)


def _stage_table(stages: Sequence[StageCount]) -> Table:
    table = Table(box=SIMPLE_HEAD)
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
    table = Table(box=SIMPLE_HEAD)
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
