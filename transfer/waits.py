"""The reason why a piece of work cannot be planned now although nobody failed."""

from __future__ import annotations

from ccatdc.common.errors import CcatError


class Waits(CcatError):
    """Nothing is wrong with the work; something else has to change first. The portal shows it as "waits for"."""

    default_code = "manager.waits"
