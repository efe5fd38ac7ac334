"""``python -m ccat_data`` is ``ccat-data``."""

from __future__ import annotations

import sys

from ccat_data.commands import main

sys.exit(main())
