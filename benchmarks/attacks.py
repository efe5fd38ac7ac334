"""Requests that are made to cost much: by hand, one for each way that is known, and by Hypothesis."""

from __future__ import annotations

import gzip
import json
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.errors import NonInteractiveExampleWarning

MOST_BYTES: Final = 1_000_000
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
#: gunicorn takes request lines of 4,094 bytes.
LONGEST_QUERY: Final = 3_900
#: Names of parameters that lists of the API and pages know.
NAMES: Final = (
    "q", "search", "order", "expand", "limit", "cursor", "page", "status", "source", "instrument", "at", "after", "before",
    "state", "name", "o", "p", "e", "id", "ra", "dec", "radius", "site", "wait", "executed_obs_unit", "level", "start",
)  # fmt: skip
#: Documents of Hypothesis that are made before they are used again.
DOCUMENTS: Final = 300


@dataclass
class Attack:
    """What one request has beside its address."""

    name: str
    body: bytes = b""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def json_body(name: str, text: str) -> Attack:
    return Attack(name, text.encode()[:MOST_BYTES], headers={"Content-Type": JSON})


def form(name: str, body: str, kind: str = FORM) -> Attack:
    return Attack(name, body.encode()[:MOST_BYTES], headers={"Content-Type": kind})


def asking(name: str, pairs: list[tuple[str, str]]) -> Attack:
    return Attack(name, query=urlencode(pairs, errors="replace")[:LONGEST_QUERY])


class Attacks:
    """``words`` name rows that are there."""

    def __init__(self, chance: random.Random, words: list[str]) -> None:
        self._chance = chance
        self._words = words
        self._documents: list[Any] = []

    def for_bodies(self) -> list[Callable[[], Attack]]:
        """Bodies of the API."""
        return [
            self.distinct_names, self.deep_lists, self.deep_objects, self.empty_rows, self.files_of_nothing, self.gzip_bomb,
            self.great_numbers, self.great_text, self.broken_text, self.noise, self.other_types, self.odd_parameters,
        ]  # fmt: skip

    def for_forms(self) -> list[Callable[[], Attack]]:
        """Bodies of pages."""
        return [
            self.many_fields, self.many_rows, self.great_field, self.many_parts, self.headers_of_a_part, self.long_address,
        ]  # fmt: skip

    def for_addresses(self) -> list[Callable[[], Attack]]:
        """What is asked without a body."""
        return [self.many_words, self.long_text, self.many_parameters, self.odd_parameters, self.long_address]

    def distinct_names(self) -> Attack:
        names = ",".join(f'"n{number}":1' for number in range(70_000))
        return json_body("distinct names, one repeated", "{" + names + ',"n7":2}')

    def deep_lists(self) -> Attack:
        depth = self._chance.choice([50, 900, 5_000, 400_000])
        return json_body(f"lists {depth} deep", "[" * depth + "]" * depth)

    def deep_objects(self) -> Attack:
        depth = self._chance.choice([9, 350, 5_000, 100_000])
        inner = '{"a":' * depth + "1" + "}" * depth
        return json_body(f"parameters {depth} deep", '{"parameters":' + inner + ',"id":"' + str(uuid4()) + '"}')

    def empty_rows(self) -> Attack:
        return json_body("rows of nothing", "[" + "{}," * 330_000 + "{}]")

    def files_of_nothing(self) -> Attack:
        return json_body("files of nothing", '{"files":[' + "{}," * 330_000 + "{}]}")

    def gzip_bomb(self) -> Attack:
        unit = self._chance.choice([b"[{},", b'"aaaa', b"[[[[", b'{"a":1,', b" "])
        packed = gzip.compress(unit * (300_000_000 // len(unit) if self._chance.random() < 0.1 else 8_000_000), 1)
        headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
        return Attack("gzip bomb", packed[:MOST_BYTES], headers=headers)

    def great_numbers(self) -> Attack:
        digits = "9" * self._chance.choice([4_000, 400_000, 900_000])
        return json_body("a number of many digits", '{"size":' + digits + ',"id":1e' + digits[:9] + "}")

    def great_text(self) -> Attack:
        unit = self._chance.choice(["a_", "a ", "\\u0000", "\\ud800", "(", "%", "a-", "../", "\\n", "é"])
        name = self._chance.choice(
            ["location", "name", "comment", "relative_path", "reason", "id", "site", "data_location"]
        )
        return json_body(
            f"{name} of many {unit!r}", json.dumps({name: "X"}).replace("X", unit * (900_000 // len(unit)))
        )

    def broken_text(self) -> Attack:
        text = self._chance.choice(
            ['{"a":' * 100_000, "[1," * 300_000, '"' + "\\" * 900_000, "\x00" * 900_000, "nul" * 300_000]
        )
        return json_body("broken text", text)

    def noise(self) -> Attack:
        return Attack("noise", self._chance.randbytes(MOST_BYTES), headers={"Content-Type": JSON})

    def other_types(self) -> Attack:
        kind = self._chance.choice(
            [FORM, "multipart/form-data; boundary=x", "application/xml", "x" * 5_000, "text/csv"]
        )
        return Attack("another type", b"a=1&" * 250_000, headers={"Content-Type": kind})

    def many_fields(self) -> Attack:
        count = self._chance.choice([900, 5_000, 60_000])
        return form(f"{count} fields", "&".join(f"field{number}=1" for number in range(count)))

    def many_rows(self) -> Attack:
        chosen_rows = "&".join(f"_selected_action={number}" for number in range(900))
        return form("900 rows chosen", f"action=retry_selected&select_across=1&{chosen_rows}")

    def great_field(self) -> Attack:
        unit = self._chance.choice(["a_", "a ", "%00", "%0A", "(", "%F0%9F%94%AD", "9", "-"])
        name = self._chance.choice(["name", "path", "host", "username", "password", "email", "scopes", "reason", "q"])
        return form(f"{name} of many {unit!r}", f"{name}=" + unit * (900_000 // len(unit)))

    def many_parts(self) -> Attack:
        part = '--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n'
        return form("many files", part * 14_000 + "--x--\r\n", "multipart/form-data; boundary=x")

    def headers_of_a_part(self) -> Attack:
        lines = "".join(f"X-{number}: {'y' * 60}\r\n" for number in range(12_000))
        return form("a part of many headers", f"--x\r\n{lines}\r\n\r\n--x--\r\n", "multipart/form-data; boundary=x")

    def many_words(self) -> Attack:
        text = " ".join(self._chance.choice(["a", "be", "the", "ori", *self._words[:50]]) for _ in range(900))
        return asking("many words", [(name, text[:3_000]) for name in ("q", "search")])

    def long_text(self) -> Attack:
        unit = self._chance.choice(["a_", "%", "_", "a ", "\\", "(", "a.", "-", "é", "\0", "9"])
        return asking(f"long {unit!r}", [(self._chance.choice(NAMES), unit * 2_000)])

    def many_parameters(self) -> Attack:
        return asking(
            "many parameters", [(self._chance.choice(NAMES), self._chance.choice(self._words)) for _ in range(500)]
        )

    def odd_parameters(self) -> Attack:
        odd = [
            "-1",
            "0",
            "1e308",
            "9" * 400,
            "nan",
            "null",
            "[]",
            "2026-13-45",
            "0001-01-01",
            "' OR 1=1",
            "a,b," * 200,
            "\ufffe",
        ]
        return asking("odd values", [(name, self._chance.choice(odd)) for name in self._chance.sample(NAMES, 8)])

    def long_address(self) -> Attack:
        return Attack(
            "long address",
            query="&".join(quote(self._chance.choice(self._words)[:20]) for _ in range(300))[:LONGEST_QUERY],
        )

    def document(self) -> Any:
        """JSON of any form."""
        if len(self._documents) >= DOCUMENTS:
            return self._chance.choice(self._documents)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NonInteractiveExampleWarning)
            self._documents.append(_tree.example())
        return self._documents[-1]

    def by_hypothesis(self, *, has_body: bool, is_form: bool) -> Attack:
        """The document, once or so often that it fills what a body may have."""
        name, document = "by Hypothesis", self.document()
        if not has_body:
            count = self._chance.randrange(1, 30)
            return asking(name, [(self._chance.choice(NAMES), json.dumps(document)[:200]) for _ in range(count)])
        text = json.dumps(document)
        copies = self._chance.choice([1, 1, 30, MOST_BYTES // (len(text) + 1)])
        if is_form:
            return form(name, urlencode([(self._chance.choice(NAMES), text[:1_000]) for _ in range(min(copies, 900))]))
        body = text if copies <= 1 else "[" + ",".join([text] * copies) + "]"
        if self._chance.random() < 0.5:
            key = self._chance.choice(["files", "parameters", "packages", "conditions", "name", "location"])
            body = json.dumps({key: "X", "id": str(uuid4())}).replace('"X"', body)
        return json_body(name, body)


_leaves: Final = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50)
_keys: Final = st.sampled_from(NAMES) | st.text(max_size=10)
_tree: Final = st.recursive(_leaves, lambda inner: st.lists(inner) | st.dictionaries(_keys, inner), max_leaves=60)
