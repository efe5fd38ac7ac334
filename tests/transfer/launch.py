"""A management command in a process of its own, with fake operations in the table of stages.

``python -m tests.transfer.launch run_location ccat_output_buffer``. What an operation does stands
in its subject: ``sleep:5 …``, ``write:<file> …``; see :func:`act`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import django


def main() -> None:
    """Replace the stages, then run the command."""
    django.setup()
    from django.core.management import execute_from_command_line
    from django_q.conf import Conf

    from tests.transfer.fakes import FakeOperation, use
    from transfer import pipeline

    FakeOperation.script = staticmethod(act)
    pipeline.PIPELINE = use("tests.transfer.fakes.FakeOperation", "tests.transfer.fakes.FakeManager")
    from transfer.engine.processes import supervisor  # it takes the stages when it is imported

    Conf.RECYCLE = int(os.environ.get("TEST_RECYCLE", Conf.RECYCLE))
    supervisor.FROZEN_SECONDS = float(os.environ.get("TEST_FROZEN_SECONDS", supervisor.FROZEN_SECONDS))
    execute_from_command_line(["manage.py", *sys.argv[1:]])


def act(handler: object) -> None:
    """Do what the subject says."""
    verb, _, argument = handler.operation.subject.split()[0].partition(":")  # type: ignore[attr-defined]
    match verb:
        case "sleep":  # for so long, ready to stop at any time
            end = time.monotonic() + float(argument)
            while time.monotonic() < end:
                time.sleep(0.02)
                handler.lease.check()  # type: ignore[attr-defined]
        case "block":  # for so long, deaf to everything
            time.sleep(float(argument))
        case "write":  # a line into a file
            with Path(argument).open("a") as file:
                file.write(f"{os.getpid()}\n")
        case "program":  # for so long, in a program that this process starts
            subprocess.run(["/bin/sleep", argument], check=True)
        case "die" | "freeze":  # the first time; the file remembers
            if not Path(argument).exists():
                Path(argument).write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL if verb == "die" else signal.SIGSTOP)
                time.sleep(60)  # awake again, and deaf


if __name__ == "__main__":
    main()
