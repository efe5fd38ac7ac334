"""YAML files to entries that remember where they stand.

A file is a mapping from section to a list of entries; a section is the name of a model's table (``observing_program``,
``disk_data_location``). Only plain YAML is read: no tags, no objects, no aliases (a few lines of them are gigabytes),
and no number that YAML reads in another base: it takes ``1:30`` for 90 and ``010`` for 8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ccatdc.reference.entries import UNREADABLE, Entry, Place, Problem, Value

SUFFIXES = (".yaml", ".yml")
#: What is nested deeper is a mistake, and would exhaust the reader.
_DEPTH = 40
_DECIMAL = re.compile(r"[+-]?(0|[1-9][0-9]*|([0-9]+\.[0-9]*|\.[0-9]+)(e[+-][0-9]+)?|\.(inf|nan))", re.IGNORECASE)


class _NotPlainError(yaml.MarkedYAMLError):
    def __init__(self, reason: str, mark: Any) -> None:
        super().__init__(problem=reason, problem_mark=mark)


class _PlainLoader(yaml.SafeLoader):
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse aliases and endless nesting before they are followed."""
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            reason = f"the alias *{event.anchor} is not read: write out what it stands for"
            raise _NotPlainError(reason, event.start_mark)
        if self._depth > _DEPTH:
            reason = f"is nested deeper than {_DEPTH} levels"
            raise _NotPlainError(reason, event.start_mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_plain(self, node: yaml.Node) -> Any:
        """The value of a node. Raises MarkedYAMLError for what cannot be one."""
        try:
            return self.construct_object(node, deep=True)
        except (ValueError, OverflowError) as error:  # the 30th of February, 5,000 digits
            reason = f"{_shortened(node)} cannot be read: {error}"
            raise _NotPlainError(reason, node.start_mark) from error


def _decimal(loader: _PlainLoader, node: yaml.ScalarNode) -> Any:
    kind = node.tag.rpartition(":")[2]
    read = getattr(yaml.SafeLoader, f"construct_yaml_{kind}")(loader, node)
    if not _DECIMAL.fullmatch(node.value):
        reason = f"{node.value} would be read as {read}: write the number in digits, or text in quotes"
        raise _NotPlainError(reason, node.start_mark)
    return read


for _kind in ("int", "float"):
    _PlainLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _decimal)


def _shortened(node: yaml.Node) -> str:
    written = str(node.value) if isinstance(node, yaml.ScalarNode) else "a value in it"
    return written if len(written) <= 40 else f"{written[:40]}…"


def read_yaml(file: Path, text: str, folder: int, problems: list[Problem]) -> list[Entry]:
    """The entries of one file; what is wrong with it is added to ``problems``."""
    try:
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        return list(_FileReader(file, folder, loader, problems).entries(node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1 if mark else 1)
        problems.append(Problem(place, "", _reason(error)))
    except yaml.YAMLError as error:  # characters that YAML does not allow
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1
        problems.append(Problem(Place(file, line), "", f"is not YAML: {error}".splitlines()[0]))
    return []


def _reason(error: yaml.MarkedYAMLError) -> str:
    if isinstance(error, _NotPlainError):
        return str(error.problem)
    return f"is not YAML: {error.problem}"


class _FileReader:
    """Turns the nodes of one file into entries."""

    def __init__(self, file: Path, folder: int, loader: _PlainLoader, problems: list[Problem]) -> None:
        self._file = file
        self._folder = folder
        self._loader = loader
        self._problems = problems

    def entries(self, root: yaml.Node | None) -> Iterator[Entry]:
        if root is None:  # an empty file, or comments only
            return
        for section, _, body in self._pairs(root, "", "a file is a mapping: section to entries"):
            if not isinstance(body, yaml.SequenceNode):
                self._wrong(body, section, "a section is a list of entries, each beginning with -")
                continue
            for item in body.value:
                yield from self._entry(section, item)

    def _entry(self, section: str, node: yaml.Node) -> Iterator[Entry]:
        values: dict[str, Value] = {}
        before = len(self._problems)
        for name, key, value in self._pairs(node, section, "an entry is a mapping of fields"):
            written: Any = UNREADABLE
            if self._has_plain_keys(value, name):
                try:
                    written = self._loader.construct_plain(value)
                except yaml.MarkedYAMLError as error:
                    self._wrong(value, name, _reason(error))
            values[name] = Value(written, self._place(key))
        if len(self._problems) == before and not values:
            self._wrong(node, section, "an entry without fields")
        if values:
            yield Entry(section, values, self._place(node), self._folder)

    def _pairs(self, node: yaml.Node, field: str, otherwise: str) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, field, otherwise)
            return
        seen: dict[str, int] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is None:
                self._wrong(key, field, "a name must be plain text")
            elif key.tag == "tag:yaml.org,2002:merge":
                self._wrong(key, field, "<< is not read: write the fields out")
            elif name in seen:
                # YAML readers keep the last one without a word.
                self._wrong(key, name, f"is given twice, first in line {seen[name]}")
            else:
                seen[name] = key.start_mark.line + 1
                yield name, key, value

    def _has_plain_keys(self, node: yaml.Node, field: str) -> bool:
        """Whether no mapping inside a value has a key twice."""
        if isinstance(node, yaml.SequenceNode):
            inner = [self._has_plain_keys(item, field) for item in node.value]
            return all(inner)
        if isinstance(node, yaml.MappingNode):
            before = len(self._problems)
            pairs = list(self._pairs(node, field, ""))
            inner = [self._has_plain_keys(value, name) for name, _, value in pairs]
            return len(self._problems) == before and all(inner)
        return True

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._file, node.start_mark.line + 1)

    def _wrong(self, node: yaml.Node, field: str, reason: str) -> None:
        self._problems.append(Problem(self._place(node), field, reason))
