"""Actions on many rows at once: one statement, one entry of the audit log, and the reason for each row that was not
changed.

Portal and API share them. Every action locks its rows first. When two people act on the same rows at once, the second
finds that there is nothing left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models, transaction

from ccatdc.common.audit.log import note

#: Names that a message lists before it only counts.
NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Kept:
    """A row that was left alone, and why."""

    pk: Any
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action on many rows did: keys of the changed rows, and what was left alone."""

    changed: tuple[Any, ...]
    kept: tuple[Kept, ...] = ()

    def kept_words(self) -> str:
        """Which rows were not changed, and why; each reason once."""
        names: dict[str, list[str]] = {}
        for row in self.kept:
            names.setdefault(row.reason, []).append(row.name)
        return "; ".join(f"{_listed(rows)}: {reason}" for reason, rows in names.items())


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    more = len(names) - NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


@dataclass(frozen=True, slots=True)
class BulkAction:
    """One action: how it is named in the audit log, which rows it cannot change, and how it changes the others."""

    #: "Put on hold", say; the audit log goes on with how many of what.
    words: str
    component: str
    #: Why a row stays as it is; empty for one that changes.
    obstacle: Callable[[Any], str]
    #: Changes the rows of a query, in one statement.
    write: Callable[[models.QuerySet[Any]], object]

    def on(self, rows: models.QuerySet[Any], *, user: AbstractBaseUser | None, reason: str = "") -> Outcome:
        """Do it, in one transaction with the entry of the audit log; nothing is written when nothing changes."""
        model = rows.model
        with transaction.atomic():
            found = rows.order_by("pk").select_for_update(of=("self",))
            obstacles = [(row, self.obstacle(row)) for row in found]
            changed = tuple(row.pk for row, why in obstacles if not why)
            if changed:
                self.write(model._base_manager.filter(pk__in=changed))
                (only, *others) = (row for row, why in obstacles if not why)
                self._note(model, changed, user, reason, None if others else only)
        kept = tuple(Kept(row.pk, str(row), why) for row, why in obstacles if why)
        return Outcome(changed, kept)

    def _note(
        self,
        model: type[models.Model],
        changed: tuple[Any, ...],
        user: AbstractBaseUser | None,
        reason: str,
        only: models.Model | None,
    ) -> None:
        names = model._meta
        what = str(names.verbose_name if len(changed) == 1 else names.verbose_name_plural)
        because = f" Reason: {reason}" if reason else ""
        note(
            self.component,
            f"{self.words}: {len(changed)} {what}.{because}",
            user=user,
            about=only,  # its history shows the entry
            object_type=names.label_lower,
            ids=[pk if isinstance(pk, int) else str(pk) for pk in changed],
        )


def switch(
    rows: models.QuerySet[Any],
    field: str,
    value: bool,
    *,
    component: str,
    user: AbstractBaseUser | None,
    reason: str = "",
) -> Outcome:
    """Set a yes-or-no column (``active``, ``available``) of many rows; rows that have the value already are kept."""
    word = field if value else f"not {field}"

    def obstacle(row: Any) -> str:
        return f"{word} already" if getattr(row, field) is value else ""

    action = BulkAction(f"Set {word}", component, obstacle, lambda rows: rows.update(**{field: value}))
    return action.on(rows, user=user, reason=reason)
