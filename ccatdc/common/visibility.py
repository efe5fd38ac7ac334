"""Which rows a person may see, for layers below the table of people: the portal's pages and the API's expansions.

When ``accounts`` starts it registers the rule that narrows rows (accounts/auth/visibility.py). This module imports no
app.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from ccatdc.common.errors import ConfigurationError

RowT = TypeVar("RowT", bound=Model)
Rule = Callable[[Any, Any], Any]
_rules: list[Rule] = []


def narrow_with(rule: Rule) -> None:
    """Narrow through this function from now on: ``rule(rows, user)``."""
    _rules[:] = [rule]


def visible(rows: QuerySet[RowT], user: Any) -> QuerySet[RowT]:
    """Those of the rows that the person may see. Raises ConfigurationError where nobody says which: then none are
    shown.
    """
    if not _rules:
        raise ConfigurationError("Nobody says who sees what: the app accounts is not installed.")
    narrowed: QuerySet[RowT] = _rules[0](rows, user)
    return narrowed
