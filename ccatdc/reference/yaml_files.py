"""YAML files to entries that remember where they stand.

A file is a mapping from section to a list of entries; a section is the name of a model's table
(``observing_program``, ``disk_data_location``). Only plain YAML is read: no tags, no objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from ccatdc.reference.entries import Entry, Value
from ccatdc.reference.problems import Place, Problem

SUFFIXES = (".yaml", ".yml")


def read_yaml(file: Path, text: str, folder: int, problems: list[Problem]) -> list[Entry]:
    """The entries of one file; what is wrong with it is added to ``problems``."""
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        return list(_FileReader(file, folder, loader, problems).entries(node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.append(
            Problem(Place(file, mark.line + 1 if mark else 1), "", f"is not YAML: {error.problem}")
        )
    except yaml.YAMLError as error:  # characters that YAML does not allow
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1
        problems.append(Problem(Place(file, line), "", f"is not YAML: {error}".splitlines()[0]))
    return []


class _FileReader:
    """Turns the nodes of one file into entries."""

    def __init__(
        self, file: Path, folder: int, loader: yaml.SafeLoader, problems: list[Problem]
    ) -> None:
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
        values = {
            name: Value(self._loader.construct_object(value, deep=True), self._place(key))
            for name, key, value in self._pairs(node, section, "an entry is a mapping of fields")
            if self._has_plain_keys(value, name)
        }
        if values:
            yield Entry(section, values, self._place(node), self._folder)

    def _pairs(
        self, node: yaml.Node, field: str, otherwise: str
    ) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, field, otherwise)
            return
        seen: dict[str, int] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is None:
                self._wrong(key, field, "a name must be plain text")
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
