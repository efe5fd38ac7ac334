"""Follows a tree of files as it grows, and files what is complete as data streams.

A file is complete when its layout has a later one in its lane, or when nobody has it open for writing and it has
rested for long enough. What was filed stands in a journal in the spool: killed at any moment, it goes on where it was;
a file that is filed twice is the same row.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from ccat_file.errors import CcatFileError, SpoolError, UsageError
from ccat_file.filing import Filing
from ccat_file.layouts import Layout, Place
from ccat_file.rows import FiledFile, relative_to_root
from ccat_file.times import UTC

#: Rows of one call: a row that is refused takes the others of its call with it.
ROWS: Final = 200
#: For how long files that are gone from the tree are remembered, before the newest one.
KEPT_NS: Final = 7 * 86_400 * 10**9
#: Lines of files that are gone which are no reason to write the journal anew.
SPARE_LINES: Final = 1000
#: Longer than any file is written.
LONGEST_SECONDS: Final = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Target:
    """What the files are filed as. ``modules`` gives the module of a read-out stream, else ``module`` is meant."""

    instrument: str
    stream: str
    location: str
    module: str = ""
    modules: Mapping[str, str] | None = None

    def module_of(self, readout: str) -> str:
        """The module that a file is of; empty when nobody says."""
        return (self.modules or {}).get(readout) or self.module


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it lies on disk."""

    path: Path
    place: Place
    size: int
    mtime_ns: int

    @property
    def state(self) -> tuple[int, int]:
        return self.size, self.mtime_ns


class Follower:
    """Follows one folder. ``root`` is the root of the SOURCE location. ``tell`` is told what happens, a line at a time."""

    def __init__(
        self, filing: Filing, folder: Path, *, root: Path, layout: Layout, target: Target, tell: Callable[[str], None]
    ) -> None:
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder.")
        relative_to_root(folder / "x", root)
        self._filing, self._folder, self._root = filing, folder, root
        self._layout, self._target, self._tell = layout, target, tell
        self._journal = _Journal(filing.spool.folder / "following", f"{folder.resolve()}\n{layout.pattern}")
        self._resting: dict[Path, tuple[tuple[int, int], float]] = {}
        self._told: set[str] = set()

    def look(self, *, all_complete: bool = False) -> int:
        """File what is complete now; how many files. ``all_complete``: nothing is being written any more.

        Raises SpoolError when the spool cannot be written: the next look tries again.
        """
        seen = list(self._files())
        self._journal.forget_others({file.path.relative_to(self._folder).as_posix() for file in seen})
        lanes: dict[tuple[str, ...], list[_Seen]] = defaultdict(list)
        for file in seen:
            lanes[file.place.lane].append(file)
        complete: dict[str, list[tuple[_Seen, FiledFile]]] = defaultdict(list)
        for lane in lanes.values():
            lane.sort(key=lambda file: (file.place.order, file.path))
            last = lane[-1].place.order
            for number, file in enumerate(lane):
                if self._is_filed(file):
                    continue
                if all_complete or file.place.order < last or self._rests(file):
                    module = self._module(file)
                    if module:
                        complete[module].append((file, self._filed(file, lane[:number])))
        return sum(self._file(module, files) for module, files in complete.items())

    def run(self, interval: float) -> None:
        """Look again and again, until the process is stopped."""
        while True:
            try:
                count = self.look()
                if count:
                    self._tell(f"{count} files spooled")
            except CcatFileError as error:
                self._tell(str(error))  # a full disk, a folder that is away: the next look tries again
            time.sleep(interval)

    def close(self) -> None:
        """Let another process follow this folder."""
        self._journal.close()

    def _files(self) -> Iterator[_Seen]:
        for path in _walk(self._folder):
            place = self._layout.match(path.relative_to(self._folder).as_posix())
            if place is None:
                self._tell_once(f"{path} is not of the layout: it is not filed")
                continue
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue  # it was deleted after it was archived
            if stat.S_ISREG(found.st_mode):
                yield _Seen(path, place, found.st_size, found.st_mtime_ns)

    def _is_filed(self, file: _Seen) -> bool:
        name = file.path.relative_to(self._folder).as_posix()
        filed = self._journal.entries.get(name)
        if filed is not None and filed[0] != file.size:
            self._tell_once(
                f"{file.path} has {file.size} bytes; {filed[0]} were filed: correct it, or restore the file"
            )
        return filed is not None

    def _rests(self, file: _Seen) -> bool:
        """Closed, and unchanged for long enough by a clock that nobody sets."""
        now = time.monotonic()
        state, since = self._resting.get(file.path, (None, now))
        if state != file.state:
            self._resting[file.path] = (file.state, now)
            return False
        return now - since >= self._layout.quiet and not _is_open(file.path)

    def _module(self, file: _Seen) -> str:
        module = self._target.module_of(file.place.readout)
        if not module:
            self._tell_once(f"No module has the read-out stream {file.place.readout!r}: its files are not filed")
        return module

    def _filed(self, file: _Seen, before: list[_Seen]) -> FiledFile:
        end = file.mtime_ns / 1e9
        start = file.place.start
        if self._layout.continues:
            start = self._end_before(file, before) or start
        if start is None or abs(end - start) > LONGEST_SECONDS:
            # A time of the last change that cannot be right does not say when the data end.
            end = start = end if start is None else start
        first, last = min(start, end), max(start, end)
        return FiledFile(
            relative_path=relative_to_root(file.path, self._root),
            size=file.size,
            created_at=datetime.fromtimestamp(last, UTC),
            start_time=datetime.fromtimestamp(first, UTC),
            end_time=datetime.fromtimestamp(last, UTC),
            file_type=self._layout.file_type,
        )

    def _end_before(self, file: _Seen, before: list[_Seen]) -> float | None:
        """When the file before it in the same session ended; None for the first one."""
        same = [each.mtime_ns / 1e9 for each in before if each.place.start == file.place.start]
        return same[-1] if same else self._journal.last_end(file.place, self._layout)

    def _file(self, module: str, files: list[tuple[_Seen, FiledFile]]) -> int:
        stream = self._filing.stream(instrument=self._target.instrument, module=module, name=self._target.stream)
        for begin in range(0, len(files), ROWS):
            portion = files[begin : begin + ROWS]
            stream.add_files([filed for _, filed in portion], location=self._target.location)
            self._journal.add((f.path.relative_to(self._folder).as_posix(), f.size, f.mtime_ns) for f, _ in portion)
            for file, _ in portion:
                self._resting.pop(file.path, None)
        return len(files)

    def _tell_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._tell(line)


class _Journal:
    """What was filed, a line for each file: name, size, time of the last change. Added to, and written anew when most of
    its files are long gone from the tree.
    """

    def __init__(self, folder: Path, followed: str) -> None:
        name = hashlib.sha256(followed.encode(errors="surrogateescape")).hexdigest()[:16]
        self._path = folder / f"{name}.jsonl"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._locked(folder / f"{name}.lock", followed)
        except OSError as error:
            raise SpoolError(f"{folder} cannot be written: {error.strerror}. Make room or mend the folder.") from error
        self.entries: dict[str, tuple[int, int]] = {}
        #: Times of files that were deleted, for those that follow them.
        self._gone: dict[str, tuple[int, int]] = {}
        self._lines = 0
        self._is_cut = False
        self._read()

    @staticmethod
    def _locked(path: Path, followed: str) -> IO[str]:
        lock = path.open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise UsageError(f"Another process follows {followed.splitlines()[0]} from this spool.") from error
        return lock

    def close(self) -> None:
        self._lock.close()

    def _read(self) -> None:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        lines = text.splitlines()
        self._lines, self._is_cut = len(lines), not text.endswith("\n")
        for line in lines:
            try:
                name, size, mtime_ns = json.loads(line)
            except (ValueError, TypeError):
                continue  # cut by a kill or a full disk: the file is filed again, as the same row
            self.entries[name] = (size, mtime_ns)

    def add(self, entries: Iterable[tuple[str, int, int]]) -> None:
        """Remember what is spooled. A full disk loses lines, no file: it is filed again, as the same row."""
        new = list(entries)
        self.entries.update((name, (size, mtime_ns)) for name, size, mtime_ns in new)
        text = "".join(["\n" if self._is_cut else "", *(_line(*entry) for entry in new)])
        self._lines += len(new)
        self._is_cut = True
        try:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError:
            return
        self._is_cut = False

    def forget_others(self, names: set[str]) -> None:
        """What is gone from the tree is kept for some days: what follows it begins where it ended."""
        for name in [name for name in self.entries if name not in names]:
            self._gone[name] = self.entries.pop(name)
        newest = max((mtime_ns for _, mtime_ns in [*self.entries.values(), *self._gone.values()]), default=0)
        for name in [name for name, (_, mtime_ns) in self._gone.items() if mtime_ns < newest - KEPT_NS]:
            del self._gone[name]
        kept = {**self._gone, **self.entries}
        if self._lines > 2 * len(kept) + SPARE_LINES:
            self._write_anew(kept)

    def _write_anew(self, kept: Mapping[str, tuple[int, int]]) -> None:
        part = self._path.with_suffix(".part")
        try:
            with part.open("w", encoding="utf-8") as stream:
                stream.writelines(_line(name, *state) for name, state in kept.items())
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(self._path)
        except OSError:
            part.unlink(missing_ok=True)  # a full disk: the old one is as good
            return
        self._lines = len(kept)

    def last_end(self, of: Place, layout: Layout) -> float | None:
        """The end of the last file of the same session that was filed and is gone since."""
        best: tuple[tuple[tuple[int, str], ...], int] | None = None
        for name, (_, mtime_ns) in self._gone.items():
            place = layout.match(name)
            if place is None or place.lane != of.lane or place.start != of.start:
                continue
            if place.order < of.order and (best is None or place.order > best[0]):
                best = (place.order, mtime_ns)
        return None if best is None else best[1] / 1e9


def _line(name: str, size: int, mtime_ns: int) -> str:
    return json.dumps([name, size, mtime_ns]) + "\n"


def _walk(folder: Path) -> Iterator[Path]:
    """All that is no folder, below one; what vanishes meanwhile is passed over. Hidden names are nobody's data."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from _walk(Path(entry.path))
                else:
                    yield Path(entry.path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}.") from error


def _is_open(path: Path) -> bool:
    """Whether some process has it open for writing, as far as the system tells: it grants no read lease then."""
    try:
        opened = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False  # another's file, or a file system without leases: that it rests has to do
    finally:
        os.close(opened)
    return False
