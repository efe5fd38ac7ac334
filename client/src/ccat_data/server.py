"""The data center as this package asks it: JSON over HTTPS with a token. No request changes bytes that are archived."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ccat_data.errors import AwayError, RefusedError, SettingsError
from ccat_file.answers import seconds_after
from ccat_file.errors import SettingsError as UnusableError
from ccat_file.sender import MAX_AFTER, Backoff
from ccat_file.settings import Settings

if TYPE_CHECKING:
    import httpx

URL: Final = "CCAT_DATA_URL"
TOKEN: Final = "CCAT_DATA_TOKEN"  # noqa: S105 - the variable's name
TOKEN_FILE: Final = "CCAT_DATA_TOKEN_FILE"  # noqa: S105
_TIMEOUT: Final = 60.0
_CONNECT_TIMEOUT: Final = 10.0
_SAID: Final = 300
#: Tries of one request while the server is away.
TRIES: Final = 5
_AGAIN: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


class Server:
    """Asks the data center; a context manager. Address and token from arguments, else from the environment."""

    def __init__(self, url: str = "", token_file: Path | None = None, *, environment: Mapping[str, str] | None = None):
        known = os.environ if environment is None else environment
        named = token_file or (Path(known[TOKEN_FILE]) if known.get(TOKEN_FILE) else None)
        settings = Settings(
            Path(), (url or known.get(URL, "")).rstrip("/"), "" if token_file else known.get(TOKEN, "").strip(), named
        )
        try:
            self.url = settings.require_url()
            token = settings.require_token()
        except UnusableError as error:
            raise SettingsError(f"{error} ({URL}, {TOKEN}, {TOKEN_FILE}.)") from error
        import httpx

        self._client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(_TIMEOUT, connect=_CONNECT_TIMEOUT),
        )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._client.close()

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The document at an address. RefusedError, SettingsError; AwayError after some tries."""
        # None and not {}: an empty one would take the query out of the path.
        params = dict(query) if query else None
        return self.patiently(lambda: _document(self._send("GET", path, params=params)))

    def post(self, path: str, body: Any) -> Any:
        """Ask for something, once: it is not known whether an unanswered request was heard."""
        return _document(self._send("POST", path, json=body))

    def put(self, path: str, body: Any) -> Any:
        """Say how something is, once."""
        return _document(self._send("PUT", path, json=body))

    def pages(self, path: str, query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Every row of a list, page by page."""
        answer = self.get(path, query)
        while True:
            yield from answer["results"]
            following = answer.get("next")
            if not following:
                return
            parts = urlsplit(str(following))  # a proxy may know the host under another name
            answer = self.get(f"{parts.path}?{parts.query}")

    def stream(self, path: str, headers: Mapping[str, str]) -> Any:
        """An answer whose body is still to be read: a context manager of httpx."""
        return self._client.stream("GET", path, headers=dict(headers))

    def patiently(self, ask: Callable[[], Any]) -> Any:
        """What ``ask`` gives, tried again while the server is away."""
        backoff = Backoff()
        while True:
            try:
                return ask()
            except _LaterError as error:
                if backoff.failures + 1 >= TRIES:
                    raise
                time.sleep(backoff.next(error.after_seconds))

    def _send(self, method: str, path: str, **what: Any) -> httpx.Response:
        import httpx

        try:
            answer = self._client.request(method, path, **what)
        except httpx.TransportError as error:
            raise _LaterError(f"{self.url} does not answer ({type(error).__name__}: {error}).") from error
        require_success(answer)
        return answer


class _LaterError(AwayError):
    """The same request may succeed later; the server wants to be asked again after some seconds."""

    def __init__(self, message: str, after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.after_seconds = min(after_seconds, MAX_AFTER)


def require_success(answer: httpx.Response) -> None:
    """An error that says what the server said, unless it did what was asked. The body must have been read."""
    if answer.is_success:
        return
    try:
        document = answer.json()
    except (ValueError, RecursionError):
        document = None
    known = document if isinstance(document, dict) else {}
    code = str(known.get("code", ""))
    said = " ".join(f"{known.get('detail') or answer.text[:_SAID]} {known.get('remedy') or ''}".split())
    if answer.status_code == HTTPStatus.UNAUTHORIZED or code == "request.permission_denied":
        raise SettingsError(f"The server does not let this token: {said}")
    if answer.is_server_error or answer.status_code in _AGAIN or known.get("retryable") is True:
        after = seconds_after(answer.headers.get("Retry-After", ""))
        raise _LaterError(f"{answer.status_code} {code}: {said}", after)
    raise RefusedError(f"{answer.status_code} {code}: {said}", code)


def _document(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except (ValueError, RecursionError) as error:
        raise AwayError(f"What answers at {answer.url.host} is not the data center.") from error
