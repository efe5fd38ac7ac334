"""How a table remembers who changed what: triggers in PostgreSQL, so that bulk updates, COPY and raw SQL are seen too.

One trigger for each of INSERT, UPDATE and DELETE writes what a statement changed into one table for all
(accounts.models.Change), one row for each changed row, in one statement. Which tables have them is said in
ccatdc/audited_models.py. django-pgtrigger makes the triggers; who was at it comes from the context that
django-pghistory passes to the database with every statement of a request, else from the name of the connection.
docs/decisions/009 has the reasons.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import pgtrigger
from django.db import models
from django.db.models import Func

#: What the triggers write into.
TABLE: Final = "change_history"
# What one statement changed, as PostgreSQL shows it to its triggers. (The library has no types here.)
_NEW: Final = pgtrigger.Referencing(new="new_rows")  # type: ignore[no-untyped-call]
_OLD: Final = pgtrigger.Referencing(old="old_rows")  # type: ignore[no-untyped-call]
_BOTH: Final = pgtrigger.Referencing(old="old_rows", new="new_rows")  # type: ignore[no-untyped-call]
#: Set by django-pghistory for each writing statement of a request; empty elsewhere.
_CONTEXT: Final = "NULLIF(current_setting('pghistory.context_metadata', true), '')::jsonb"
_CONNECTION: Final = (
    "jsonb_build_object('how', CASE WHEN current_setting('application_name') ~ '^ccatdc'"
    " THEN 'command' ELSE 'database' END, 'program', current_setting('application_name'))"
)


class ChangeContext(Func):
    """Default of a column: who or what is at it. In a request its context, else the name of the connection."""

    template = f"COALESCE({_CONTEXT}, {_CONNECTION})"
    output_field = models.JSONField()


class ChangeUser(Func):
    """Default of a column: the key of the person or service who makes the request; NULL outside of one."""

    template = f"(({_CONTEXT})->>'user')::bigint"
    output_field = models.BigIntegerField()


class ChangeTime(Func):
    """Default of a column: when the transaction began, so that what it changed stands together."""

    template = "transaction_timestamp()"
    output_field = models.DateTimeField()


@dataclass(frozen=True, slots=True)
class Tracked:
    """What is remembered of one table.

    ``name`` is an SQL expression that names a row ``{r}``: history outlives what it is about. ``ignored`` columns are
    written by machines all day (usage, last use) and never remembered; of ``secret`` ones it is remembered that they
    changed.
    """

    model: type[models.Model]
    name: str
    ignored: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What history calls the kind of thing: the upper table of a kind, whichever of the two changed."""
        return root_of(self.model)._meta.label_lower

    def named(self, alias: str) -> str:
        """The expression, for a row by this alias."""
        return self.name.format(r=alias)

    def triggers(self) -> list[pgtrigger.Trigger]:
        """One for each operation: PostgreSQL shows the old and new rows of one operation only."""
        return [Added(self), Changed(self), Deleted(self)]


class _Recorder(pgtrigger.Trigger):
    """Base: after a statement, all its rows at once."""

    level = pgtrigger.Statement
    when = pgtrigger.After

    def __init__(self, tracked: Tracked | TrackedLink) -> None:
        self.tracked: Any = tracked
        super().__init__(name=f"history_{str(self.operation).lower()}")


_INSERT: Final = f'INSERT INTO "{TABLE}" (action, object_type, object_id, object_name, table_name, changes) '


def _select(action: str, model: type[models.Model], key: str, name: str, changes: str) -> str:
    """The values of one row of history, in the order of :data:`_INSERT`."""
    kind = root_of(model)._meta.label_lower
    table = model._meta.db_table
    return f"SELECT '{action}', '{kind}', {key}::text, COALESCE({name}, ''), '{table}', {changes} "


def _remember(action: str, tracked: Tracked, changes: str, rows: str) -> str:
    key = f'r."{tracked.model._meta.pk.column}"'
    values = _select(action, tracked.model, key, tracked.named("r"), changes)
    return f"{_INSERT}{values}FROM {rows}; RETURN NULL;"


def _array(names: Iterable[str]) -> str:
    quoted = ", ".join(f"'{name}'" for name in names)
    return f"ARRAY[{quoted}]::text[]"


class _Whole(_Recorder):
    """A row that appears or goes: all that it says, as {column: value}."""

    action = ""
    rows = ""

    def get_func(self, model: Any) -> str:  # noqa: ARG002
        tracked: Tracked = self.tracked
        left_out = _array([*tracked.ignored, *tracked.secret])
        return _remember(self.action, tracked, f"to_jsonb(r) - {left_out}", f"{self.rows} r")


class Added(_Whole):
    operation = pgtrigger.Insert
    referencing = _NEW
    action = "added"
    rows = "new_rows"


class Deleted(_Whole):
    operation = pgtrigger.Delete
    referencing = _OLD
    action = "deleted"
    rows = "old_rows"


class Changed(_Recorder):
    """Rows that change: {column: [from, to]}. A statement that changes nothing leaves nothing."""

    operation = pgtrigger.Update
    referencing = _BOTH

    def get_func(self, model: Any) -> str:
        tracked: Tracked = self.tracked
        key = model._meta.pk.column
        pair = "jsonb_build_array(a.value, b.value)"
        if tracked.secret:
            pair = f"CASE WHEN a.key = ANY ({_array(tracked.secret)}) THEN 'null' ELSE {pair} END"
        pairs = (
            f"SELECT jsonb_object_agg(a.key, {pair}) AS pairs "  # noqa: S608 - names of our columns
            "FROM jsonb_each(to_jsonb(o)) a JOIN jsonb_each(to_jsonb(r)) b ON a.key = b.key "
            f"WHERE a.value <> b.value AND a.key <> ALL ({_array(tracked.ignored)})"
        )
        rows = (
            f'old_rows o JOIN new_rows r ON o."{key}" = r."{key}" CROSS JOIN LATERAL ({pairs}) d '
            "WHERE o IS DISTINCT FROM r AND d.pairs IS NOT NULL"
        )
        return _remember("changed", tracked, "d.pairs", rows)


@dataclass(frozen=True, slots=True)
class TrackedLink:
    """A many-to-many relation: remembered as a change of the row that it belongs to."""

    owner: Tracked
    field: str

    @property
    def model(self) -> Any:
        return self._relation.remote_field.through

    @property
    def _relation(self) -> Any:
        return self.owner.model._meta.get_field(self.field)

    def triggers(self) -> list[pgtrigger.Trigger]:
        return [Linked(self), Relinked(self), Unlinked(self)]

    def statement(self, rows: str, pair: str) -> str:
        """Remember the links of each owner together; ``pair`` is [from, to], with the linked keys as ``keys``."""
        here, there = self._relation.m2m_column_name(), self._relation.m2m_reverse_name()
        owner = self.owner.model._meta
        links = (
            f'SELECT "{here}" AS owner, jsonb_agg("{there}" ORDER BY "{there}") AS keys '  # noqa: S608 - likewise
            f'FROM {rows} GROUP BY "{here}"'
        )
        changes = f"jsonb_build_object('{self.field}', jsonb_build_array({pair}))"
        values = _select("changed", self.owner.model, "l.owner", self.owner.named("r"), changes)
        # The owner may be gone already, in the same transaction.
        from_owner = f'LEFT JOIN "{owner.db_table}" r ON r."{owner.pk.column}" = l.owner'
        return f"{_INSERT}{values}FROM ({links}) l {from_owner}; "


class Linked(_Recorder):
    operation = pgtrigger.Insert
    referencing = _NEW

    def get_func(self, model: Any) -> str:  # noqa: ARG002
        return f"{self.tracked.statement('new_rows', 'NULL, l.keys')}RETURN NULL;"


class Unlinked(_Recorder):
    operation = pgtrigger.Delete
    referencing = _OLD

    def get_func(self, model: Any) -> str:  # noqa: ARG002
        return f"{self.tracked.statement('old_rows', 'l.keys, NULL')}RETURN NULL;"


class Relinked(_Recorder):
    """Links whose ends change, which only raw SQL does: gone here, new there."""

    operation = pgtrigger.Update
    referencing = _BOTH

    def get_func(self, model: Any) -> str:  # noqa: ARG002
        gone = self.tracked.statement("old_rows", "l.keys, NULL")
        return f"{gone}{self.tracked.statement('new_rows', 'NULL, l.keys')}RETURN NULL;"


def tracked_kinds() -> list[str]:
    """The labels of everything that keeps a history."""
    recorders = (trigger for _, trigger in pgtrigger.registered())
    tracked = (trigger.tracked for trigger in recorders if isinstance(trigger, _Recorder))
    return sorted({each.label for each in tracked if isinstance(each, Tracked)})


def root_of(model: type[models.Model]) -> type[models.Model]:
    """The upper table of a kind: history names things by it, whichever of their tables changed."""
    parents = model._meta.get_parent_list()
    return parents[-1] if parents else model
