"""Rules that keep data are removed one by one, and a test must fail each time.

``mutations.yaml`` has the list: a file, a text that it has exactly once, what replaces it, and the tests. Each is tried in a copy of
the checkout. Prints what survived (wanted: nothing).

Needs ``DATABASE_URL``; works in a test database beside it, which stays until the end. Run: ``.venv/bin/python -m
ccatdc.dev.with_postgres .venv/bin/python -m benchmarks.mutations [--only TEXT]``. Exits 1 when something survived.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
LIST: Final = Path(__file__).with_suffix(".yaml")
#: A mutant that hangs is found as well.
LONGEST_SECONDS: Final = 600


@dataclass(frozen=True)
class Mutation:
    """One rule, and how it is removed."""

    rule: str
    file: str
    text: str
    replacement: str
    tests: str

    def applied(self, source: str) -> str:
        """The file without the rule. ValueError when the text is not there exactly once."""
        if source.count(self.text) != 1:
            raise ValueError(f"{self.rule}: {self.file} has the text {source.count(self.text)} times")
        return source.replace(self.text, self.replacement)


def mutations() -> list[Mutation]:
    """All of the list."""
    listed = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    return [Mutation(rule, *fields) for rule, fields in listed.items()]


def main() -> int:
    """Try each, print each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="rules that contain this text")
    only = parser.parse_args().only
    survived = []
    chosen = [mutation for mutation in mutations() if only in mutation.rule]
    with tempfile.TemporaryDirectory(prefix="ccatdc-mutations-") as folder:
        copy = Path(folder)
        copy_checkout(copy)
        for mutation in chosen:
            began = time.monotonic()
            is_found = try_one(copy, mutation)
            print(
                f"{'found' if is_found else 'SURVIVED'} {time.monotonic() - began:5.0f} s  {mutation.rule}", flush=True
            )
            if not is_found:
                survived.append(mutation.rule)
    print(f"{len(chosen)} rules removed, {len(survived)} survived: {', '.join(survived) or 'none'}")
    return 1 if survived else 0


def copy_checkout(to: Path) -> None:
    """What git knows, as it stands in the work tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S607
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def try_one(copy: Path, mutation: Mutation) -> bool:
    """Whether a test fails without the rule."""
    file = copy / mutation.file
    source = file.read_text(encoding="utf-8")
    file.write_text(mutation.applied(source), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "--reuse-db",
        "-p",
        "no:cacheprovider",
        *mutation.tests.split(),
    ]
    try:
        done = subprocess.run(command, cwd=copy, capture_output=True, timeout=LONGEST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return True
    finally:
        file.write_text(source, encoding="utf-8")
    if done.returncode not in (0, 1):
        sys.exit(f"{mutation.rule}: pytest ended with {done.returncode}:\n{done.stdout.decode()[-2000:]}")
    return done.returncode == 1


if __name__ == "__main__":
    sys.exit(main())
