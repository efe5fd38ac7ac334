"""``python -m benchmarks NAME``: the same as ``python -m benchmarks.NAME``; without a name, the list."""

from __future__ import annotations

import pkgutil
import runpy
import sys
from pathlib import Path


def main() -> int:
    """Run it with the rest of the arguments."""
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    programs = [name for name in names if name != "__main__" and "def main(" in _source(name)]
    if len(sys.argv) < 2 or sys.argv[1] not in programs:
        sys.stderr.write(f"python -m benchmarks NAME; there are: {', '.join(programs)}. See benchmarks/README.md\n")
        return 2
    name = sys.argv.pop(1)
    runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
    return 0


def _source(name: str) -> str:
    return Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
