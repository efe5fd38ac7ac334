"""``ccat-data products file``: a folder that a run wrote is filed whole, once, over real HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ccat_data.commands import main
from ccat_data.folder import read_folder
from ccat_file.errors import Exit, UsageError
from datamgmt.models import DataProduct, ProcessingRun, RawDataFile, RunStatus
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.factories.datamgmt import RawDataPackageFactory, ReductionSoftwareFactory, ResultsLocationFactory

RUN = {
    "name": "orion-280/2026-05-01",
    "software": "map-maker",
    "version": "1.0.0",
    "start_time": "2026-05-02T06:00:00Z",
    "end_time": "2026-05-02T07:00:00Z",
    "status": "completed",
    "exit_code": 0,
}


def written(root: Path, manifest: dict[str, Any], files: dict[str, bytes]) -> Path:
    """A folder below the root of the location, as a run leaves it."""
    folder = root / "orion"
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_folder_is_filed_whole_and_once(
    tmp_path: Path, live_server: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ReductionSoftwareFactory.create()
    raw = RawDataPackageFactory.create(archived=True)
    token = ApiTokenFactory.create(user=UserFactory.create(permissions=["write:products"]), scopes=["write:products"])
    monkeypatch.setenv("CCAT_DATA_TOKEN", token.secret)  # type: ignore[attr-defined]
    product = {
        "name": "orion-280/map", "level": "l2", "quality_metrics": {"rms_mjy": 1.2},
        "files": ["science/map.fits", "science/weights.fits"],
    }  # fmt: skip
    manifest = {"run": {**RUN, "input_packages": [raw.name]}, "products": [product]}
    folder = written(
        tmp_path,
        manifest,
        {"science/map.fits": b"map", "science/weights.fits": b"w", "plots/map.png": b"png", "logs/run.log": b"log"},
    )
    location = ResultsLocationFactory.create().full_name
    command = ["--url", live_server.url, "products", "file", str(folder)]
    command += ["--root", str(tmp_path), "--location", location]
    assert [main(command) for _ in range(2)] == [Exit.DONE, Exit.DONE]

    run = ProcessingRun.objects.get()
    assert capsys.readouterr().out.split() == [str(run.pk)] * 2
    assert json.loads((folder / "manifest.json").read_text())["run"]["id"] == str(run.pk)
    assert (run.status, run.exit_code, run.input_packages.get()) == (RunStatus.COMPLETED, 0, raw)
    products = {row.name: row for row in DataProduct.objects.all()}
    assert {name: row.kind for name, row in products.items()} == {
        "orion-280/map": "science",
        "orion-280/2026-05-01/plots/map.png": "plot",
        "orion-280/2026-05-01/logs/run.log": "log",
    }
    assert products["orion-280/map"].quality_metrics == {"rms_mjy": 1.2}
    paths = set(RawDataFile.objects.values_list("relative_path", flat=True))
    assert paths == {
        f"orion/{name}" for name in ("science/map.fits", "science/weights.fits", "plots/map.png", "logs/run.log")
    }

    (folder / "plots" / "map.png").write_bytes(b"another png")
    assert main(command) == Exit.REFUSED
    assert "filing.differs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("run", "products", "files", "said"),
    [
        ({}, [], {"map.fits": b""}, "in none of the folders"),
        ({}, [], {"tmp/map.fits": b""}, "in none of the folders"),
        ({"software": ""}, [], {"science/a": b""}, "run.software is missing"),
        ({"start_time": "2026-05-02T06:00:00"}, [], {"science/a": b""}, "has no zone"),
        ({"id": "7"}, [], {"science/a": b""}, "no UUID"),
        ({}, [{"files": ["science/b"]}], {"science/a": b""}, "not in the folder"),
        ({}, [{"files": ["science/a"]}, {"files": ["science/a"]}], {"science/a": b""}, "of two products"),
        ({}, [{"files": []}], {"science/a": b""}, "has no files"),
        ({}, [{"files": ["science/a"], "colour": 1}], {"science/a": b""}, "'colour'"),
        ({}, [{"name": "x", "files": ["science/a"]}, {"name": "x", "files": ["science/b"]}],
         {"science/a": b"", "science/b": b""}, "the same name"),
    ],
)  # fmt: skip
def test_a_folder_that_makes_no_sense_is_refused(
    tmp_path: Path, run: dict[str, Any], products: list[Any], files: dict[str, bytes], said: str
) -> None:
    folder = written(tmp_path, {"run": {**RUN, **run}, "products": products}, files)
    with pytest.raises(UsageError, match=said):
        read_folder(folder, root=tmp_path, location="cologne_ramses_results")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path, {"run": RUN}, {"science/a": b"x"})
    (folder / "science" / "b").symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        read_folder(folder, root=tmp_path, location="cologne_ramses_results")


def test_a_server_that_is_away_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCAT_DATA_TOKEN", "ccatdc_of-a-test")
    folder = written(tmp_path, {"run": RUN}, {"science/a": b"x"})
    command = ["--url", "http://127.0.0.1:9", "products", "file", str(folder), "--root", str(tmp_path)]
    assert main([*command, "--location", "cologne_ramses_results", "--wait", "0.1"]) == Exit.WAITING
