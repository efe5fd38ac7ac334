"""The diary for the floors below its table (accounts.models.SystemLog): what happens there is written down too.

``accounts`` hands over how it keeps the diary when it starts (accounts/apps.py); the ground floor imports no app.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from ccatdc.common.errors import ConfigurationError

Keeper = Callable[..., Any]
_keepers: list[Keeper] = []


def keep_with(keeper: Keeper) -> None:
    """Write through this function from now on: ``keeper(component, message, user=…, **context)``."""
    _keepers[:] = [keeper]


def note(
    component: str, message: str, *, user: AbstractBaseUser | None = None, **context: Any
) -> None:
    """Write one line. Raises ConfigurationError where nobody keeps a diary: an act without a trace is refused."""
    if not _keepers:
        raise ConfigurationError("Nobody keeps the diary: the app accounts is not installed.")
    _keepers[0](component, message, user=user, **context)
