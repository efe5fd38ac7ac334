"""A server with the reference data and nothing else, and a shell that reaches it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from ccatdc.reference.load.loader import load_reference
from tests.client.conftest import Instrument, kill, senders
from tests.docs.examples import ROOT
from tests.factories.accounts import ApiTokenFactory, UserFactory

RIGHTS = ["read:observations", "write:observations", "write:schedule", "stage:data"]
#: The address of the documents.
ADDRESS = "https://data.example.org"


@dataclass
class Reader:
    """Who follows a document: an instrument computer, a token with rights, a folder."""

    instrument: Instrument
    #: Names of fields whose values are ids of this data center, and these.
    ids: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.instrument.folder

    def here(self, text: str) -> str:
        """The text with the address of this server."""
        return text.replace(ADDRESS, self.instrument.url)

    def call(self, method: str, address: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.instrument.token}"}
        return httpx.request(method, self.instrument.url + address, headers=headers, json=body, timeout=30)


@pytest.fixture
def reader(live_server: Any, tmp_path: Path, database_url: str, settings: Any) -> Iterator[Reader]:
    """On a data center of the reference data."""
    load_reference([ROOT / "reference_data"])
    token = ApiTokenFactory.create(user=UserFactory.create(username="ana", permissions=RIGHTS), scopes=RIGHTS)
    instrument = Instrument(tmp_path, live_server.url, token.secret)  # type: ignore[attr-defined]
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, command in (("ccat-file", "-m ccat_file"), ("manage.py", str(ROOT / "manage.py"))):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {command} "$@"\n')
        program.chmod(0o755)
    instrument.extra = {
        "DATA": str(instrument.root),
        "TOKEN": instrument.token,
        "DATABASE_URL": database_url,
        "CCATDC_DEBUG": "1",
        "PATH": f"{programs}:{instrument.environment()['PATH']}",
    }
    yield Reader(instrument)
    for pid in senders(instrument.spool):
        kill(pid)
