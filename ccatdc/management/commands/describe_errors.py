"""``manage.py describe_errors docs``: the table of error codes as a page, docs/operations/errors.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ccatdc.common.error_table import Section, sections

# ruff: noqa: E501 - the lines of the page
HEAD = """# Error codes

Made by `manage.py describe_errors docs` from `ccatdc/common/error_codes.yaml`, which also decides what happens after an error.

Every error carries a stable code, `area.what`. It stands on the operation, on the copy, in the log, in the metrics and in the API's problem documents.
The message beside it says what happened to what; this page says what to do.

**Again** says who tries again: *itself* (with growing waits, until the attempts are used up), *waits* (goes on by itself and uses no attempts up), *resent* (the work ends as failed, and its packages are resent from the best copy there is, without a person), *you* (a button or a new call, after the cause is gone), *no* (the same again fails again).

**Breaker** says which place is at fault: a *location*, all that *writes* there, or the *link* between two. After so many failures in a row the circuit breaker holds such work back, tries with one operation after 15 s and then at growing
waits of at most two minutes, and lets everything go on when that succeeds. *Check now* on a location, *Reset* on the breaker, or a location check that succeeds brings the next trial forward.
"""


def page() -> str:
    return "\n".join([HEAD, *(line for section in sections() for line in _section(section))])


def _section(section: Section) -> Iterator[str]:
    is_plain = not any(kind.again for kind in section.kinds)
    yield f"## {section.title}\n"
    for line in section.intro:
        yield f"{line}\n"
    if is_plain:
        yield "| code | meaning |\n|---|---|"
        yield from (f"| `{kind.code}` | {kind.meaning} |" for kind in section.kinds)
    else:
        yield "| code | meaning | what to do | again | breaker |\n|---|---|---|---|---|"
        for kind in section.kinds:
            breaker = f"{kind.breaker}, after {kind.opens_after}" if kind.breaker else ""
            yield f"| `{kind.code}` | {kind.meaning} | {kind.remedy} | {kind.again} | {breaker} |"
    yield ""


class Command(BaseCommand):
    help = "Write docs/operations/errors.md from the table of error codes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="The folder docs.")

    def handle(self, *_args: Any, folder: Path, **_options: Any) -> None:
        (folder / "operations" / "errors.md").write_text(page(), encoding="utf-8")
