"""A management command in a process of its own, with fake operations in the table of stages.

``python -m tests.transfer.launch run_location ccat_output_buffer``. What an operation does stands
in its subject: ``sleep:5 …``, ``write:<file> …``, ``die …``.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import django


def main() -> None:
    """Replace the stages, then run the command."""
    django.setup()
    from django.core.management import execute_from_command_line

    from tests.transfer.fakes import FakeOperation, use
    from transfer import pipeline

    FakeOperation.script = staticmethod(act)
    pipeline.PIPELINE = use(
        "tests.transfer.fakes.FakeOperation", "tests.transfer.fakes.FakeManager"
    )
    execute_from_command_line(["manage.py", *sys.argv[1:]])


def act(handler: object) -> None:
    """Do what the subject says."""
    verb, _, argument = handler.operation.subject.split()[0].partition(":")  # type: ignore[attr-defined]
    match verb:
        case "sleep":
            end = time.monotonic() + float(argument)
            while time.monotonic() < end:
                time.sleep(0.02)
                handler.lease.check()  # type: ignore[attr-defined]
        case "block":
            time.sleep(float(argument))
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "write":
            with Path(argument).open("a") as file:
                file.write(f"{time.time()}\n")


if __name__ == "__main__":
    main()
