"""Which module reads out which stream: as the configurations of the modules say at the server.

What the server said is kept in the spool: with the link cut, the last answer holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from ccat_file.errors import SettingsError, UsageError
from ccat_file.filing import Filing

_TIMEOUT: Final = 30.0
#: Pages of configurations: more than any instrument has.
_MOST_PAGES: Final = 100


def modules_of(filing: Filing, instrument: str, *, tell: Callable[[str], None]) -> dict[str, str]:
    """Short names of the instrument's modules by read-out stream (``rfsoc01_drone1``).

    Raises SettingsError (no address, or the token may not read), UsageError when the server does not answer and never
    did.
    """
    import httpx

    kept = filing.spool.folder / "following" / f"modules-{instrument}.json"
    try:
        found = _ask(filing, instrument)
    except (httpx.HTTPError, ValueError) as error:
        if not kept.exists():
            raise UsageError(
                f"The server does not say which module reads out which stream ({type(error).__name__}): {error}. "
                "Try again when it answers, or name one with --module."
            ) from error
        tell(f"The server does not answer ({type(error).__name__}): modules as it said last")
        known: dict[str, str] = json.loads(kept.read_text(encoding="utf-8"))
        return known
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = kept.with_suffix(".part")
    part.write_text(json.dumps(found), encoding="utf-8")
    part.replace(kept)
    return found


def _ask(filing: Filing, instrument: str) -> dict[str, str]:
    import httpx

    settings = filing.settings
    headers = {"Authorization": f"Bearer {settings.require_token()}"}
    address: str | None = f"{settings.require_url()}/api/instrument_module_configurations/"
    query: dict[str, Any] | None = {"instrument": instrument, "active": "true"}
    found: dict[str, str] = {}
    with httpx.Client(headers=headers, timeout=_TIMEOUT) as client:
        for _ in range(_MOST_PAGES):
            answer = client.get(str(address), params=query)
            if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                raise SettingsError("The server does not let this token read module configurations: use --module.")
            document = answer.raise_for_status().json()
            for row in document["results"]:
                for stream in row.get("stream_ids") or ():
                    found[stream] = row["module"]
            address, query = document.get("next"), None
            if not address:
                break
    return {**found, **{_short(stream): module for stream, module in found.items()}}


def _short(stream: str) -> str:
    """``rfsoc01_drone1`` as ccatkidlib writes it: ``B1D1``."""
    board, _, drone = stream.removeprefix("rfsoc").partition("_drone")
    return f"B{int(board)}D{drone}" if board.isdigit() and drone.isdigit() else stream
