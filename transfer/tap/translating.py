"""An ADQL tree becomes SQL. Security stands here: only kinds of nodes, functions, tables and columns that are listed get
through, each node with the parts that are listed, and the SQL is written anew. Names are ours or were looked up; texts are
parameters; numbers were numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlglot import exp

from transfer.tap import geometry
from transfer.tap.functions import FUNCTIONS, TYPES
from transfer.tap.geometry import SHAPES, SYSTEMS, Number, Shape
from transfer.tap.nodes import (
    alias_of,
    constant,
    name_of,
    name_of_call,
    number_of,
    only,
    part_of,
    quoted,
    refused,
    single,
    whole,
)
from transfer.tap.parsing import QueryError, parse
from transfer.tap.tables import TABLES, Column, Table, bare, rows_of

#: Tables in one query: each may multiply the rows.
MOST_TABLES: Final = 10
_SQL_TYPES: Final = {"char": "text", "int": "integer", "long": "bigint", "double": "double precision"}


@dataclass(frozen=True, slots=True)
class Translated:
    """SQL with its parameters; what each column of the answer is called and means."""

    sql: str
    parameters: list[Any]
    columns: list[Column]


_Known = dict[str, dict[str, Column]]


@dataclass(slots=True)
class _Scope:
    """The tables of one SELECT, with their columns by name, and those around it."""

    outer: _Scope | None = None
    sources: dict[str, dict[str, Column]] = field(default_factory=dict)
    full_names: dict[str, str] = field(default_factory=dict)
    #: Columns that a join has made one.
    merged: set[str] = field(default_factory=set)
    made: dict[str, Column] = field(default_factory=dict)
    #: Queries that WITH has named.
    known: _Known = field(default_factory=dict)

    def around(self) -> Iterator[_Scope]:
        """This and those outside, inside first."""
        scope: _Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer


def translate(query: str) -> Translated:
    """The SQL of a query. Raises QueryError for what is not allowed or not there."""
    tree = parse(query)
    writer = _Writer()
    try:
        sql, columns = writer.query(tree, None, {})
    except RecursionError as error:
        raise QueryError("The query is too deep.", code="tap.too_large") from error
    return Translated(sql, writer.parameters, columns)


class _Writer:
    """One query. ``parameters`` in the order of their places."""

    def __init__(self) -> None:
        self.parameters: list[Any] = []
        self._tables = 0
        self._handlers: dict[type[exp.Expression], Callable[[Any, _Scope], str]] = {
            exp.Column: self._column,
            exp.Literal: self._literal,
            exp.Null: lambda _node, _scope: "NULL",
            exp.Paren: lambda node, scope: f"({self.value(part_of(node), scope)})",
            exp.Neg: lambda node, scope: f"(- {self.value(part_of(node), scope)})",
            exp.Not: lambda node, scope: f"(NOT {self.value(part_of(node), scope)})",
            exp.Is: self._is_null,
            exp.In: self._in,
            exp.Between: self._between,
            exp.Like: lambda node, scope: self._like(node, scope, "LIKE"),
            exp.ILike: lambda node, scope: self._like(node, scope, "ILIKE"),
            exp.Exists: lambda node, scope: f"EXISTS ({self._inner(part_of(node), scope)})",
            exp.Subquery: lambda node, scope: f"({self._inner(part_of(node), scope)})",
            exp.Anonymous: self._call,
            exp.Cast: self._cast,
        }
        for kind, sign in _CHAINS.items():
            self._handlers[kind] = self._chain(sign)
        for kind, sign in _COMPARISONS.items():
            self._handlers[kind] = self._comparison(sign)

    # --- Queries ------------------------------------------------------------------------------------------------------

    def query(self, node: Any, outer: _Scope | None, known: _Known) -> tuple[str, list[Column]]:
        """A SELECT or a combination of several, with what its columns are."""
        head, known = self._with(node, outer, known)
        if isinstance(node, exp.Select):
            sql, columns = self._select(node, outer, known)
        elif type(node) in _SETS:
            sql, columns = self._set(node, outer, known)
        elif isinstance(node, exp.Subquery):
            only(node, "this")
            sql, columns = self.query(node.this, outer, known)
            sql = f"({sql})"
        else:
            raise refused(node)
        return head + sql, columns

    def _with(self, node: Any, outer: _Scope | None, known: _Known) -> tuple[str, _Known]:
        clause = node.args.get("with_")
        if clause is None:
            return "", known
        only(clause, "expressions")
        made, parts = dict(known), []
        for each in clause.expressions:
            only(each, "this", "alias")
            only(each.args["alias"], "this")
            name = name_of(each.args["alias"].this)
            sql, columns = self.query(each.this, outer, made)
            made[name] = {bare(column.name): column for column in columns}
            parts.append(f"{quoted(name)} AS ({sql})")
        return f"WITH {', '.join(parts)} ", made

    def _set(self, node: Any, outer: _Scope | None, known: _Known) -> tuple[str, list[Column]]:
        only(node, "this", "expression", "distinct", "order", "limit", "offset", "with_")
        left, columns = self.query(node.this, outer, known)
        right, others = self.query(node.expression, outer, known)
        if len(columns) != len(others):
            raise QueryError("Both sides of a combination have the same number of columns.")
        keyword = _SETS[type(node)] + ("" if node.args.get("distinct") else " ALL")
        scope = _Scope(outer, made={bare(column.name): column for column in columns}, known=known)
        return f"({left}) {keyword} ({right}){self._end(node, scope)}", columns

    def _select(self, node: exp.Select, outer: _Scope | None, known: _Known) -> tuple[str, list[Column]]:
        only(node, "expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct",
              "with_")  # fmt: skip
        scope = _Scope(outer, known=known)
        # In the order in which the text has them: parameters are counted.
        marks = self.parameters
        self.parameters = []
        source = self._from(node, scope, known)
        of_source, self.parameters = self.parameters, []
        outputs = [made for each in node.expressions for made in self._output(each, scope)]
        self.parameters = [*marks, *self.parameters, *of_source]
        scope.made = {bare(column.name): column for _, column in outputs}
        distinct = node.args.get("distinct")
        if distinct is not None:
            only(distinct)
        listed = ", ".join(f"{sql} AS {quoted(bare(column.name))}" for sql, column in outputs)
        sql = f"SELECT {'DISTINCT ' if distinct is not None else ''}{listed}{source}"
        sql += self._condition(node, "where", "WHERE", scope)
        group = node.args.get("group")
        if group is not None:
            only(group, "expressions")
            sql += f" GROUP BY {', '.join(self._named(each, scope, inputs_first=True) for each in group.expressions)}"
        sql += self._condition(node, "having", "HAVING", scope)
        return sql + self._end(node, scope), [column for _, column in outputs]

    def _condition(self, node: Any, name: str, keyword: str, scope: _Scope) -> str:
        clause = node.args.get(name)
        if clause is None:
            return ""
        only(clause, "this")
        return f" {keyword} {self.value(clause.this, scope)}"

    def _end(self, node: Any, scope: _Scope) -> str:
        """ORDER BY, TOP and OFFSET."""
        sql = ""
        order = node.args.get("order")
        if order is not None:
            only(order, "expressions")
            sql = f" ORDER BY {', '.join(self._ordered(each, scope) for each in order.expressions)}"
        for name, keyword in (("limit", "LIMIT"), ("offset", "OFFSET")):
            clause = node.args.get(name)
            if clause is not None:
                only(clause, "expression")
                sql += f" {keyword} {whole(clause.expression)}"
        return sql

    def _ordered(self, node: Any, scope: _Scope) -> str:
        only(node, "this", "desc", "nulls_first")
        return self._named(node.this, scope) + (" DESC" if node.args.get("desc") else "")

    def _named(self, node: Any, scope: _Scope, *, inputs_first: bool = False) -> str:
        """A column of the answer by its number or name, else an expression."""
        if isinstance(node, exp.Literal) and not node.is_string:
            return str(whole(node))
        if isinstance(node, exp.Column) and not node.args.get("table"):
            name = name_of(node.this)
            is_input = any(name in columns for columns in scope.sources.values())
            if name in scope.made and not (inputs_first and is_input):
                return quoted(name)
        return self.value(node, scope)

    # --- Tables -------------------------------------------------------------------------------------------------------

    def _from(self, node: exp.Select, scope: _Scope, known: _Known) -> str:
        clause = node.args.get("from_")
        if clause is None:
            return ""
        only(clause, "this")
        sql = f" FROM {self._source(clause.this, scope, known)}"
        for join in node.args.get("joins") or ():
            sql += self._join(join, scope, known)
        return sql

    def _source(self, node: Any, scope: _Scope, known: _Known) -> str:
        """A table or a query, under its name; a bracket round joins."""
        self._tables += 1
        if self._tables > MOST_TABLES:
            raise QueryError(f"A query has {MOST_TABLES} tables at most.", code="tap.too_large")
        if isinstance(node, exp.Subquery):
            only(node, "this", "alias")
            alias = alias_of(node)
            if alias is None:
                raise QueryError("Give a query in FROM a name: (SELECT …) AS name.")
            sql, columns = self.query(node.this, scope.outer, known)
            self._add(scope, alias, {bare(column.name): column for column in columns})
            return f"({sql}) AS {quoted(alias)}"
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            raise refused(node)
        only(node, "this", "db", "alias", "joins")
        if node.args.get("joins"):
            raise refused(node)
        name = name_of(node.this)
        if not node.args.get("db"):
            if name not in known:
                raise QueryError(f"There is no table {name}.", remedy=f"There are {', '.join(TABLES)}.")
            alias = alias_of(node) or name
            self._add(scope, alias, known[name])
            return f"{quoted(name)} AS {quoted(alias)}"
        full = f"{name_of(node.args['db']).lower()}.{name.lower()}"
        table = TABLES.get(full)
        if table is None:
            raise QueryError(f"There is no table {full}.", remedy=f"There are {', '.join(TABLES)}.")
        alias = alias_of(node) or name.lower()
        self._add(scope, alias, {bare(column.name): column for column in table.columns})
        scope.full_names[full] = alias
        return f"{self._rows(table)} AS {quoted(alias)}"

    def _add(self, scope: _Scope, alias: str, columns: dict[str, Column]) -> None:
        if alias in scope.sources:
            raise QueryError(f"Two tables are called {alias}.", remedy="Give one of them another name: AS name.")
        scope.sources[alias] = columns

    def _rows(self, table: Table) -> str:
        if table.relation:
            return f"public.{quoted(table.relation)}"
        columns = [(bare(column.name), _SQL_TYPES[column.datatype]) for column in table.columns]
        listed = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns)
        self.parameters.append(json.dumps(rows_of(table)))
        names = ", ".join(quoted(name) for name, _ in columns)
        return f"(SELECT {names} FROM jsonb_to_recordset(%s::jsonb) AS r ({listed}))"  # noqa: S608 - names are ours

    def _join(self, node: Any, scope: _Scope, known: _Known) -> str:
        only(node, "this", "side", "kind", "method", "using", "on")
        side, kind, method = (str(node.args.get(name) or "").upper() for name in ("side", "kind", "method"))
        if (side, kind) not in _JOINS or method not in ("", "NATURAL"):
            raise refused(node)
        before = {name for columns in scope.sources.values() for name in columns}
        source = self._source(node.this, scope, known)
        added = list(scope.sources.values())[-1]
        using = [name_of(each) for each in node.args.get("using") or ()]
        if method:
            using = [name for name in added if name in before]
        if using:
            missing = [name for name in using if name not in before or name not in added]
            if missing:
                raise QueryError(f"{missing[0]} is not in both tables of the join.")
            scope.merged.update(using)
            return f" {_joined(side)} {source} USING ({', '.join(map(quoted, using))})"
        if node.args.get("on") is not None:
            return f" {_joined(side)} {source} ON {self.value(node.args['on'], scope)}"
        if side:
            raise QueryError("An outer join says which rows belong together: ON or USING.")
        return f" CROSS JOIN {source}"

    # --- Columns of the answer ----------------------------------------------------------------------------------------

    def _output(self, node: Any, scope: _Scope) -> Iterator[tuple[str, Column]]:
        if isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
            yield from self._all(node, scope)
            return
        name = None
        if isinstance(node, exp.Alias):
            only(node, "this", "alias")
            name = name_of(node.args["alias"])
            node = node.this
        if isinstance(node, exp.Column):
            sql, column = self._found(node, scope)
            yield sql, column if name is None else replace(column, name=name)
            return
        usual = name_of_call(node)
        yield self.value(node, scope), Column(name or usual, datatype="")

    def _all(self, node: Any, scope: _Scope) -> Iterator[tuple[str, Column]]:
        if isinstance(node, exp.Star):
            only(node)
            wanted = list(scope.sources)
        else:
            only(node, "this", "table", "db")
            only(node.this)
            wanted = [self._alias_of(node, scope)]
        seen: set[str] = set()
        for alias in wanted:
            if alias not in scope.sources:
                raise QueryError(f"There is no table {alias} in FROM.")
            for name, column in scope.sources[alias].items():
                if name in scope.merged and len(wanted) > 1:
                    if name not in seen:
                        seen.add(name)
                        yield quoted(name), column
                else:
                    yield f"{quoted(alias)}.{quoted(name)}", column

    def _alias_of(self, node: Any, scope: _Scope) -> str:
        table = name_of(node.args["table"])
        if not node.args.get("db"):
            return next((each for each in (table, table.lower()) if each in scope.sources), table)
        full = f"{name_of(node.args['db'])}.{table}".lower()
        for each in scope.around():
            if full in each.full_names:
                return each.full_names[full]
        raise QueryError(f"There is no table {full} in FROM.")

    def _found(self, node: Any, scope: _Scope) -> tuple[str, Column]:
        """A column where it is known, of the innermost query that has it."""
        only(node, "this", "table", "db")
        if not isinstance(node.this, exp.Identifier):
            raise refused(node)
        name = name_of(node.this)
        alias = self._alias_of(node, scope) if node.args.get("table") else None
        for each in scope.around():
            if alias is not None:
                if alias in each.sources:
                    columns = each.sources[alias]
                    if name not in columns:
                        raise QueryError(f"The table {alias} has no column {name}.")
                    return f"{quoted(alias)}.{quoted(name)}", columns[name]
                continue
            having = [alias for alias, columns in each.sources.items() if name in columns]
            if having and name in each.merged:
                return quoted(name), each.sources[having[0]][name]
            if len(having) > 1:
                raise QueryError(f"{name} is in {' and in '.join(having)}.", remedy=f"Write {having[0]}.{name}.")
            if having:
                return f"{quoted(having[0])}.{quoted(name)}", each.sources[having[0]][name]
        where = f"table {alias}" if alias is not None else f"column {name}"
        raise QueryError(f"There is no {where} here.", remedy="TAP_SCHEMA.columns lists them.")

    # --- Expressions --------------------------------------------------------------------------------------------------

    def value(self, node: Any, scope: _Scope) -> str:
        """An expression. Raises QueryError for a kind that is not listed."""
        handler = self._handlers.get(type(node))
        if handler is None:
            raise refused(node)
        return handler(node, scope)

    def _inner(self, node: Any, scope: _Scope) -> str:
        return self.query(node, scope, scope.known)[0]

    def _column(self, node: Any, scope: _Scope) -> str:
        return self._found(node, scope)[0]

    def _literal(self, node: Any, _scope: _Scope) -> str:
        if node.is_string:
            self.parameters.append(node.this)
            return "%s"
        return number_of(node)

    def _chain(self, sign: str) -> Callable[[Any, _Scope], str]:
        def write(node: Any, scope: _Scope) -> str:
            operands = []
            # To the left it is as long as the query; recursion would be as deep.
            kind = type(node)
            while type(node) is kind:
                only(node, "this", "expression", "typed", "safe")
                operands.append(node.expression)
                node = node.this
            operands.append(node)
            return f"({f' {sign} '.join(self.value(each, scope) for each in reversed(operands))})"

        return write

    def _comparison(self, sign: str) -> Callable[[Any, _Scope], str]:
        def write(node: Any, scope: _Scope) -> str:
            only(node, "this", "expression")
            if sign in ("=", "<>"):
                predicate = self._predicate(node.this, node.expression, scope)
                if predicate is None:
                    predicate = self._predicate(node.expression, node.this, scope)
                if predicate is not None:
                    condition, wanted = predicate
                    return condition if (wanted == "1") == (sign == "=") else f"(NOT {condition})"
            near = self._near(node.this, node.expression, sign, scope) or self._near(
                node.expression, node.this, _TURNED.get(sign, ""), scope
            )
            return near or f"({self.value(node.this, scope)} {sign} {self.value(node.expression, scope)})"

        return write

    def _predicate(self, call: Any, other: Any, scope: _Scope) -> tuple[str, str] | None:
        """CONTAINS or INTERSECTS compared with 1 or 0: a condition, and with which."""
        if not isinstance(call, exp.Anonymous) or not isinstance(other, exp.Literal) or other.this not in ("0", "1"):
            return None
        name = str(call.this).lower()
        if name not in ("contains", "intersects") or other.is_string:
            return None
        one, two = self._two_shapes(call, scope)
        return (geometry.contains if name == "contains" else geometry.intersects)(one, two), str(other.this)

    def _near(self, call: Any, limit: Any, sign: str, scope: _Scope) -> str | None:
        """DISTANCE that is less than something."""
        if sign not in ("<", "<=") or not isinstance(call, exp.Anonymous) or str(call.this).lower() != "distance":
            return None
        one, other = self._places(call, scope)
        return geometry.within(one, other, self._argument(limit, scope), sign)

    def _is_null(self, node: Any, scope: _Scope) -> str:
        only(node, "this", "expression")
        if not isinstance(node.expression, exp.Null):
            raise refused(node)
        return f"({self.value(node.this, scope)} IS NULL)"

    def _in(self, node: Any, scope: _Scope) -> str:
        only(node, "this", "expressions", "query")
        left = self.value(node.this, scope)
        if node.args.get("query") is not None:
            return f"({left} IN ({self._inner(node.args['query'], scope)}))"
        return f"({left} IN ({', '.join(self.value(each, scope) for each in node.expressions)}))"

    def _between(self, node: Any, scope: _Scope) -> str:
        only(node, "this", "low", "high")
        value, low, high = (self.value(node.args[name], scope) for name in ("this", "low", "high"))
        return f"({value} BETWEEN {low} AND {high})"

    def _like(self, node: Any, scope: _Scope, keyword: str) -> str:
        only(node, "this", "expression", "negate")
        turned = "NOT " if node.args.get("negate") else ""
        return f"({self.value(node.this, scope)} {turned}{keyword} {self.value(node.expression, scope)})"

    def _cast(self, node: Any, scope: _Scope) -> str:
        only(node, "this", "to", "safe")
        kind = TYPES.get(getattr(node.args["to"].this, "name", ""))
        if kind is None or node.args.get("safe"):
            raise QueryError("CAST knows these types only: " + ", ".join(sorted(set(TYPES.values()))) + ".")
        return f"(({self.value(node.this, scope)})::{kind})"

    def _call(self, node: Any, scope: _Scope) -> str:
        only(node, "this", "expressions")
        name = str(node.this).lower()
        if name in ("contains", "intersects"):
            one, other = self._two_shapes(node, scope)
            condition = (geometry.contains if name == "contains" else geometry.intersects)(one, other)
            return f"({condition})::integer"
        if name == "distance":
            return geometry.distance(*self._places(node, scope))
        if name in SHAPES:
            raise QueryError(f"{name.upper()} stands inside of CONTAINS, INTERSECTS or DISTANCE.")
        if name in ("coord1", "coord2"):
            place = self._shape(single(node), scope)
            if place.kind != "point":
                raise QueryError(f"{name.upper()} is of a POINT.")
            return place.numbers[int(name[-1]) - 1].sql
        function = FUNCTIONS.get(name)
        if function is None:
            raise QueryError(f"There is no function {name.upper()[:40]}.", remedy=f"There are {_ALL_FUNCTIONS}.")
        if name == "count" and len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Star):
            only(node.expressions[0])
            return "count(*)"
        template = function.templates.get(len(node.expressions))
        if template is None:
            raise QueryError(f"{name.upper()} has another number of arguments.")
        return template.format(*(self._given(each, scope, function.aggregate) for each in node.expressions))

    def _given(self, node: Any, scope: _Scope, aggregate: bool) -> str:
        if not isinstance(node, exp.Distinct) or not aggregate:
            return self.value(node, scope)
        only(node, "expressions")
        if len(node.expressions) != 1:
            raise refused(node)
        return f"DISTINCT {self.value(node.expressions[0], scope)}"

    # --- Geometry -----------------------------------------------------------------------------------------------------

    def _two_shapes(self, node: Any, scope: _Scope) -> tuple[Shape, Shape]:
        if len(node.expressions) != 2:
            raise QueryError(f"{str(node.this).upper()} has two arguments.")
        one, other = (self._shape(each, scope) for each in node.expressions)
        return one, other

    def _places(self, node: Any, scope: _Scope) -> tuple[Shape, Shape]:
        given = node.expressions
        if len(given) == 4:
            numbers = [self._argument(each, scope) for each in given]
            return geometry.shape("point", numbers[:2]), geometry.shape("point", numbers[2:])
        one, other = self._two_shapes(node, scope)
        if {one.kind, other.kind} != {"point"}:
            raise QueryError("DISTANCE is between two POINTs, or of four angles.")
        return one, other

    def _shape(self, node: Any, scope: _Scope) -> Shape:
        if isinstance(node, exp.Column):
            sql, column = self._found(node, scope)
            if column.xtype != "adql:REGION":
                raise QueryError(f"{column.name} is no region.")
            return geometry.region(sql)
        name = str(node.this).lower() if isinstance(node, exp.Anonymous) else ""
        if name not in SHAPES:
            raise QueryError("Here stands POINT, CIRCLE, BOX, POLYGON or a column with a region.")
        only(node, "this", "expressions")
        given = list(node.expressions)
        if given and isinstance(given[0], exp.Literal) and given[0].is_string:
            if str(given[0].this).strip().upper() not in SYSTEMS:
                raise QueryError("Coordinates are ICRS.", remedy="Write 'ICRS', or leave it out.")
            given = given[1:]
        numbers: list[Number] = []
        for each in given:
            if isinstance(each, exp.Anonymous) and str(each.this).lower() == "point" and name != "point":
                numbers += self._shape(each, scope).numbers
            else:
                numbers.append(self._argument(each, scope))
        return geometry.shape(name, numbers)

    def _argument(self, node: Any, scope: _Scope) -> Number:
        """A number that may be written several times, so it has no parameters."""
        before = len(self.parameters)
        sql = self.value(node, scope)
        if len(self.parameters) != before:
            raise QueryError("Angles are numbers.")
        return Number(sql, constant(node))


_CHAINS: Final[dict[type[exp.Expression], str]] = {
    exp.And: "AND",
    exp.Or: "OR",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.DPipe: "||",
}
_COMPARISONS: Final[dict[type[exp.Expression], str]] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}
_TURNED: Final = {">": "<", ">=": "<="}
_SETS: Final[dict[type[exp.Expression], str]] = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}
_JOINS: Final = frozenset(
    {
        ("", ""),
        ("", "INNER"),
        ("", "CROSS"),
        *((side, kind) for side in ("LEFT", "RIGHT", "FULL") for kind in ("", "OUTER")),
    }
)
_ALL_FUNCTIONS: Final = ", ".join(sorted([*FUNCTIONS, *SHAPES, "contains", "intersects", "distance"])).upper()


def _joined(side: str) -> str:
    return f"{side} JOIN".strip() if side else "JOIN"
