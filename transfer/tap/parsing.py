"""ADQL becomes a tree: sqlglot parses, without any of the functions and literals that it knows of SQL dialects.

What is too long or too deep is refused before. The tree is not trusted: transfer/tap/translating.py looks every part of
it up in what is allowed.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp, parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from ccatdc.common.errors import RequestError

MOST_CHARACTERS: Final = 20_000
#: Words, names and signs; open brackets; what stands in each other.
MOST_TOKENS: Final = 3_000
MOST_BRACKETS: Final = 25
_OPENING: Final = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSING: Final = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})


class Adql(Dialect):
    """Only the grammar; every function is a name with arguments."""

    class Tokenizer(tokens.Tokenizer):
        """With TOP. Texts are between single quotes and nothing else."""

        KEYWORDS = {**tokens.Tokenizer.KEYWORDS, "TOP": TokenType.TOP}
        QUOTES = ["'"]
        IDENTIFIERS = ['"']
        STRING_ESCAPES = ["'"]
        COMMENTS = ["--"]

    class Parser(parser.Parser):
        """Without functions of its own, but CAST."""

        FUNCTIONS = {}
        NO_PAREN_FUNCTIONS = {}
        NO_PAREN_FUNCTION_PARSERS = {}
        FUNCTION_PARSERS = {"CAST": parser.Parser.FUNCTION_PARSERS["CAST"]}


class QueryError(RequestError):
    """A query that is not ADQL, or asks for what there is not."""

    default_code = "tap.query"


def parse(query: str) -> exp.Query:
    """The tree of one query. Raises QueryError for what is none, is too long or too deep."""
    if len(query) > MOST_CHARACTERS:
        raise QueryError(f"A query has {MOST_CHARACTERS} characters at most.", code="tap.too_large")
    dialect = Adql()
    try:
        found = dialect.tokenize(query)
        _require_small(found)
        trees = dialect.parser().parse(found, query)
    except (ParseError, TokenError) as error:
        raise QueryError(f"This is no ADQL: {_place(error)}.", remedy=_EXAMPLE) from error
    except RecursionError as error:
        raise _too_deep() from error
    statements = [tree for tree in trees if tree is not None]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise QueryError("Write one SELECT.", remedy=_EXAMPLE)
    return statements[0]


_EXAMPLE: Final = "For example: SELECT TOP 10 obs_id, target_name FROM ivoa.obscore"


def _require_small(found: list[Token]) -> None:
    if len(found) > MOST_TOKENS:
        raise QueryError(f"A query has {MOST_TOKENS} words and signs at most.", code="tap.too_large")
    depth = 0
    for token in found:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth > MOST_BRACKETS:
            raise _too_deep()


def _too_deep() -> QueryError:
    return QueryError(f"A query has {MOST_BRACKETS} brackets in each other at most.", code="tap.too_large")


def _place(error: Exception) -> str:
    """Where the parser stopped, without its marks for terminals."""
    told = getattr(error, "errors", None) or [{}]
    line, column, near = (told[0].get(name) for name in ("line", "col", "highlight"))
    return f"line {line}, column {column}, at “{str(near)[:40]}”" if line else "it ends too early or has a stray sign"
