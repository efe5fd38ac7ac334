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
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ccatdc.common.errors import ConfigurationError, ConflictError


class Home:
    """Paths below the root of one demo, and what one start keeps for the next."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.postgres, self.s3, self.log = root / "postgres", root / "s3", root / "log"
        self.static, self.reference = root / "static", root / "reference"

    def disk(self, site: str, location: str) -> Path:
        """The root folder of a disk location."""
        return self.root / site / location

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder if need be, and hold it for this process until the end.

        Raises ConflictError while another demo runs there, ConfigurationError when the folder cannot be used.
        """
        try:
            self.log.mkdir(parents=True, exist_ok=True)
            lock = (self.root / "lock").open("a+")
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
                    remedy="Use that one, stop it with Ctrl-C, or choose another folder with --root.",
                ) from error
            self.say_in_lock(f"process {os.getpid()}")
            yield

    def say_in_lock(self, text: str) -> None:
        """What a second start will be told about this one."""
        (self.root / "lock").write_text(text + "\n")

    def secret(self, name: str, *, length: int = 32) -> str:
        """The secret of this name, made at the first question and kept from then on."""
        known = self.known_secret(name)
        if known is None:
            self.keep_secret(name, known := secrets.token_urlsafe(length))
        return known

    def token(self, owner: str) -> str:
        """The secret of the token of an instrument or person."""
        return self.secret(token_name(owner))

    def known_secret(self, name: str) -> str | None:
        """The secret of this name if there is one."""
        return self._secrets().get(name)

    def keep_secret(self, name: str, value: str) -> None:
        """Keep a secret that was made elsewhere."""
        _write_private(self.root / "secrets", {**self._secrets(), name: value})

    def write_environment(self, environment: Mapping[str, str]) -> Path:
        """The variables with which ``manage.py`` works on this demo, for ``set -a; . FILE``."""
        return _write_private(self.root / "environment", environment)

    def remembered(self, name: str) -> Any:
        """What an earlier start remembered under this name; None when nothing."""
        return self._state().get(name)

    def remember(self, name: str, value: Any) -> None:
        """Keep a value for the next start."""
        part = self.root / "state.json.part"
        part.write_text(json.dumps({**self._state(), name: value}, indent=2) + "\n")
        part.replace(self.root / "state.json")

    def _secrets(self) -> dict[str, str]:
        with suppress(FileNotFoundError):
            words = shlex.split((self.root / "secrets").read_text(), comments=True)
            return dict(word.split("=", 1) for word in words)
        return {}

    def _state(self) -> dict[str, Any]:
        try:
            state = json.loads((self.root / "state.json").read_text())
        except (FileNotFoundError, ValueError):  # nothing in it is needed, it only saves time
            return {}
        return state if isinstance(state, dict) else {}


def _write_private(file: Path, values: Mapping[str, str]) -> Path:
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.writelines(f"{name}={shlex.quote(text)}\n" for name, text in values.items())
    return part.replace(file)


def token_name(owner: str) -> str:
    """The name of the secret that is the token of an instrument or person."""
    return f"TOKEN_{owner.upper().replace('-', '_')}"
