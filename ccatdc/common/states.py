"""States and how they change: every status column changes through this module only.

A state machine is data: for each state the states that may follow. :func:`transition` is one UPDATE that names the states it
may come from, on the table that owns the column (an update through a child of a multi-table model reads the ids first and
then updates without the condition, so that two workers can both win). The operation's machine::

                 +----------------- retry, drain, lease lost ----------------+
                 v                                                           |
    PENDING -> SCHEDULED -> IN_PROGRESS -> COMPLETED                         |
       ^  |        |             +---------------------------------------> PENDING
       |  |        +-> PENDING (message lost)
       |  +-> FAILED (cancelled)          FAILED: retrying cannot help, or somebody cancelled it
       +------ reset by an operator
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from django.db import models, transaction
from django.db.models import Q

from ccatdc.common.errors import InvalidTransition

Moves = Mapping[str, frozenset[str]]


class Status(models.TextChoices):
    """Is the work done? Of operations, packages being built, bundles and staging jobs (seeds: Status)."""

    PENDING = "pending", "Pending"
    SCHEDULED = "scheduled", "Scheduled"
    IN_PROGRESS = "in_progress", "In progress"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"


STATUS_MOVES: Moves = {
    Status.PENDING: frozenset({Status.SCHEDULED, Status.FAILED}),
    Status.SCHEDULED: frozenset({Status.IN_PROGRESS, Status.PENDING, Status.FAILED}),
    Status.IN_PROGRESS: frozenset({Status.COMPLETED, Status.PENDING, Status.FAILED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset({Status.PENDING}),
}
OPEN_STATUSES = (Status.PENDING, Status.SCHEDULED, Status.IN_PROGRESS)
STATUS_COLOURS: Mapping[str, str] = {
    Status.PENDING: "warning",
    Status.SCHEDULED: "info",
    Status.IN_PROGRESS: "primary",
    Status.COMPLETED: "success",
    Status.FAILED: "danger",
}


class HasMachines(Protocol):
    """A model whose state columns are listed with their moves."""

    machines: Mapping[str, Moves]


def origins(moves: Moves, to: str) -> list[str]:
    """The states from which ``to`` may be reached in one move."""
    return [str(state) for state, targets in moves.items() if to in targets]


def transition(row: models.Model, to: str, *, field: str = "status", where: Q | None = None, **fields: Any) -> None:
    """Move ``row`` to state ``to`` and set ``fields`` in the same UPDATE, or raise :class:`InvalidTransition`.

    ``where`` narrows the UPDATE further (an owner, a deadline). ``fields`` may hold expressions of the database. After
    the update the row in memory agrees with the table, and the row's own ``after_transition(field, to)`` runs in the
    same transaction (it mirrors the state where the data model wants it a second time).
    """
    owner = row._meta.get_field(field).model
    moves = row.machines[field]  # type: ignore[attr-defined]
    rows = owner._base_manager.filter(pk=row.pk, **{f"{field}__in": origins(moves, to)})
    if where is not None:
        rows = rows.filter(where)
    with transaction.atomic():
        if rows.update(**{field: to}, **fields) != 1:
            now = owner._base_manager.filter(pk=row.pk).values_list(field, flat=True).first()
            raise InvalidTransition(
                f"{row._meta.verbose_name} {row.pk} cannot become {to}: it is {now or 'gone'}, or not ours to change."
            )
        touched = ["updated_at"] if hasattr(row, "updated_at") else []  # a trigger moves it
        row.refresh_from_db(fields=[field, *fields, *touched])
        after = getattr(row, "after_transition", None)
        if after is not None:
            after(field, to)


def transition_all(rows: models.QuerySet[Any], to: str, *, field: str = "status", **fields: Any) -> int:
    """Move every row of a query that may go to ``to``; returns how many did. Rows in other states stay as they are.

    For tables whose rows have no ``after_transition`` (copies, packages): one UPDATE for thousands of rows.
    """
    owner = rows.model._meta.get_field(field).model
    moves = rows.model.machines[field]
    movable = owner._base_manager.filter(pk__in=rows.values("pk"), **{f"{field}__in": origins(moves, to)})
    return int(movable.update(**{field: to}, **fields))


def known_values(field: str, choices: type[models.TextChoices], name: str) -> models.CheckConstraint:
    """A CHECK that the column holds one of the values of ``choices``."""
    return models.CheckConstraint(condition=Q(**{f"{field}__in": list(choices.values)}), name=name)
