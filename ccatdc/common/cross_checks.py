"""A rule over rows of several tables that the database keeps: what a CHECK, which sees one row, cannot say.

A tuning must lie in the range of its module, which stands in another table (observatory/models/configurations.py). The rule
is looked at when a transaction ends, so that several rows may change together; a form says the same first, in words. Imports
no app.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


class CrossCheck(models.BaseConstraint):
    """No row of the join ``rows`` may be ``wrong``.

    ``watched`` has, for each table of which a change can break the rule, the changes that can (``UPDATE OF`` columns, say), and
    how its row ``NEW`` is found in the join. ``shared`` is the alias of the row that several others refer to: it is locked
    while the rule is looked at, so that of two transactions that break it together one waits for the other. Violations are
    IntegrityErrors that name the constraint.
    """

    def __init__(
        self, *, rows: str, wrong: str, watched: Mapping[str, tuple[str, str]], shared: str, in_words: str, name: str
    ) -> None:  # fmt: skip
        self.rows = rows
        self.wrong = wrong
        self.watched = {table: tuple(watch) for table, watch in watched.items()}
        self.shared = shared
        self.in_words = in_words
        super().__init__(name=name, violation_error_message=f"{in_words}.")

    def constraint_sql(
        self,
        model: type[models.Model] | None,  # noqa: ARG002
        schema_editor: BaseDatabaseSchemaEditor | None,
    ) -> Any:
        """At the end of the migration: the other tables may come later in the same one."""
        assert schema_editor is not None  # noqa: S101
        schema_editor.deferred_sql.append(
            "\n".join(self._statements(table, *watch) for table, watch in self.watched.items())
        )

    create_sql = constraint_sql

    def remove_sql(
        self,
        model: type[models.Model] | None,  # noqa: ARG002
        schema_editor: BaseDatabaseSchemaEditor | None,  # noqa: ARG002
    ) -> Any:
        """The triggers and their functions."""
        return "\n".join(
            f'DROP TRIGGER IF EXISTS "{self.name}" ON "{table}";'
            f' DROP FUNCTION IF EXISTS "{self._function(table)}"();'
            for table in self.watched
        )

    def validate(
        self, model: Any, instance: Any, exclude: Any = None, using: str = "default"
    ) -> None:
        """Nothing before the row is written: the model's own clean() says it to a form."""

    def deconstruct(self) -> Any:
        """For migrations."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return (
            path,
            (),
            {
                "rows": self.rows,
                "wrong": self.wrong,
                "watched": self.watched,
                "shared": self.shared,
                "in_words": self.in_words,
                "name": self.name,
            },
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, CrossCheck):
            return bool(self.deconstruct() == other.deconstruct())
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.name, self.rows))

    def _function(self, table: str) -> str:
        return f"{self.name}_by_{table}"[:63]

    def _statements(self, table: str, changes: str, match: str) -> str:
        function = self._function(table)
        return f"""
CREATE OR REPLACE FUNCTION "{function}"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM {self.rows} WHERE {match} FOR SHARE OF {self.shared};
    IF EXISTS (SELECT 1 FROM {self.rows} WHERE {match} AND ({self.wrong})) THEN
        RAISE EXCEPTION '{self.in_words} ("{self.name}")'
            USING ERRCODE = 'check_violation', CONSTRAINT = '{self.name}', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER "{self.name}" AFTER {changes} ON "{table}"
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION "{function}"();
"""  # noqa: S608  (all of it stands in models)
