"""Folders of reference files to entries: which file is read by which reader.

Directly in a folder: ``*.yaml`` (.yaml_files), ``<section>.csv`` (.csv_files), ``*.cat``, a
catalogue of sources; in its folders ``tiling`` and ``inpar`` what CHAI's software reads
(.kosma_files). All are UTF-8. Other files are not looked at.
"""

from __future__ import annotations

from pathlib import Path

from ccatdc.reference import csv_files, kosma_files, yaml_files
from ccatdc.reference.entries import Entry
from ccatdc.reference.problems import Place, Problem, ReferenceDataError

_READERS = dict.fromkeys(yaml_files.SUFFIXES, yaml_files.read_yaml) | {
    csv_files.SUFFIX: csv_files.read_csv,
    kosma_files.CATALOGUE_SUFFIX: kosma_files.read_catalogue,
}
_IN_FOLDERS = {"tiling": kosma_files.read_tiling, "inpar": kosma_files.read_inpar}


def read_folders(folders: list[Path], problems: list[Problem]) -> list[Entry]:
    """All entries of the files in these folders, files in the order of their names.

    What is wrong with a file is added to ``problems``. Raises :class:`ReferenceDataError` when a
    folder is missing or holds no file to read.
    """
    entries: list[Entry] = []
    for number, folder in enumerate(folders):
        for file in _files_of(folder):
            reader = _IN_FOLDERS.get(file.parent.name) if file.parent != folder else None
            text = _text(file, problems)
            if text is not None:
                read = reader or _READERS[file.suffix]
                entries.extend(read(file, text, number, problems))
    return entries


def _files_of(folder: Path) -> list[Path]:
    if not folder.is_dir():
        reason = "is not a folder" if folder.exists() else "does not exist"
        raise ReferenceDataError([Problem(Place(folder, 0), "", reason)])
    files = [path for path in folder.iterdir() if path.suffix in _READERS and path.is_file()]
    for name in _IN_FOLDERS:
        if (inner := folder / name).is_dir():
            files += [p for p in inner.iterdir() if p.is_file() and not p.name.startswith(".")]
    if not files:
        raise ReferenceDataError(
            [Problem(Place(folder, 0), "", f"holds no {', '.join(_READERS)} file")]
        )
    return sorted(files)


def _text(file: Path, problems: list[Problem]) -> str | None:
    try:
        return file.read_bytes().decode("utf-8-sig")  # spreadsheets write the mark
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problems.append(Problem(Place(file, line), "", "is not UTF-8"))
    except OSError as error:
        problems.append(Problem(Place(file, 1), "", f"cannot be read: {error.strerror}"))
    return None
