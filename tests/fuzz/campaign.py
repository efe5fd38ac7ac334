"""Calls to every endpoint, made up from the API's own description, and what is wrong with the answers.

The engine of schemathesis, on the real WSGI application: values at and beyond every limit, then
random ones, then calls that use what others answered. The same seed makes the same calls, but for
the ids of rows.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from django.db import connections
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from ccatdc.wsgi import application
from tests.fuzz.furniture import Furniture

PHASES: Final = ("examples", "coverage", "fuzzing", "stateful")
#: Checks that do not hold here: an empty filter is no filter; a body may be refused for what is
#: stored; the engine's own look at authentication does not work without a network.
LEFT_OUT: Final = ("negative_data_rejection", "positive_data_acceptance", "ignored_auth")
#: What is right to answer here: the archives of these rows are nowhere.
NO_ARCHIVE: Final = b'"code":"download.unreachable"'
#: Operations that change something.
WRITING: Final = {"method": ["POST", "PUT", "PATCH", "DELETE"]}
#: How often a value is one that exists or is known to break things, and not a random one.
_KNOWN: Final = 0.4


@dataclass(slots=True)
class Outcome:
    """What happened: how many calls had which status, by operation, and what is wrong."""

    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    findings: dict[str, str] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        """How many calls were answered."""
        return self.total().total()

    def total(self) -> Counter[int]:
        """How many calls had which status."""
        return sum(self.statuses.values(), Counter())

    def never_succeeded(self) -> set[str]:
        """Operations of which no call was accepted: what lies behind was not tried."""
        accepted = range(200, 300)
        return {label for label, counter in self.statuses.items() if not any(status in accepted for status in counter)}

    def report(self) -> str:
        """Every finding once, with a call that shows it."""
        return "\n\n".join(f"{name}\n{text}" for name, text in sorted(self.findings.items()))


def campaign(
    furniture: Furniture,
    headers: Mapping[str, str],
    *,
    examples: int,
    seed: int = 1,
    phases: Iterable[str] = PHASES,
    only: Mapping[str, Any] | None = None,
    until: float | None = None,
) -> Outcome:
    """Run the phases, ``examples`` random calls for each operation; at most ``until`` (monotonic).

    ``only``: which operations, as ``include`` of the library wants it; all without it.
    """
    settings = _settings(furniture, headers, examples, seed, set(phases))
    schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", _answer, config=settings)
    schema.hook("before_generate_body")(_with_known_bodies(furniture.bodies))
    outcome = Outcome()
    stream = from_schema(schema.include(**only) if only else schema).execute()
    for event in stream:
        if isinstance(event, events.ScenarioFinished):
            _take(event, outcome)
        elif isinstance(event, events.NonFatalError):
            outcome.findings[f"{event.label}: not tried"] = repr(event.value)
        elif isinstance(event, events.FatalError):
            outcome.findings["not tried"] = repr(event.exception)
        if until is not None and time.monotonic() > until:
            stream.stop()
    return outcome


def _answer(environ: Any, start_response: Any) -> list[bytes]:
    """The application. Its connections end with the call, since the engine's threads come and go."""
    environ.pop("HTTP_ACCEPT_ENCODING", None)  # the engine says gzip and does not unpack it
    response: Any = application(environ, start_response)
    try:
        return [b"".join(response)]
    finally:
        response.close()
        connections.close_all()


def _settings(
    furniture: Furniture, headers: Mapping[str, str], examples: int, seed: int, phases: set[str]
) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "workers": 1,
            "continue-on-failure": True,
            "headers": dict(headers),
            "rate-limit": "10000/s",  # without a limit of its own it would wait after each 429
            "dictionaries": {"words": {"values": furniture.words}, "numbers": {"values": furniture.numbers}},
            "generation": {
                "max-examples": examples,
                "no-shrink": True,
                "database": "none",
                "dictionaries": {
                    "string": {"dictionary": "words", "probability": _KNOWN},
                    "integer": {"dictionary": "numbers", "probability": _KNOWN},
                },
            },
            "phases": {name: {"enabled": name in phases} for name in PHASES},
            "checks": {name: {"enabled": False} for name in LEFT_OUT},
        }
    )


def _with_known_bodies(bodies: Mapping[str, Any]) -> Callable[[Any, Any], Any]:
    """Beside bodies that are made up: one that is accepted, and it with one field replaced."""

    def before_generate_body(context: Any, strategy: Any) -> Any:
        known = bodies.get(context.operation.label)
        if known is None:
            return strategy
        chances = st.randoms(use_true_random=False)
        crossed = st.builds(_crossed, st.just(known), strategy, chances)
        return st.one_of(strategy, st.just(known), crossed)

    return before_generate_body


def _crossed(known: Any, other: Any, chance: random.Random) -> Any:
    if isinstance(known, list) and isinstance(other, list) and other:
        return [*known, _crossed(known[0], other[0], chance)]
    if not isinstance(known, dict) or not isinstance(other, dict) or not other:
        return known
    name = chance.choice(sorted(other, key=repr))
    return {**known, name: other[name]}


def _take(event: events.ScenarioFinished, outcome: Outcome) -> None:
    recorder = event.recorder
    for case_id, done in recorder.interactions.items():
        if done.response is not None:
            label = recorder.cases[case_id].value.operation.label
            outcome.statuses[label][done.response.status_code] += 1
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is None:
                continue
            failure = check.failure_info.failure
            interaction = recorder.interactions.get(case_id)
            response = interaction.response if interaction is not None else None
            answer = (response.content or b"")[:2000] if response is not None else b""
            if check.name == "not_a_server_error" and NO_ARCHIVE in answer:
                continue
            outcome.findings.setdefault(
                f"{recorder.cases[case_id].value.operation.label}: {check.name}: {failure.title}",
                f"{failure.message}\n{check.failure_info.code_sample}\n{answer!r}",
            )
