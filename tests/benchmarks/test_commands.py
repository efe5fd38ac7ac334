"""The benchmarks run: small, and for their figures that do not depend on the machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
QUERIES = re.compile(r"^ +(\d+) +[\d.]+ +[\d.]+ +[\d.]+  (.+)$", re.MULTILINE)


def test_lists_are_measured_in_two_sizes_and_none_needs_twenty_queries(database_url: str) -> None:
    """Loading, and the pages of executions: all of them take minutes, and are the benchmark's."""
    program = [sys.executable, "-m", "benchmarks.lists", "--scale", "30", "100"]

    done = subprocess.run(
        [*program, "--only", "planning.executedobsunit"],
        cwd=REPOSITORY,
        env=os.environ | {"DATABASE_URL": database_url, "CCATDC_DEBUG": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode in (0, 1), done.stderr  # 1: a time grew, which is no matter of tests
    lines = QUERIES.findall(done.stdout)
    assert len(lines) > 20, done.stdout + done.stderr
    assert [line for line in lines if int(line[0]) >= 20] == []
    assert re.search(r"100 executions: [\d,]+ rows", done.stdout)
