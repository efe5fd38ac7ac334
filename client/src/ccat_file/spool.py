"""The spool: calls on disk, in order, until the server has them.

    calls/<number>.<observation>.json    wait to be sent, by number
    dead/<number>.<observation>.json     refused by the server, with its answer under "refused"
    discarded/<number>.<observation>.json  refused, and given up by a person
    call.part.<n>                        being written; never read
    numbers, sending                     the last number, under the writers' lock; the sender's lock

A call is written to a part, fsynced, renamed, and its folder fsynced: it is there as a whole or not at all, whenever
the process or the machine stops. Locks are flock: they end with their process.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ccat_file.calls import Call, Entry, corrected
from ccat_file.errors import SpoolError, UsageError

_DIGITS: Final = 16
_LAST_BYTES: Final = 2000
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Spool:
    """One folder of spooled calls; any number of processes and threads may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._calls = folder / "calls"
        self._dead = folder / "dead"
        self._discarded = folder / "discarded"
        self.log = folder / "sender.log"
        try:
            for needed in (self._calls, self._dead):
                if not needed.is_dir():
                    needed.mkdir(mode=0o700, parents=True, exist_ok=True)
                    _sync_folder(needed.parent)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def bind(self, url: str) -> None:
        """A spool belongs to one server: calls of a rehearsal must not reach the real one."""
        stored = self.folder / "server"
        try:
            with self._writing():
                known = stored.read_text(encoding="utf-8") if stored.exists() else ""
                if not known:
                    self._write_part(0, url.encode()).replace(stored)
                    _sync_folder(self.folder)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        if known and known != url:
            raise UsageError(
                f"The spool {self.folder} belongs to {known}, not to {url}. Use another spool; if "
                f"the server moved, stop what sends and write its new address into {stored}."
            )

    def append(self, calls: Sequence[Call]) -> list[Entry]:
        """Make calls durable, in this order. Returns when they are on disk.

        Raises SpoolError, and then nothing was spooled unless it says what was.
        """
        texts = [call.as_json() for call in calls]
        done: list[Entry] = []
        parts: list[Path] = []
        try:
            with self._writing() as numbers:
                try:
                    for index, text in enumerate(texts):
                        parts.append(self.folder / f"call.part.{index}")
                        self._write_part(index, text)
                    first = self._take_numbers(numbers, len(calls))
                    for index, call in enumerate(calls):
                        entry = self._entry(first + index, str(call.observation))
                        parts[index].rename(entry.path)
                        done.append(entry)
                    _sync_folder(self._calls)
                finally:
                    for part in parts[len(done) :]:
                        part.unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(self.folder, error, len(done), len(calls)) from error
        return done

    def waiting(self) -> list[Entry]:
        """What is to be sent, in order."""
        return _entries(self._calls)

    def dead(self) -> list[Entry]:
        """What the server refused, in order."""
        return _entries(self._dead)

    def sendable(self) -> list[Entry]:
        """What waits and is not blocked.

        The refused ones are looked at first: a call that is being given back must not be overtaken.
        """
        blocked = self.blocked()
        return [entry for entry in self.waiting() if entry.observation not in blocked]

    def blocked(self) -> set[str]:
        """Observations whose calls wait: the server refused to start them. Any other refused call blocks nothing: the
        observation ends, and what was refused is filed late.
        """
        return {entry.observation for entry in self.dead() if _may_be_a_start(entry)}

    def done(self, entry: Entry) -> None:
        """The server has it. If this is lost with the machine's power it is sent again, idly."""
        entry.path.unlink(missing_ok=True)

    def refuse(self, entry: Entry, answer: Mapping[str, Any]) -> Path:
        """Put a call aside, with the server's answer; where it is then. One rename decides."""
        dead = self._dead / entry.path.name
        try:
            document = {**entry.document(), "refused": dict(answer)}
        except SpoolError:
            document = {}  # it is moved as it is
        if document:
            part = self.folder / "dead.part"
            try:
                self._write(part, json.dumps(document).encode())
                part.replace(entry.path)
            except OSError as error:
                # A full disk: the answer stands in the log, and the call is put aside without it.
                part.unlink(missing_ok=True)
                if error.errno not in _FULL:
                    raise
        entry.path.rename(dead)
        _sync_folder(self._dead)
        _sync_folder(self._calls)
        return dead

    def retry(self, numbers: Sequence[int] | None = None) -> list[Entry]:
        """Give refused calls back to the sender under their old numbers: these, or all."""
        chosen = self._refused(numbers)
        for entry in chosen:
            entry.read()  # somebody may have edited it
        return self._move(chosen, self._calls)

    def correct(self, number: int, assignments: Sequence[tuple[tuple[str, ...], Any]], dropped: Sequence[int]) -> Entry:
        """Change the body of a refused call and give it back to the sender.

        ``assignments`` are paths into the body with new values, ``dropped`` are rows of files that are left out. Raises
        UsageError, and then nothing was changed.
        """
        (entry,) = self._refused([number])
        call, document = entry.read(), entry.document()
        body = corrected(call.body, assignments, dropped)
        document |= {"body": body, "expect": {"rows": len(body)} if isinstance(body, list) else dict(call.expect)}
        document.pop("refused", None)
        part = self.folder / "dead.part"
        try:
            self._write(part, json.dumps(document).encode())
            part.replace(entry.path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise _unwritable(self.folder, error, 0, 1) from error
        (moved,) = self._move([entry], self._calls)
        return moved

    def discard(self, numbers: Sequence[int]) -> list[Entry]:
        """Give refused calls up: they are kept in a folder of their own, and block nothing any more."""
        chosen = self._refused(numbers)
        self._discarded.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(self.folder)
        return self._move(chosen, self._discarded)

    def _refused(self, numbers: Sequence[int] | None) -> list[Entry]:
        dead = self.dead()
        missing = set(numbers or ()) - {entry.number for entry in dead}
        if missing:
            raise UsageError(f"No refused call has the number {min(missing)}.")
        return [entry for entry in dead if numbers is None or entry.number in numbers]

    def _move(self, entries: Sequence[Entry], folder: Path) -> list[Entry]:
        moved = []
        for entry in entries:
            path = folder / entry.path.name
            entry.path.rename(path)
            moved.append(Entry(entry.number, entry.observation, path))
        _sync_folder(folder)
        _sync_folder(self._dead)
        return moved

    def last_said(self) -> str:
        """The last line of the sender's log: why calls wait, if they do."""
        try:
            with self.log.open("rb") as stream:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LAST_BYTES))
                lines = stream.read().decode(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return lines[-1] if lines else ""

    @contextmanager
    def sender_lock(self) -> Iterator[int | None]:
        """The descriptor of the lock of the only process that sends; None when another holds it.

        A process that inherits the descriptor holds the lock after this block ended, until it ends itself.
        """
        lock = os.open(self.folder / "sending", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield lock
        finally:
            os.close(lock)

    def is_being_sent(self) -> bool:
        """Whether a process sends at this moment. It looks again after it let go."""
        with self.sender_lock() as lock:
            return lock is None

    @contextmanager
    def _writing(self) -> Iterator[int]:
        lock = os.open(self.folder / "numbers", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock
        finally:
            os.close(lock)

    def _take_numbers(self, numbers: int, count: int) -> int:
        """The first of ``count`` numbers that were never used; durable before it returns."""
        text = os.pread(numbers, _DIGITS, 0)
        known = len(text) == _DIGITS and text.isdigit()
        last = int(text) if known else self._highest()  # nobody took a number yet
        os.pwrite(numbers, f"{last + count:0{_DIGITS}d}".encode(), 0)
        os.fsync(numbers)
        return last + 1

    def _highest(self) -> int:
        return max((entry.number for entry in [*self.waiting(), *self.dead()]), default=0)

    def _write_part(self, index: int, text: bytes) -> Path:
        # The name is free: whoever holds the lock may replace what a killed process left.
        part = self.folder / f"call.part.{index}"
        self._write(part, text)
        return part

    @staticmethod
    def _write(part: Path, text: bytes) -> None:
        opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(opened, "wb", buffering=0) as stream:  # noqa: PTH123 - a descriptor
            rest = memoryview(text)
            while rest:
                rest = rest[stream.write(rest) :]
            os.fsync(opened)

    def _entry(self, number: int, observation: str) -> Entry:
        name = f"{number:0{_DIGITS}d}.{observation}.json"
        return Entry(number, observation, self._calls / name)


def _may_be_a_start(entry: Entry) -> bool:
    """Whether what follows would be refused too; of a spoiled call nobody knows."""
    try:
        return entry.read().path.endswith("/start")
    except (SpoolError, FileNotFoundError):
        return True


def _entries(folder: Path) -> list[Entry]:
    found = []
    for name in os.listdir(folder):  # noqa: PTH208 - names, a hundred thousand of them
        number, _, rest = name.partition(".")
        observation, _, ending = rest.partition(".")
        if number.isdigit() and ending == "json":
            found.append(Entry(int(number), observation, folder / name))
    return sorted(found)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _unwritable(folder: Path, error: OSError, done: int = 0, count: int = 0) -> SpoolError:
    why = "the disk is full" if error.errno in _FULL else (error.strerror or str(error))
    said = "Nothing was recorded"
    if done:
        said = f"Only the first {done} of {count} calls were recorded"
    return SpoolError(
        f"The spool {folder} cannot be written: {why}. {said}. Make room or mend the folder, "
        "then give the same command again."
    )
