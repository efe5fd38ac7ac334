"""Lineage as lines of a page: what a product was made of, and what was made of it, each step further in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.urls import reverse

from datamgmt.lineage.graph import BadInputs, bad_inputs, downstream, made_of_product, upstream
from datamgmt.lineage.prov import Shown
from datamgmt.models import ProcessingRun

#: Lines of one story, and inputs of one kind of one run.
MOST_LINES: Final = 300
MOST_INPUTS: Final = 25
DEEPEST: Final = 6
HIDDEN: Final = "one that you may not see"


@dataclass(frozen=True, slots=True)
class Step:
    """One line: a run, a product, a package or an observation. ``depth`` counts from 0."""

    depth: int
    kind: str
    text: str
    url: str = ""
    note: str = ""
    is_bad: bool = False

    @property
    def indent(self) -> int:
        """As far in as there is room on a narrow screen."""
        return min(self.depth, DEEPEST)


class Story:
    """The lines of one lineage, as somebody may see it."""

    def __init__(self, shown: Shown, bad: BadInputs) -> None:
        self._shown, self._bad, self._lineage = shown, bad, shown.lineage
        self._told: set[UUID] = set()

    def made_of(self, product: UUID, depth: int = 0) -> Iterator[Step]:
        """The run that made it, and what this read, to the raw data."""
        run = self._lineage.made_by.get(product)
        if run is not None:
            yield from self.run_with_inputs(run, depth)

    def run_with_inputs(self, run: UUID, depth: int = 0) -> Iterator[Step]:
        """A run, what it read, and what that was made of."""
        yield self._run(run, depth)
        if run in self._told or run not in self._lineage.read:
            return
        self._told.add(run)
        inputs = self._lineage.read[run]
        yield from self._some(depth + 1, "observation", inputs.observations)
        yield from self._some(depth + 1, "package", inputs.packages)
        for product in sorted(inputs.products):
            yield self._product(product, depth + 1)
            yield from self.made_of(product, depth + 2)

    def made_from(self, products: Iterable[UUID], depth: int = 0) -> Iterator[Step]:
        """The runs that read some of these products, and what they made."""
        wanted = set(products)
        for run, inputs in sorted(self._lineage.read.items()):
            if inputs.products & wanted and run not in self._told:
                yield from self.run_with_outputs(run, depth)

    def run_with_outputs(self, run: UUID, depth: int = 0) -> Iterator[Step]:
        """A run, what it made, and what was made of that."""
        self._told.add(run)
        yield self._run(run, depth)
        made = sorted(self._lineage.products_of([run]))
        for product in made:
            yield self._product(product, depth + 1)
        yield from self.made_from(made, depth + 2)

    def _run(self, pk: UUID, depth: int) -> Step:
        row = self._shown.runs.get(pk)
        if row is None:
            return Step(depth, "Run", HIDDEN)
        note = f"{row.software_version}, {row.get_status_display().lower()}"
        return Step(depth, "Run", row.name, reverse("products:run", args=[pk]), note)

    def _product(self, pk: UUID, depth: int) -> Step:
        row = self._shown.products.get(pk)
        is_bad = pk in self._bad.bad.products
        if row is None:
            return Step(depth, "Product", HIDDEN, is_bad=is_bad)
        return Step(depth, "Product", str(row), reverse("products:product", args=[pk]), row.get_kind_display(), is_bad)

    def _some(self, depth: int, kind: str, keys: set[UUID]) -> Iterator[Step]:
        """The first of many, the bad ones before all others."""
        bad = self._bad.bad.observations if kind == "observation" else self._bad.bad.packages
        for pk in sorted(keys, key=lambda key: (key not in bad, key))[:MOST_INPUTS]:
            yield self._observation(pk, depth) if kind == "observation" else self._package(pk, depth)
        if len(keys) > MOST_INPUTS:
            yield Step(depth, kind.capitalize(), f"and {len(keys) - MOST_INPUTS} more")

    def _observation(self, pk: UUID, depth: int) -> Step:
        row = self._shown.observations.get(pk)
        is_bad = pk in self._bad.bad.observations
        if row is None:
            return Step(depth, "Observation", HIDDEN, is_bad=is_bad)
        text = f"{row.obs_unit.target_name}, {row.start_time:%Y-%m-%d %H:%M} UTC"
        url = reverse("observations:observation", args=[pk])
        return Step(depth, "Observation", text, url, str(row.obs_unit.observing_program), is_bad)

    def _package(self, pk: UUID, depth: int) -> Step:
        row = self._shown.packages.get(pk)
        is_bad = pk in self._bad.bad.packages
        if row is None:
            return Step(depth, "Package", HIDDEN, is_bad=is_bad)
        return Step(depth, "Package", row.name, "", str(row.instrument_module), is_bad)


@dataclass(frozen=True, slots=True)
class Both:
    """What a page tells of lineage. ``is_cut``: there is more of it than is shown."""

    inputs: list[Step]
    outputs: list[Step]
    is_cut: bool
    has_bad_inputs: bool
    bad_files: list[Any]


def of_product(product: UUID, user: Any) -> Both:
    """What it was made of and what was made of it."""
    up, down = upstream([product]), made_of_product(product)
    bad = bad_inputs([product])
    return _both(
        Story(Shown.to(user, up), bad).made_of(product),
        Story(Shown.to(user, down), bad).made_from([product]),
        up.is_cut or down.is_cut,
        bad,
    )


def of_run(run: ProcessingRun, user: Any) -> Both:
    """What it read and what came of it."""
    down = downstream([run.pk])
    products = down.products_of([run.pk])
    inputs = run.input_products.values_list("pk", flat=True)
    up = upstream([*inputs, *products])
    up.add([run.pk])
    bad = bad_inputs([*products, *inputs])
    return _both(
        Story(Shown.to(user, up), bad).run_with_inputs(run.pk),
        Story(Shown.to(user, down), bad).run_with_outputs(run.pk),
        up.is_cut or down.is_cut,
        bad,
    )


def _both(inputs: Iterator[Step], outputs: Iterator[Step], is_cut: bool, bad: BadInputs) -> Both:
    shown = [list(islice(steps, MOST_LINES + 1)) for steps in (inputs, outputs)]
    more = any(len(steps) > MOST_LINES for steps in shown)
    files = list(bad.files().order_by("pk")[:MOST_INPUTS]) if bad.products else []
    return Both(shown[0][:MOST_LINES], shown[1][:MOST_LINES], is_cut or more, bool(bad.products), files)
