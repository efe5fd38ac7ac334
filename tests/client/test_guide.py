"""docs/instruments.md names every command and exit status; tests/docs/ runs its examples."""

from __future__ import annotations

import re
from pathlib import Path

from ccat_file.errors import Exit
from ccat_file.options import parser

GUIDE = Path(__file__).parents[2] / "docs" / "instruments.md"


def test_the_guide_and_the_help_name_every_command() -> None:
    listed = re.search(r"\{([a-z,]+)\}", parser().format_usage())
    assert listed is not None
    guide = GUIDE.read_text()
    assert [name for name in listed[1].split(",") if f"ccat-file {name}" not in guide] == []


def test_the_guide_and_the_help_name_every_exit_status() -> None:
    for text in (GUIDE.read_text(), parser().format_help()):
        for status in Exit:
            assert re.search(rf"^(\| | *){status.value} ", text, re.MULTILINE), status
