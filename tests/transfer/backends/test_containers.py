"""The command line of Apptainer, which is not installed where tests run: its words are checked, its work is not."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from transfer.backends.containers import in_image
from transfer.models.run_parameters import RunParameterError, RunParameters


def test_an_image_sees_its_folders_and_nothing_else() -> None:
    folder = Path("/data/cluster/runs/1")
    line = in_image(
        "apptainer",
        "/images/mapper.sif",
        ["map", "--fast"],
        folder,
        {"package": Path("/data/cluster/packages/package.5-1")},
    )
    assert line[:4] == ["apptainer", "exec", "--containall", "--no-home"]
    assert line[-4:] == ["--pwd=/workflow/workspace", "/images/mapper.sif", "map", "--fast"]
    assert [word.removeprefix("--mount=") for word in line if word.startswith("--mount=")] == [
        "type=bind,source=/data/cluster/packages/package.5-1,destination=/workflow/input/package,ro",
        "type=bind,source=/data/cluster/runs/1/workspace,destination=/workflow/workspace,rw",
        "type=bind,source=/data/cluster/runs/1/output,destination=/workflow/output,rw",
        "type=bind,source=/data/cluster/runs/1/logs,destination=/workflow/logs,rw",
        "type=bind,source=/data/cluster/runs/1/manifest.json,destination=/workflow/config/manifest.json,ro",
    ]
    assert "--env=WORKFLOW_OUTPUT_DIR=/workflow/output" in line


def test_odd_names_of_inputs_stay_one_field() -> None:
    line = in_image("apptainer", "/i.sif", ["x"], Path("/r"), {'a,b "c":ro': Path("/d/a,b")})
    mount = next(word for word in line if "input" in word and word.startswith("--mount")).removeprefix("--mount=")
    assert next(csv.reader([mount])) == ["type=bind", "source=/d/a,b", 'destination=/workflow/input/a,b "c":ro', "ro"]


@pytest.mark.parametrize(
    ("backend", "parameters"),
    [
        ("local", {"partition": "main"}),
        ("slurm", {"cpus": 0}),
        ("slurm", {"cpus": True}),
        ("slurm", {"partition": "main --uid=0"}),
        ("slurm", {"python": "/usr/bin/../../tmp/x"}),
        ("slurm", {"minutes": 10**9}),
        ("local", ["cpus"]),
    ],
)
def test_wrong_parameters(backend: str, parameters: object) -> None:
    with pytest.raises(RunParameterError):
        RunParameters.of(backend, parameters)


def test_right_parameters() -> None:
    given = {"cpus": 8, "memory_mb": 64_000, "partition": "smp", "python": "/usr/bin/python3"}
    assert RunParameters.of("slurm", given) == RunParameters(**given)  # type: ignore[arg-type]
