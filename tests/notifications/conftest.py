"""Servers that take messages, and one that says nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.notifications.receivers import Hook, MailServer, serving


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    """It takes mails; ours go there."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with serving(MailServer()) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


@pytest.fixture
def silent_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Somebody accepts and says nothing."""
    monkeypatch.setattr("notifications.sending.SILENT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    """Takes webhooks; the channel with the key OPERATORS leads there."""
    with serving(Hook()) as server:
        monkeypatch.setenv("CCATDC_WEBHOOK_OPERATORS_URL", server.url)
        yield server
