"""The functions of ADQL that there are, and what they are in PostgreSQL. Another name is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Function:
    """A template with the arguments in turn, and how many there may be."""

    templates: dict[int, str]
    aggregate: bool = False


def _one(template: str) -> Function:
    return Function({1: template})


def _aggregate(name: str) -> Function:
    return Function({1: f"{name}({{0}})"}, aggregate=True)


_DOUBLE: Final = "({0})::double precision"

FUNCTIONS: Final[dict[str, Function]] = {
    **{name: _one(f"{name}({{0}})") for name in ("abs", "floor", "degrees", "radians")},
    **{
        name: _one(f"{name}({_DOUBLE})") for name in ("sqrt", "exp", "sin", "cos", "tan", "cot", "asin", "acos", "atan")
    },
    "ceiling": _one("ceil({0})"),
    "log": _one(f"ln({_DOUBLE})"),
    "log10": _one(f"log({_DOUBLE})"),
    "power": Function({2: f"power({_DOUBLE}, ({{1}})::double precision)"}),
    "atan2": Function({2: f"atan2({_DOUBLE}, ({{1}})::double precision)"}),
    "mod": Function({2: "mod(({0})::numeric, ({1})::numeric)::double precision"}),
    "pi": Function({0: "pi()"}),
    "rand": Function({0: "random()"}),
    "round": Function({1: "round({0})", 2: "round(({0})::numeric, ({1})::integer)::double precision"}),
    "truncate": Function({1: "trunc({0})", 2: "trunc(({0})::numeric, ({1})::integer)::double precision"}),
    "lower": _one("lower(({0})::text)"),
    "upper": _one("upper(({0})::text)"),
    "coalesce": Function({count: f"coalesce({', '.join(f'{{{n}}}' for n in range(count))})" for count in range(1, 11)}),
    **{name: _aggregate(name) for name in ("count", "sum", "avg", "min", "max")},
}
#: Types that CAST knows.
TYPES: Final[dict[str, str]] = {
    "SMALLINT": "smallint",
    "INT": "integer",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "CHAR": "text",
    "VARCHAR": "text",
    "TEXT": "text",
    "TIMESTAMP": "timestamp",
}
