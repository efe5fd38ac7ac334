"""A rule that Django has no word for: a foreign key of several columns.

``sub_observing_program`` of an obs unit must belong to the unit's own program. A foreign key over both columns says so,
and the database keeps it at every write, also at those that no model sees. Imports no app.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement


class CompositeForeignKey(models.BaseConstraint):
    """The columns ``fields`` together name a row of ``to``, where ``to_fields`` must be unique.

    Empty when one of them is empty, as SQL does it. Checked at once, unless a transaction defers it. With ``follow`` a
    change of the columns there is followed here. Standing in ``Meta.constraints`` it is part of the migrations as any
    other constraint.
    """

    default_violation_error_message = "These values do not belong together."

    def __init__(
        self,
        *,
        fields: tuple[str, ...] | list[str],
        to: str,
        to_fields: tuple[str, ...] | list[str],
        name: str,
        follow: bool = False,
        violation_error_message: str | None = None,
    ) -> None:
        self.fields = tuple(fields)
        self.to = to
        self.to_fields = tuple(to_fields)
        self.follow = follow
        super().__init__(name=name, violation_error_message=violation_error_message)

    def constraint_sql(self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None) -> Any:
        """At the end of the migration: what it refers to may come later in the same one."""
        assert model is not None and schema_editor is not None  # noqa: S101
        schema_editor.deferred_sql.append(self._statement(model, schema_editor))

    create_sql = constraint_sql

    def remove_sql(self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None) -> Any:
        assert model is not None and schema_editor is not None  # noqa: S101
        quote = schema_editor.quote_name
        return f"ALTER TABLE {quote(model._meta.db_table)} DROP CONSTRAINT {quote(self.name)}"

    def validate(
        self, model: type[models.Model], instance: models.Model, exclude: Any = None, using: str = "default"
    ) -> None:
        """The same question, asked before the database does: for forms."""
        values = [getattr(instance, _field(model, name).attname) for name in self.fields]
        if set(self.fields) & set(exclude or ()) or None in values:
            return
        target = model._meta.apps.get_model(self.to)
        wanted = dict(zip(self.to_fields, values, strict=True))
        if not target._base_manager.using(using).filter(**wanted).exists():
            raise ValidationError(self.get_violation_error_message(), code=self.violation_error_code)

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        kwargs |= {"fields": self.fields, "to": self.to, "to_fields": self.to_fields}
        if self.follow:
            kwargs["follow"] = True
        return path, args, kwargs

    def __eq__(self, other: object) -> bool:
        if isinstance(other, CompositeForeignKey):
            return bool(self.deconstruct() == other.deconstruct())
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.name, self.fields, self.to))

    def _statement(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> Statement:
        quote = schema_editor.quote_name
        target = model._meta.apps.get_model(self.to)

        def columns(of: type[models.Model], names: tuple[str, ...]) -> str:
            return ", ".join(quote(str(_field(of, name).column)) for name in names)

        return Statement(
            "ALTER TABLE %(table)s ADD CONSTRAINT %(name)s FOREIGN KEY (%(columns)s)"
            " REFERENCES %(to_table)s (%(to_columns)s)%(follow)s DEFERRABLE INITIALLY IMMEDIATE",
            table=quote(model._meta.db_table),
            name=quote(self.name),
            columns=columns(model, self.fields),
            to_table=quote(target._meta.db_table),
            to_columns=columns(target, self.to_fields),
            follow=" ON UPDATE CASCADE" if self.follow else "",
        )


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    field = model._meta.get_field(name)
    if not isinstance(field, models.Field) or field.column is None:
        raise FieldDoesNotExist(f"{model.__name__}.{name} has no column")
    return field
