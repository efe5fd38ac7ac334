"""A CHECK for a JSON column that holds an object of named numbers: which names there are, and their ranges.

The scan of an obs unit is such a column (planning/models/configurations.py); a form says the same first, in words. Imports
no app.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Cast
from django.db.models.lookups import Exact, LessThan, Regex

#: A whole number as PostgreSQL writes it.
_WHOLE = r"^-?[0-9]+$"


class JsonNumbers(models.CheckConstraint):
    """Where the column ``when[0]`` is ``when[1]``, ``field`` is an object of these numbers and of nothing else.

    ``numbers`` gives for each name its bounds by lookup (``gt``, ``gte``, ``lt``, ``lte``) and ``whole``; ``required`` must
    be there; of each pair in ``rising`` the first is below the second.
    """

    def __init__(
        self,
        *,
        field: str,
        when: tuple[str, str],
        numbers: Mapping[str, Mapping[str, Any]],
        required: Sequence[str],
        rising: Sequence[tuple[str, str]] = (),
        name: str,
    ) -> None:
        self.field = field
        self.when = tuple(when)
        self.numbers = {name: dict(bounds) for name, bounds in numbers.items()}
        self.required = list(required)
        self.rising = [tuple(pair) for pair in rising]
        super().__init__(
            condition=~Q(**{self.when[0]: self.when[1]}) | self._holds(),
            name=name,
            violation_error_message=f"This is no object of the numbers {', '.join(self.numbers)}.",
        )

    @property
    def in_words(self) -> str:
        """For the documentation."""
        return (
            f"where {self.when[0]} = {self.when[1]}, {self.field} is an object of numbers: "
            + "; ".join(self._number_in_words(name) for name in self.numbers)
            + "".join(f"; {low} < {high}" for low, high in self.rising)
        )

    def deconstruct(self) -> Any:
        """For migrations."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return (
            path,
            (),
            {
                "field": self.field,
                "when": self.when,
                "numbers": self.numbers,
                "required": self.required,
                "rising": self.rising,
                "name": self.name,
            },
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, JsonNumbers):
            return bool(self.deconstruct() == other.deconstruct())
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.name, self.field))

    def _holds(self) -> Q:
        names = Value(list(self.numbers), output_field=_texts())
        rest = Func(
            F(self.field),
            names,
            template="(%(expressions)s)",
            arg_joiner=" - ",
            output_field=models.JSONField(),
        )
        nothing = Cast(Value("{}"), models.JSONField())
        holds = Q(Exact(_type_of(F(self.field)), Value("object")))
        holds &= Q(Exact(rest, nothing))
        if self.required:
            holds &= Q(**{f"{self.field}__has_keys": self.required})
        for name, bounds in self.numbers.items():
            # The type of a name that is not there is unknown, which a CHECK lets pass.
            holds &= Q(Exact(_type_of(KeyTransform(name, self.field)), Value("number")))
            for lookup, bound in bounds.items():
                if lookup == "whole":
                    text = Cast(KeyTransform(name, self.field), models.TextField())
                    holds &= Q(Regex(text, Value(_WHOLE)))
                else:
                    holds &= Q(**{f"{self.field}__{name}__{lookup}": bound})
        for low, high in self.rising:
            holds &= Q(LessThan(KeyTransform(low, self.field), KeyTransform(high, self.field)))
        return holds

    def _number_in_words(self, name: str) -> str:
        signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
        said = [
            "whole" if lookup == "whole" else f"{signs[lookup]} {bound}"
            for lookup, bound in self.numbers[name].items()
        ]
        need = ["required"] if name in self.required else []
        return f"{name} {', '.join([*said, *need])}".strip()


def _texts() -> Any:
    from django.contrib.postgres.fields import ArrayField

    return ArrayField(models.TextField())


def _type_of(value: Any) -> Func:
    return Func(value, function="jsonb_typeof", output_field=models.TextField())
