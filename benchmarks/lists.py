"""Pages and passes in a young and in an old data center: 10^4 and 10^6 executions.

Measured in turns, in two databases that differ in nothing but their past (benchmarks/history.py):
every page of benchmarks/pages.py, and the looks of the managers for work. Printed for each: its
queries, the median of its time in both, and their ratio. Wanted: fewer than 20 queries, and at most
1.5 times the time and 10 ms more; and 5 ms for each line that there is more to show.

Needs ``DATABASE_URL`` of a superuser's server; makes databases beside it and removes them.
Run: ``.venv/bin/python -m ccatdc.dev.with_postgres .venv/bin/python -m benchmarks.lists
[--scale SMALL LARGE] [--only TEXT] [--keep]``. Exits 1 when a page or a pass misses what is wanted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

QUERIES: Final = 20
TIMES: Final = 1.5
MORE_SECONDS: Final = 0.010
#: What a line of a page takes to be written: lists of what is rare are shorter in the small database.
LINE_SECONDS: Final = 0.005
#: Times that everything is measured, and what seems to grow is measured again.
ROUNDS, ROUNDS_OF_DOUBT = 2, 7
#: What takes longer is ended and counts as so long.
PATIENCE_SECONDS: Final = 20


@dataclass
class Measured:
    """Times of one page or pass in the small and in the large database."""

    label: str
    queries: int = 0
    more_lines: int = 0
    seconds: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))

    @property
    def medians(self) -> tuple[float, float]:
        """In seconds."""
        small, large = map(statistics.median, self.seconds)
        return small, large

    @property
    def grows(self) -> bool:
        """Whether the past costs time."""
        small, large = self.medians
        return large > TIMES * small + MORE_SECONDS + LINE_SECONDS * self.more_lines

    @property
    def asks_too_much(self) -> bool:
        """Of lists: the first page and the page of one thing tell of many, and have bounds of their own
        in the portal's tests.
        """
        is_list = not self.label.startswith("portal") and not self.label.endswith(", a row")
        return is_list and self.queries >= QUERIES

    def __str__(self) -> str:
        small, large = self.medians
        fault = " GROWS" if self.grows else ""
        fault += " QUERIES" if self.asks_too_much else ""
        times = f"{1000 * small:8.1f} {1000 * large:9.1f} {large / small:6.2f}"
        return f"{self.queries:7} {times}  {self.label}{fault}"


class Database:
    """One of the two, with a person who is logged in and may see everything."""

    def __init__(self, name: str, executions: int) -> None:
        self.name, self.executions = name, executions
        self.calls: dict[str, Callable[[], object]] = {}
        self.lines: dict[str, int] = {}

    def enter(self) -> None:
        """From here on the process works in this database."""
        from django.contrib.contenttypes.models import ContentType
        from django.db import connection

        if connection.settings_dict["NAME"] != self.name:
            connection.close()
            connection.settings_dict["NAME"] = self.name
            ContentType.objects.clear_cache()
            with connection.cursor() as cursor:
                cursor.execute(f"SET statement_timeout = '{PATIENCE_SECONDS}s'")

    def prepare(self, only: str) -> None:
        """Find out what there is to measure."""
        from django.test import Client

        from accounts.models import User
        from benchmarks.pages import all_pages
        from benchmarks.passes import all_passes

        self.enter()
        client = Client()
        user, _ = User.objects.get_or_create(username="benchmark", defaults={"is_staff": True, "is_superuser": True})
        client.force_login(user)
        found: dict[str, Callable[[], object]] = {
            page.label: _visit(client, page.address) for page in all_pages(client, only)
        }
        found |= all_passes()
        self.calls = {label: call for label, call in found.items() if label.startswith(only)}

    def seconds(self, label: str) -> float:
        """How long it takes now, to the longest that anybody would wait."""
        from django.db import OperationalError

        self.enter()
        started = time.perf_counter()
        try:
            answer = self.calls[label]()
        except OperationalError as error:
            if "statement timeout" not in str(error):
                raise
            return float(PATIENCE_SECONDS)
        spent = time.perf_counter() - started
        self.lines[label] = _lines(getattr(answer, "content", b""))
        return spent


def _lines(content: bytes) -> int:
    """Lines of a page's table, or rows of an answer of the API."""
    if not content.startswith(b"{"):
        return content.count(b"<tr")
    results = json.loads(content).get("results")
    return len(results) if isinstance(results, list) else 1


def _visit(client: Any, address: str) -> Callable[[], object]:
    def visit() -> object:
        response = client.get(address)
        response.getvalue() if response.streaming else response.content
        if response.status_code != 200:
            sys.exit(f"{address} answered {response.status_code}: {response.content[:500]!r}")
        return response

    return visit


def main() -> int:
    """Load, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", nargs=2, type=int, default=(10_000, 1_000_000), metavar=("SMALL", "LARGE"))
    parser.add_argument("--only", default="", metavar="TEXT", help="labels that begin so")
    parser.add_argument("--keep", action="store_true", help="leave the databases, and use those that were left")
    arguments = parser.parse_args()
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ccatdc.settings.base")
    django.setup()
    from django.test.utils import setup_test_environment

    setup_test_environment(debug=False)
    import logging

    logging.disable(logging.WARNING)  # the figures are what is read here
    with databases(arguments.scale, keep=arguments.keep) as (small, large):
        small.prepare(arguments.only)
        large.prepare(arguments.only)
        results = list(measure(small, large))
    return report(results)


@contextmanager
def databases(scale: Iterable[int], *, keep: bool) -> Iterator[list[Database]]:
    """Loaded with their histories."""
    from django.core.management import call_command
    from django.db import connection

    from benchmarks.history_load import load_history

    here = str(connection.settings_dict["NAME"])
    found = [Database(f"{here}_lists_{count}", count) for count in scale]
    try:
        migrated = ""
        for database in found:
            is_new = _create(here, database.name, migrated)
            database.enter()
            call_command("migrate", verbosity=0)
            if is_new:
                if not migrated:  # the others begin as a copy of this one
                    migrated = f"{database.name}_empty"
                    _create(here, migrated, database.name)
                    database.enter()
                with connection.cursor() as cursor:
                    cursor.execute("SET statement_timeout = 0")
                started = time.perf_counter()
                rows = load_history(database.executions)
                with connection.cursor() as cursor:
                    cursor.execute(f"SET statement_timeout = '{PATIENCE_SECONDS}s'")
                spent = time.perf_counter() - started
                print(f"{database.executions:,} executions: {rows:,} rows in {spent:.0f} s")
        yield found
    finally:
        connection.close()
        connection.settings_dict["NAME"] = here
        with connection.cursor() as cursor:
            for name in ([] if keep else [database.name for database in found]) + [f"{found[0].name}_empty"]:
                cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _create(here: str, name: str, template: str = "") -> bool:
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = here
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if cursor.fetchone() is not None:
            return False
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')
    return True


def measure(small: Database, large: Database) -> Iterator[Measured]:
    """Everything in turns; what seems to grow more often, since the machine has other work too."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    for label in small.calls:
        if label not in large.calls:
            continue
        result = Measured(label)
        small.seconds(label)
        large.enter()
        with CaptureQueriesContext(connection) as queries:
            large.seconds(label)
        result.queries = len(queries)
        result.more_lines = max(0, large.lines.get(label, 0) - small.lines.get(label, 0))
        _rounds(result, small, large, ROUNDS)
        if result.grows and max(result.medians) < PATIENCE_SECONDS / 4:
            _rounds(result, small, large, ROUNDS_OF_DOUBT)
        print(result, flush=True)
        yield result


def _rounds(result: Measured, small: Database, large: Database, number: int) -> None:
    for _ in range(number):
        for times, database in zip(result.seconds, (small, large), strict=True):
            times.append(database.seconds(result.label))


def report(results: list[Measured]) -> int:
    """The sum of it."""
    many = [each for each in results if each.asks_too_much]
    growing = [each for each in results if each.grows]
    ratios = sorted(large / small for small, large in (each.medians for each in results))
    print(f"\n{len(results)} pages and passes; the most queries: {max(r.queries for r in results)}")
    print(f"ratio of times: median {statistics.median(ratios):.2f}, largest {ratios[-1]:.2f}")
    for title, faulty in (("too many queries", many), ("time grows", growing)):
        print(f"{title}: {len(faulty)}")
        for each in faulty:
            print(each)
    return 1 if many or growing else 0


if __name__ == "__main__":
    sys.exit(main())
