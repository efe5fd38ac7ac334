"""The demo's command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccatdc.dev.demo.options import byte_count, parse


def test_the_defaults_are_a_session_in_the_repository() -> None:
    options = parse([])

    assert not options.once and not options.json
    assert options.root.parts[-2:] == ("var", "demo")
    assert (options.size, options.every, options.port) == (8_000_000, 60.0, None)


def test_folders_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    options = parse(["--once", "--root", "a b", "--input", "in"])

    assert (options.root, options.input) == (tmp_path / "a b", tmp_path / "in")


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("500KB", 500_000), ("20mb", 20_000_000), ("1.5 G", 1_500_000_000), ("7B", 7)]
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert byte_count(text) == size


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json"],
        ["--input", "x"],
        ["--size", "0"],
        ["--size", "many"],
        ["--size", "1TB"],
        ["--once", "--timeout", "0"],
        ["--every", "-1"],
        ["--every", "nan"],
        ["--port", "70000"],
    ],
)
def test_what_makes_no_sense_ends_with_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments)

    assert caught.value.code == 2
