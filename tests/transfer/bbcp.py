"""A folder of programs for tests: ``bbcp`` (a stand-in, or the real one that ``CCATDC_TEST_BBCP`` names) and commands that
run in place of ssh: the other host is this one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.transfer.transports import bbcp_stand_in

REAL = os.environ.get("CCATDC_TEST_BBCP", "")
#: Drops the options and the login, runs the rest as sshd does: as one line of a shell.
_SSH = """while :; do case "$1" in
-o|-l|-p) shift 2;; --) shift; break;; -*) shift;; *) break;; esac; done
shift; PATH={path} exec /bin/sh -c "$*"
"""


def put_programs(folder: Path) -> Path:
    """Make them; the folder."""
    folder.mkdir()
    if REAL:
        (folder / "bbcp").symlink_to(REAL)
    else:
        _script(folder / "bbcp", f'exec {sys.executable} -I {bbcp_stand_in.__file__} "$@"')
    _script(folder / "ssh_here", _SSH.format(path=f"{folder}:$PATH"))
    _script(folder / "ssh_to_bare_host", _SSH.format(path="/usr/bin:/bin"))
    return folder


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
