"""Somebody who downloads with a token, as curl does."""

from __future__ import annotations

from typing import Any

from django.core.signals import request_finished
from django.db import close_old_connections
from django.test import Client


class Caller:
    def __init__(self, token: str) -> None:
        self._client = Client(headers={"Authorization": f"Bearer {token}"})

    def get(self, path: str, **headers: str) -> Any:
        return self._client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def head(self, path: str) -> Any:
        return self._client.head(path)

    def post(self, path: str, body: Any) -> Any:
        return self._client.post(path, body, content_type="application/json")


def body_of(answer: Any) -> bytes:
    """All bytes, as a server sends them; the client closes the answer behind them."""
    assert answer.status_code in (200, 206), answer.content
    return b"".join(answer.streaming_content)


def leave(answer: Any) -> None:
    """Hang up, as a client whose connection is cut; the connection to the database of the test stays."""
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)
