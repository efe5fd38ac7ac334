"""``python -m ccat_file`` is ``ccat-file``."""

from __future__ import annotations

import sys

from ccat_file.commands import main

sys.exit(main())
