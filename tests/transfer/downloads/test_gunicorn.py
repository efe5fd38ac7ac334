"""Downloads from the web process as it runs in production: what is cut arrives as cut, who takes nothing is left."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from accounts.models import User
from datamgmt.models import PhysicalCopy, RawDataFile
from tests.api.test_wait_threads import web
from tests.client.test_data import Command
from tests.factories.accounts import ApiTokenFactory
from tests.transfer.downloads.conftest import Archive
from tests.transfer.operations.spoiling import flip
from transfer.models import Download

__all__ = ["web"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The web process leaves a client after a second."""
    monkeypatch.setenv("CCATDC_DOWNLOAD_STALL_SECONDS", "1")


@pytest.fixture
def served(impatient: None, web: str) -> Iterator[str]:
    yield web


def test_damage_arrives_as_a_cut_and_who_takes_nothing_is_left(
    served: str, scientist: User, archived: Archive, tmp_path: Path
) -> None:
    secret = ApiTokenFactory.create(user=scientist, scopes=["stage:data", "read:observations"]).secret  # type: ignore[attr-defined]
    observed = archived({"good": bytes(30 * 10**6), "one": bytes(300_000)})
    path = Path(PhysicalCopy.objects.in_archives().get().full_path)
    flip(path, path.stat().st_size - 200_000)
    headers = {"Authorization": f"Bearer {secret}"}
    good, bad = (f"/api/raw_data_files/{RawDataFile.objects.get(name=name).pk}/download" for name in ("good", "one"))

    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(served + bad, headers=headers, timeout=30)
    assert PhysicalCopy.objects.in_archives().get().integrity == "suspect"
    PhysicalCopy.objects.in_archives().update(integrity="ok")
    # It is cut once more; then there is no good copy, until stage 90 has read this one.
    command = Command(served, secret)
    assert "download.unreachable" in command("download", observed.pk, "--into", tmp_path / "data", status=4).stderr
    there = {each.name for each in (tmp_path / "data").rglob("*") if each.is_file()}
    # The other file is there if its turn came first: the order is that of the ids.
    assert there - {"good"} == {"one.part", "MANIFEST.b3"}

    PhysicalCopy.objects.in_archives().update(integrity="ok")
    parts = urlsplit(served)
    with socket.create_connection((str(parts.hostname), parts.port or 80)) as idle:
        idle.sendall(f"GET {good} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {secret}\r\n\r\n".encode())
        deadline = time.monotonic() + 30
        while not Download.objects.filter(name="good", outcome="cut").exists():
            assert time.monotonic() < deadline, "it is held for ever"
            time.sleep(0.1)
