"""``?expand=obs_unit,obs_unit.source``: rows of the API carry along what they refer to, in a constant number of
queries.

A serializer says in ``relations`` what its rows refer to; a view says in ``expands`` which of these, and how
deep, it offers. What was asked for stands beside the row's own fields under ``expanded``, so that a field has one type
always. The related rows of a whole page are read at once: one query for each relation (and kind of row), however many
rows there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import Model, Prefetch, QuerySet, prefetch_related_objects
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from ccatdc.common.api.polymorphic import ByKindSerializer
from ccatdc.common.visibility import visible

#: Relations by name, and what is to be expanded of the related rows in turn.
Wanted = Mapping[str, "Wanted"]
CONTEXT = "expand"
PARAMETER = "expand"


@dataclass(frozen=True, slots=True)
class Relation:
    """What a row refers to: ``source`` is the attribute of the model, ``rows`` come with all that ``serializer`` reads."""

    source: str
    serializer: type[serializers.BaseSerializer[Any]]
    rows: Callable[[], QuerySet[Any]]
    many: bool = False


class Expandable:
    """A serializer whose rows can carry along what they refer to."""

    relations: ClassVar[Mapping[str, Relation]] = {}
    #: What the serializer itself reads, where a join cannot bring it along (relations of one kind of polymorphic rows).
    reads: ClassVar[tuple[str, ...]] = ()

    def to_representation(self, instance: Any) -> Any:
        """The row, and what was asked for with it."""
        shown = super().to_representation(instance)  # type: ignore[misc]
        wanted = _wanted_here(self)
        if wanted:
            shown["expanded"] = {
                name: self._related(name, instance, deeper) for name, deeper in wanted.items() if name in self.relations
            }
        return shown

    def _related(self, name: str, instance: Any, deeper: Wanted) -> Any:
        relation = self.relations[name]
        made: dict[str, Any] = self.__dict__.setdefault("_of_relations", {})
        if name not in made:
            context: Any = getattr(self, "context", {})
            made[name] = relation.serializer(context={**context, CONTEXT: deeper})
        found = getattr(instance, _attribute(name))
        if relation.many:
            return [made[name].to_representation(each) for each in found]
        return None if found is None else made[name].to_representation(found)


def wanted_from(text: str, allowed: Sequence[str]) -> Wanted:
    """What is asked for, as a tree. ValidationError that lists what there is for anything else."""
    tree: dict[str, Any] = {}
    for path in text.split(","):
        if path not in allowed:
            there_is = f"There is: {', '.join(allowed)}." if allowed else "There is nothing here."
            raise serializers.ValidationError(
                {PARAMETER: f"{path!r} cannot be expanded. {there_is}"}, code="invalid_choice"
            )
        branch = tree
        for name in path.split("."):
            branch = branch.setdefault(name, {})
    return tree


def carry_along(
    rows: Iterable[Any], serializer: type[serializers.BaseSerializer[Any]], wanted: Wanted, user: Any
) -> None:
    """Read what the rows refer to, for all of them at once: what was asked for, as far as ``user`` may see it, and what
    their serializer ``reads`` anyway.
    """
    by_kind: dict[type[Model], list[Any]] = defaultdict(list)
    for row in rows:
        by_kind[type(row)].append(row)
    for kind, members in by_kind.items():
        own = serializer_of(serializer, kind)
        prefetch_related_objects(members, *getattr(own, "reads", ()))
        relations: Mapping[str, Relation] = getattr(own, "relations", {})
        for name, deeper in wanted.items():
            if name not in relations:
                continue  # another kind has it
            relation, attribute = relations[name], _attribute(name)
            seen = visible(relation.rows(), user)
            lookup = Prefetch(relation.source, queryset=seen, to_attr=attribute)
            prefetch_related_objects(members, lookup)
            found = [getattr(member, attribute) for member in members]
            related = [one for each in found for one in each] if relation.many else found
            distinct = {id(one): one for one in related if one is not None}
            carry_along(distinct.values(), relation.serializer, deeper, user)


def serializer_of(
    serializer: type[serializers.BaseSerializer[Any]], kind: type[Model]
) -> type[serializers.BaseSerializer[Any]]:
    """The serializer of rows of this kind."""
    return serializer.kinds[kind] if issubclass(serializer, ByKindSerializer) else serializer


class ExpandingSchema(AutoSchema):
    """Describes the parameter of the view, and ``expanded`` of the serializers."""

    def get_override_parameters(self) -> Any:
        """``expand`` where the view offers something."""
        parameters = super().get_override_parameters()
        offered = getattr(self.view, "expands", ())
        if offered and self.method == "GET":
            text = "What to carry along under expanded, separated by commas."
            names = {"type": "array", "items": {"type": "string", "enum": list(offered)}}
            expand = OpenApiParameter(PARAMETER, names, description=text, explode=False)
            parameters = [*parameters, expand]
        return parameters

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        described: Any = super()
        schema = described._map_basic_serializer(serializer, direction)
        relations: Mapping[str, Relation] = getattr(serializer, "relations", {})
        if relations and direction == "response":
            schema["properties"]["expanded"] = {
                "type": "object",
                "readOnly": True,
                "description": "What the parameter expand asked for.",
                "properties": {name: self._related_schema(relation) for name, relation in relations.items()},
            }
        return schema

    def _related_schema(self, relation: Relation) -> dict[str, Any]:
        described: Any = self
        component = described.resolve_serializer(relation.serializer, "response").ref
        if relation.many:
            return {"type": "array", "items": component}
        return {"allOf": [component], "nullable": True}


def _attribute(name: str) -> str:
    return f"expanded_{name}"


def _wanted_here(serializer: Any) -> Wanted:
    """What was asked for of these rows: only of those that the answer is about, not of rows inside of others."""
    parent = getattr(serializer, "parent", None)
    if isinstance(parent, serializers.ListSerializer):
        parent = parent.parent
    if parent is not None:
        return {}
    wanted: Wanted = serializer.context.get(CONTEXT, {})
    return wanted
