"""The fenced examples of the documents, and what the comment above each says of it.

``<!-- body of METHOD ADDRESS: STATUS -->`` is sent there. ``<!-- answer of METHOD ADDRESS -->`` has the form of the
answer. ``<!-- a layout -->`` is a file for ``ccat-file follow``. ``<!-- not run: REASON -->``. Shell and Python need
none. Comments do not show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENTS: Final = sorted(
    [
        *(ROOT / name for name in ("README.md", "client/README.md")),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs/operations").glob("*.md"),
    ]
)
#: Drawings that are made from the models.
DRAWN: Final = "mermaid"
PROGRAMS: Final = ("sh", "python")

_FENCE: Final = re.compile(
    r"(?:^<!-- (?P<comment>.*?) -->\n)?^ *```(?P<language>[a-z]*)\n(?P<text>.*?)^ *```$", re.DOTALL | re.MULTILINE
)
#: A row of a table: a call, and its body.
_ROW: Final = re.compile(r"^\| `(?P<call>(?:PUT|POST|PATCH) /api/[^`]+)` \| `(?P<text>\{[^`]*\})`", re.MULTILINE)
_CALL: Final = re.compile(r"(?P<kind>body|answer) of (?P<method>[A-Z]+) (?P<address>[^ :]+)(?:: (?P<says>.+))?")


@dataclass(frozen=True, slots=True)
class Example:
    """One example. ``kind``: program, body, answer, layout, not run, drawing; empty when nothing says what it is."""

    document: Path
    line: int
    language: str
    text: str
    kind: str
    method: str = ""
    address: str = ""
    #: The status of the answer to a body; what a call was that is answered; why it is not run.
    says: str = ""

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def examples(document: Path) -> list[Example]:
    """All of a document, in its order."""
    return sorted(_found(document, document.read_text()), key=lambda example: example.line)


def _found(document: Path, text: str) -> Iterator[Example]:
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("text"))
        yield Example(document, line, match["language"], match["text"], *_meaning(match["comment"], match["language"]))
    for match in _ROW.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        method, address = match["call"].split()
        yield Example(document, line, "json", match["text"], "body", method, address, "200")


def _meaning(comment: str | None, language: str) -> tuple[str, ...]:
    if comment and (call := _CALL.fullmatch(comment)):
        return call["kind"], call["method"], call["address"], call["says"] or ""
    if comment and comment.startswith("not run: "):
        return "not run", "", "", comment.removeprefix("not run: ")
    if comment == "a layout":
        return ("layout",)
    if language == DRAWN:
        return ("drawing",)
    return ("program",) if language in PROGRAMS else ("",)
