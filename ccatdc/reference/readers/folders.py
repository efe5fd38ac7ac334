"""Folders of reference files to entries: which file is read by which reader.

Directly in a folder: ``*.yaml`` (.yaml), ``<section>.csv`` (.csv), ``*.cat``, a catalogue of sources; in
its folders ``tiling`` and ``inpar`` what CHAI's software reads (.kosma). All are UTF-8. Hidden files and files of
other kinds are not looked at; what has the name of a file to read and is none (a folder, a link that leads nowhere) is
a problem.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ccatdc.reference.entries import Entry, Place, Problem, ReferenceDataError
from ccatdc.reference.readers import csv, kosma, yaml

_READERS = dict.fromkeys(yaml.SUFFIXES, yaml.read_yaml) | {
    csv.SUFFIX: csv.read_csv,
    kosma.CATALOGUE_SUFFIX: kosma.read_catalogue,
}
#: Bytes. A file is read as a whole, and half a million sources are less.
_LARGEST = 100_000_000
_IN_FOLDERS = {"tiling": kosma.read_tiling, "inpar": kosma.read_inpar}


def read_folders(folders: list[Path], problems: list[Problem]) -> list[Entry]:
    """All entries of the files in these folders, files in the order of their names.

    What is wrong with a file is added to ``problems``. Raises :class:`ReferenceDataError` when a folder is missing or
    holds no file to read.
    """
    entries: list[Entry] = []
    for number, folder in enumerate(folders):
        for file in _files_of(folder):
            reader = _IN_FOLDERS.get(file.parent.name) if file.parent != folder else None
            text = _text(file, problems)
            if text is not None:
                read = reader or _READERS[file.suffix.lower()]
                entries.extend(read(file, text, number, problems))
    return entries


def _files_of(folder: Path) -> list[Path]:
    """Paths that are named like files to read, in order."""
    try:
        paths = [path for path in _shown(folder) if path.suffix.lower() in _READERS]
        for name in _IN_FOLDERS:
            if os.path.lexists(inner := folder / name):
                paths += _shown(inner)
    except OSError as error:
        place = Place(Path(error.filename), 0)
        reason = f"is no folder to read: {error.strerror}"
        raise ReferenceDataError([Problem(place, "", reason)]) from error
    if not paths:
        raise ReferenceDataError([Problem(Place(folder, 0), "", f"holds no {', '.join(_READERS)} file")])
    return sorted(paths)


def _shown(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _text(file: Path, problems: list[Problem]) -> str | None:
    """The text of a file, or None and a problem."""
    line = 1
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode):  # a pipe would be waited for
            reason = "is not a file"
        elif about.st_size > _LARGEST:
            reason = f"has {about.st_size:,} bytes, more than {_LARGEST:,}: split it"
        else:
            text = file.read_bytes().decode("utf-8-sig")  # spreadsheets write the mark
            if text.strip():
                return text
            reason = "is empty"
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        reason = "is not UTF-8"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    problems.append(Problem(Place(file, line), "", reason))
    return None
