"""The audit log for layers below its table (accounts.models.SystemLog): what happens there is written down too.

When ``accounts`` starts it registers the function that writes the log (accounts/apps.py). This module imports no app.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from ccatdc.common.errors import ConfigurationError

Keeper = Callable[..., Any]
_keepers: list[Keeper] = []


def write_with(keeper: Keeper) -> None:
    """Write through this function from now on: ``keeper(component, message, user=…, **context)``."""
    _keepers[:] = [keeper]


def note(component: str, message: str, *, user: AbstractBaseUser | None = None, **context: Any) -> None:
    """Write one line. Raises ConfigurationError where nobody keeps an audit log: an action that would leave no trace is
    refused.
    """
    if not _keepers:
        raise ConfigurationError("There is no audit log: the app accounts is not installed.")
    _keepers[0](component, message, user=user, **context)
