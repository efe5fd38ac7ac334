"""docs/operations/errors.md explains every code that the source can say, and none that it cannot."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from ccatdc.management.commands.describe_errors import page
from transfer.models.transport_parameters import METHODS

ROOT: Path = settings.BASE_DIR
FOLDERS = ("accounts", "ccatdc", "datamgmt", "gateway", "notifications", "observatory", "planning", "transfer")
CODE = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")
PAGE = ROOT / "docs" / "operations" / "errors.md"


def explained() -> list[str]:
    """The codes of the page: the first cell of each row of its tables."""
    return re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)


def said() -> dict[str, str]:
    """Every code in the source, with the first file that says it."""
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for code in codes_in(ast.parse(path.read_text())):
                found.setdefault(code, str(path.relative_to(ROOT)))
    # Each program that moves bytes has a code of its own (transfer/transports/other_host.py).
    return found | {f"transport.{name}": "transfer/transports" for name in METHODS if name != "cp"}


def codes_in(tree: ast.Module) -> Iterator[str]:
    """``code="…"``, ``default_code = "…"``, ``{"code": "…"}``, ``Reason("…", …)``, and constants of
    an area that has codes, such as ``CANCELLED = "operation.cancelled"``.
    """
    for node in ast.walk(tree):
        values: list[ast.expr | None] = []
        if isinstance(node, ast.Call):
            values += [word.value for word in node.keywords if word.arg in ("code", "error_code")]
            if isinstance(node.func, ast.Name) and node.func.id in ("Reason", "_to_read", "problem_page"):
                values += node.args[:2]
            if isinstance(node.func, ast.Name) and node.func.id == "_Answer":
                values += node.args[2:]
        elif isinstance(node, ast.Dict):
            keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
            values += [v for k, v in zip(keys, node.values, strict=True) if k == "code"]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names = node.targets if isinstance(node, ast.Assign) else [node.target]
            constant = any(
                isinstance(name, ast.Name)
                and (name.id == "default_code" or name.id in ("CANCELLED", "CRASHED", "LOST", "NO_ORIGIN", "PAUSED"))
                for name in names
            )
            values += [node.value] if constant else []
        for value in values:
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and CODE.fullmatch(value.value):
                yield value.value


def test_every_code_is_explained() -> None:
    page = set(explained())

    missing = {code: path for code, path in said().items() if code not in page}

    assert missing == {}, "add a line to docs/operations/errors.md"


def test_no_code_is_explained_that_nobody_says() -> None:
    in_source = said()

    stale = [code for code in explained() if code not in in_source]

    assert stale == []


def test_the_page_is_made_of_the_table() -> None:
    assert PAGE.read_text() == page(), "manage.py describe_errors docs"


def test_no_code_is_explained_twice() -> None:
    codes = explained()

    assert sorted(codes) == sorted(set(codes))


def test_every_line_says_what_to_do_and_who_tries_again() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]

    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert all(cells[:4]), row
        if len(cells) > 2:
            assert cells[3] in {"itself", "waits", "resent", "you", "no"}, row
