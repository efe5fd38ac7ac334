"""``python -m ccat_data``: the command ``ccat-data``."""

from __future__ import annotations

import sys

from ccat_data.commands import main

if __name__ == "__main__":
    sys.exit(main())
