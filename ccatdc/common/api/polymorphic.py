"""Polymorphic rows of the API: each with the serializer of its kind, described as one of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Model
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers


class ByKindSerializer(serializers.BaseSerializer[Any]):
    """A row as what it is. ``kinds`` has the serializer of each kind; field ``tag`` of the row says which it is, and the
    attribute ``tagged_as`` of the model what stands there.
    """

    kinds: ClassVar[Mapping[type[Model], type[serializers.BaseSerializer[Any]]]] = {}
    tag: ClassVar[str] = "type"
    tagged_as: ClassVar[str] = "TYPE"

    def to_representation(self, instance: Any) -> Any:
        """As its kind."""
        made: dict[type[Model], Any] = self.__dict__.setdefault("_of_kinds", {})
        kind = type(instance)
        if kind not in made:
            made[kind] = self.kinds[kind](context=self.context)
        return made[kind].to_representation(instance)


class ByKindExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """How the schema describes it."""

    target_class = ByKindSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Any:
        """One of the serializers, told apart by the tag."""
        described: Any = auto_schema
        refs = {
            str(getattr(model, self.target.tagged_as)): described.resolve_serializer(serializer, direction).ref
            for model, serializer in self.target.kinds.items()
        }
        return {
            "oneOf": list(refs.values()),
            "discriminator": {
                "propertyName": self.target.tag,
                "mapping": {tag: ref["$ref"] for tag, ref in refs.items()},
            },
        }
