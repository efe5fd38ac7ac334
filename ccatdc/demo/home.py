"""The folder where everything of one demo lives, and the lock that keeps it ours.

::

    <root>/postgres/           the database
    <root>/s3/<bucket>/        the objects of the archives, as plain files
    <root>/<site>/<location>/  the disks
    <root>/log/                what every process said
    <root>/secrets             passwords and keys, readable by the owner only
    <root>/environment         the same and more, for a shell that runs manage.py
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ccatdc.common.errors import ConfigurationError, ConflictError


class Home:
    """Paths below the root of one demo."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.postgres = root / "postgres"
        self.s3 = root / "s3"
        self.log = root / "log"
        self.static = root / "static"
        self.reference = root / "reference"
        self._lock = root / "lock"
        self._secrets = root / "secrets"
        self._environment = root / "environment"

    def disk(self, site: str, location: str) -> Path:
        """The root folder of a disk location."""
        return self.root / site / location

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder if need be, and hold it for this process until the end.

        Raises ConflictError while another demo runs there, ConfigurationError when the folder
        cannot be used.
        """
        try:
            self.log.mkdir(parents=True, exist_ok=True)
            lock = self._lock.open("a+")
        except OSError as error:
            raise ConfigurationError(
                f"{self.root} cannot be the demo's folder: {error.strerror}.",
                code="demo.folder",
                remedy="Choose another one with --root.",
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                raise ConflictError(
                    f"Another demo runs in {self.root} ({lock.read().strip() or 'just starting'}).",
                    code="demo.running",
                    remedy="Use that one, stop it with Ctrl-C, or choose another folder "
                    "with --root.",
                ) from error
            self.say_in_lock(f"process {os.getpid()}")
            yield

    def say_in_lock(self, text: str) -> None:
        """What a second start will be told about this one."""
        self._lock.write_text(text + "\n")

    # Secrets

    def secret(self, name: str, *, length: int = 32) -> str:
        """The secret of this name, made at the first question and kept from then on."""
        kept = self._read_secrets()
        if name not in kept:
            kept[name] = secrets.token_urlsafe(length)
            self._write_private(self._secrets, kept)
        return kept[name]

    def known_secret(self, name: str) -> str | None:
        """The secret of this name if there is one."""
        return self._read_secrets().get(name)

    def keep_secret(self, name: str, value: str) -> None:
        """Keep a secret that was made elsewhere."""
        self._write_private(self._secrets, {**self._read_secrets(), name: value})

    def write_environment(self, environment: Mapping[str, str]) -> Path:
        """The variables with which ``manage.py`` works on this demo, for ``set -a; . FILE``."""
        self._write_private(self._environment, environment)
        return self._environment

    def _read_secrets(self) -> dict[str, str]:
        try:
            lines = self._secrets.read_text().splitlines()
        except FileNotFoundError:
            return {}
        pairs = (shlex.split(line, comments=True) for line in lines)
        return dict(pair[0].split("=", 1) for pair in pairs if pair)

    def _write_private(self, file: Path, values: Mapping[str, str]) -> None:
        part = file.with_name(f"{file.name}.part")
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.writelines(f"{name}={shlex.quote(text)}\n" for name, text in values.items())
        part.replace(file)

    # What one start leaves for the next

    def remembered(self, name: str) -> Any:
        """What an earlier start remembered under this name; None when nothing."""
        return self._state().get(name)

    def remember(self, name: str, value: Any) -> None:
        """Keep a value for the next start."""
        file = self.root / "state.json"
        part = file.with_name("state.json.part")
        part.write_text(json.dumps({**self._state(), name: value}, indent=2) + "\n")
        part.replace(file)

    def _state(self) -> dict[str, Any]:
        try:
            state = json.loads((self.root / "state.json").read_text())
        except (FileNotFoundError, ValueError):  # nothing in it is needed, it only saves time
            return {}
        return state if isinstance(state, dict) else {}
