"""Folders of reference files for the tests of the loader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

WriteFolder = Callable[..., Path]


@pytest.fixture
def write_folder(tmp_path: Path) -> WriteFolder:
    """Write ``{name: text}`` files into a folder; text stands without its common indentation."""

    def write(name: str = "reference", **files: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for stem, text in files.items():
            (folder / f"{stem}.yaml").write_text(text, encoding="utf-8")
        return folder

    return write
