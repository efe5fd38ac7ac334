"""``ccat-data`` as a process, against a real server with a real archive: search, stage, download, resume, verify."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ccat_data.manifests import read_manifest, write_manifest
from datamgmt.models import RawDataFile, RawDataPackage
from planning.models import ExecutedObsUnit
from tests.client.conftest import PACKAGE
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.factories.datamgmt import ProcessingLocationFactory
from tests.transfer.downloads.conftest import FILES, Archive, archived, place
from transfer.models import Download, StagingJob

__all__ = ["archived", "place"]


class Command:
    """``ccat-data`` with a token."""

    def __init__(self, url: str, token: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CCAT_")}
        self._environment = {**kept, "CCAT_DATA_URL": url, "CCAT_DATA_TOKEN": token, "PYTHONPATH": str(PACKAGE)}

    def __call__(self, *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ccat_data", *map(str, arguments)]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done


@pytest.fixture
def ccat_data(transactional_db: None, live_server: Any) -> Command:
    user = UserFactory.create(permissions=["read:observations", "stage:data", "read:all_programs"])
    token = ApiTokenFactory.create(user=user, scopes=["stage:data", "read:observations"])
    return Command(live_server.url, token.secret)  # type: ignore[attr-defined]


def test_found_staged_downloaded_resumed_and_verified(ccat_data: Command, archived: Archive, tmp_path: Path) -> None:
    row: ExecutedObsUnit = archived(FILES)
    package, folder = RawDataPackage.objects.get(), tmp_path / "data"
    found = json.loads(ccat_data("search", "--start", "2026-05-01", "--json").stdout)
    assert [each["obs_id"] for each in found["observations"]] == [str(row.pk)]
    ccat_data("search", "--pwv-max", "wet", status=3)

    # An earlier call was killed: half of the large file is there.
    part = folder / package.name / "run1/b.dat.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(FILES["run1/b.dat"][:400_000])
    (part.parent / "a.part").write_bytes(b"spo")
    ccat_data("download", row.pk, "--into", folder)
    for name, content in FILES.items():
        assert (folder / package.name / name).read_bytes() == content
    assert Download.objects.get(name="b.dat").sent_bytes == 300_000
    assert not list(folder.rglob("*.part"))
    assert "All files are good." in ccat_data("verify", folder).stderr
    if shutil.which("b3sum"):
        subprocess.run(["b3sum", "--check", "MANIFEST.b3"], cwd=folder, check=True, capture_output=True)

    sent = Download.objects.count()
    ccat_data("download", row.pk, "--into", folder)
    assert Download.objects.count() == sent  # nothing is fetched twice
    ccat_data("download", "--package", package.pk, "--file", RawDataFile.objects.get(name="a").pk, "--into", folder)
    assert (folder / f"{package.name}.tar").stat().st_size == package.size

    (folder / package.name / "run1/a").write_bytes(b"FIRST")
    assert ccat_data("verify", folder, status=5).stdout.startswith(f"{package.name}/run1/a\t")
    assert "is another file" in ccat_data("download", row.pk, "--into", folder, status=2).stderr

    location = ProcessingLocationFactory.create()
    asked = ccat_data("stage", row.pk, "--to", location.full_name, "--name", "mine")
    job = StagingJob.objects.get(pk=int(asked.stdout))
    assert (job.name, list(job.executions.all())) == ("mine", [row])
    StagingJob.objects.filter(pk=job.pk).update(status="failed", failure_error_message="No disk.")
    assert "No disk." in ccat_data("wait", job.pk, status=3).stderr


def test_refusals_have_exit_statuses(ccat_data: Command) -> None:
    """Damage: tests/transfer/downloads/test_gunicorn.py."""
    assert "404" in ccat_data("download", "--file", uuid4(), status=3).stderr
    assert "CCAT_DATA_TOKEN" in Command("http://127.0.0.1:9", "")("wait", 1, status=6).stderr


def test_manifests_keep_odd_names(tmp_path: Path) -> None:
    names = {"new\nline": "0" * 64, "back\\slash": "1" * 64, "plain  two": "2" * 64}
    write_manifest(tmp_path / "MANIFEST.b3", names)
    assert read_manifest(tmp_path / "MANIFEST.b3") == names
