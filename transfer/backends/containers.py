"""The command line that runs a command inside an image: ``apptainer exec`` with the folders that images rely on.

An image sees its inputs (read-only), its workspace, output and logs, and the manifest, under names that are the same
everywhere, and nothing else of the host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from transfer.backends import job as job_program

INPUT: Final = "/workflow/input"
WORKSPACE: Final = "/workflow/workspace"
OUTPUT: Final = "/workflow/output"
LOGS: Final = "/workflow/logs"
MANIFEST: Final = "/workflow/config/manifest.json"
#: The same as environment variables, for images and plain commands alike.
INSIDE: Final[Mapping[str, str]] = {
    "WORKFLOW_INPUT_DIR": INPUT,
    "WORKFLOW_WORKSPACE_DIR": WORKSPACE,
    "WORKFLOW_OUTPUT_DIR": OUTPUT,
    "WORKFLOW_MANIFEST": MANIFEST,
}


def on_the_host(folder: Path, inputs: Path) -> dict[str, str]:
    """The same variables for a command that runs without an image."""
    return {
        "WORKFLOW_INPUT_DIR": str(inputs),
        "WORKFLOW_WORKSPACE_DIR": str(folder / job_program.WORKSPACE),
        "WORKFLOW_OUTPUT_DIR": str(folder / job_program.OUTPUT),
        "WORKFLOW_MANIFEST": str(folder / "manifest.json"),
    }


def in_image(apptainer: str, image: str, command: Sequence[str], folder: Path, inputs: Mapping[str, Path]) -> list[str]:
    """The command line. ``inputs`` maps names below the input folder to what the host has there: the links of a staging
    job's folder lead out of it, so that each of their targets is mounted by itself.
    """
    mounts = [(path, f"{INPUT}/{name}", "ro") for name, path in sorted(inputs.items())]
    mounts += [
        (folder / job_program.WORKSPACE, WORKSPACE, "rw"),
        (folder / job_program.OUTPUT, OUTPUT, "rw"),
        (folder / job_program.LOGS, LOGS, "rw"),
        (folder / "manifest.json", MANIFEST, "ro"),
    ]
    return [
        apptainer,
        "exec",
        "--containall",
        "--no-home",
        *(f"--env={name}={value}" for name, value in INSIDE.items()),
        *(
            f"--mount=type=bind,{_field('source', host)},{_field('destination', inside)},{mode}"
            for host, inside, mode in mounts
        ),
        f"--pwd={WORKSPACE}",
        image,
        *command,
    ]


def _field(name: str, value: object) -> str:
    """A field of ``--mount``, which is a line of CSV: unlike ``--bind``, it can name a path with a colon or a comma."""
    text = f"{name}={value}"
    return '"' + text.replace('"', '""') + '"' if any(each in text for each in ',"') else text
