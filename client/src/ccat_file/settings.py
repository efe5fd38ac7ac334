"""Where the server is, where the spool is, and with which token calls are sent.

From arguments, else from the environment: CCAT_FILE_URL, CCAT_FILE_SPOOL, CCAT_FILE_TOKEN or CCAT_FILE_TOKEN_FILE. The
token is on no command line and in no spooled call.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ccat_file.errors import SettingsError

URL: Final = "CCAT_FILE_URL"
SPOOL: Final = "CCAT_FILE_SPOOL"
TOKEN: Final = "CCAT_FILE_TOKEN"  # noqa: S105 - the variable's name
TOKEN_FILE: Final = "CCAT_FILE_TOKEN_FILE"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. ``token`` wins over ``token_file``, which is read anew for every connection."""

    spool: Path
    url: str = ""
    token: str = field(default="", repr=False)
    token_file: Path | None = None

    @classmethod
    def from_environment(
        cls,
        *,
        url: str = "",
        spool: Path | str | None = None,
        token_file: Path | str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Settings:
        """What is given, completed from the environment."""
        known = os.environ if environment is None else environment
        folder = spool or known.get(SPOOL) or _default_spool(known)
        named = token_file or known.get(TOKEN_FILE)
        return cls(
            spool=Path(folder).expanduser().absolute(),
            url=(url or known.get(URL, "")).rstrip("/"),
            # A file that was named on purpose is meant, whatever the environment holds.
            token="" if token_file else known.get(TOKEN, "").strip(),
            token_file=Path(named).expanduser().absolute() if named else None,
        )

    def as_environment(self) -> dict[str, str]:
        """For a process that sends with the same settings."""
        known = {URL: self.url, SPOOL: str(self.spool)}
        if self.token:
            known[TOKEN] = self.token
        if self.token_file is not None:
            known[TOKEN_FILE] = str(self.token_file)
        return known

    def problem(self) -> str:
        """Why nothing could be sent; empty when something can."""
        try:
            self.require_url()
            self.require_token()
        except SettingsError as error:
            return str(error)
        return ""

    def require_url(self) -> str:
        """The server's address; SettingsError without one."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise SettingsError(f"The server's address {self.url!r} is not http(s)://host. Set {URL} or --url.")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise SettingsError("The server's address may carry no user, query or fragment: it is stored.")
        return self.url

    def require_token(self) -> str:
        """The token; SettingsError when there is none or others may read its file."""
        if self.token:
            return _checked(self.token, TOKEN)
        if self.token_file is None:
            raise SettingsError(f"There is no token. Set {TOKEN}, {TOKEN_FILE} or --token-file.")
        try:
            mode = self.token_file.stat().st_mode
            text = self.token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"The token file {self.token_file} cannot be read: {error}") from error
        if mode & stat.S_IRWXO:
            raise SettingsError(
                f"Everybody may read the token file {self.token_file}: chmod 600 it, and "
                "have the token revoked if somebody may have seen it."
            )
        return _checked(text, str(self.token_file))


def _checked(token: str, where: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(f"{where} does not hold a token (one word).")
    return token


def _default_spool(known: Mapping[str, str]) -> Path:
    state = known.get("XDG_STATE_HOME")
    base = Path(state) if state else Path("~/.local/state").expanduser()
    return base / "ccat-file"
