"""What is in the database already, by the names that files use.

Tables are read once, when the first row that names them comes; a name that holds another row's name (an obs unit's its
program's) is put together from what was read, without a query for each row.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.db import models

from ccatdc.reference.declarations import declaration_of, family_of, key_part
from ccatdc.reference.entries import AmbiguousNameError


class StoredRows:
    """Rows by name and names by primary key; new rows are added as they are made."""

    def __init__(self) -> None:
        self._rows: dict[type[models.Model], dict[str, models.Model]] = {}
        self._names: dict[type[models.Model], dict[Any, str]] = {}
        self._links: dict[tuple[type[models.Model], str], dict[Any, set[Any]]] = {}

    def rows(self, family: type[models.Model]) -> dict[str, models.Model]:
        """All rows of a family by name. Raises :class:`AmbiguousNameError`."""
        if family not in self._rows:
            found: dict[str, models.Model] = {}
            for row in family._default_manager.order_by("pk"):
                if (name := self._name(row)) in found:
                    raise AmbiguousNameError(
                        f"Two rows of {family._meta.db_table} are both called {name!r} in files.",
                        remedy="Rename one of them in the portal.",
                    )
                found[name] = row
            self._rows[family] = found
        return self._rows[family]

    def name_of(self, family: type[models.Model], pk: Any) -> str:
        """The name of a row. Raises KeyError for one that was made after the first question."""
        if family not in self._names:
            self._names[family] = {row.pk: name for name, row in self.rows(family).items()}
        return self._names[family][pk]

    def add(self, family: type[models.Model], name: str, row: models.Model) -> None:
        """A row that was made, stored or about to be."""
        self.rows(family)[name] = row
        self._names.pop(family, None)

    def links(self, model: type[models.Model], name: str) -> dict[Any, set[Any]]:
        """Of a many-to-many field: primary keys of the rows linked to, by that of the row."""
        if (model, name) not in self._links:
            link = model._meta.get_field(name)
            assert isinstance(link, models.ManyToManyField)  # noqa: S101 - of Declaration.links
            found: defaultdict[Any, set[Any]] = defaultdict(set)
            pairs = through_of(link)._base_manager.values_list(
                f"{link.m2m_field_name()}_id", f"{link.m2m_reverse_field_name()}_id"
            )
            for row, target in pairs:
                found[row].add(target)
            self._links[model, name] = found
        return self._links[model, name]

    def _name(self, row: models.Model) -> str:
        declaration = declaration_of(type(row))
        parts = []
        for key in declaration.key:
            column = declaration.fields[key]
            value = getattr(row, column.attname)
            if isinstance(target := column.related_model, type):
                parts.append(self.name_of(family_of(target), value))
            else:
                parts.append(key_part(value))
        return declaration.separator.join(parts)


def through_of(link: models.ManyToManyField[Any, Any]) -> type[models.Model]:
    """The model of a link's own table."""
    through = link.remote_field.through
    assert through is not None, "links are resolved once all apps are loaded"  # noqa: S101
    return through
