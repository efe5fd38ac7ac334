"""Whether instruments and modules are there to be observed with: set by operators in the portal and by the scheduler
through the API. Permission is the caller's business.
"""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet

from ccatdc.common.bulk_actions import Outcome, switch
from observatory.models import Instrument, InstrumentModule

COMPONENT = "availability"


def set_instruments_availability(
    instruments: QuerySet[Instrument], available: bool, user: AbstractBaseUser | None, reason: str = ""
) -> Outcome:
    """Say that instruments are installed and working, or not. Their modules keep what was said of them."""
    return switch(instruments, "available", available, component=COMPONENT, user=user, reason=reason)


def set_modules_availability(
    modules: QuerySet[InstrumentModule], available: bool, user: AbstractBaseUser | None, reason: str = ""
) -> Outcome:
    """Say that modules can be used, or not."""
    rows = modules.select_related("instrument")
    return switch(rows, "available", available, component=COMPONENT, user=user, reason=reason)
