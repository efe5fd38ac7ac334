"""Lineage both ways: what products were made of, and what was made of files, observations and products.

Walked level by level, each with a fixed number of queries, and bounded: a wide lineage is cut, and says so. There are no
circles: a run names its inputs when it begins, and its products are not there yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from datamgmt.models import DataProduct, ProcessingRun, RawDataFile
from datamgmt.models.streams import executions_overlapping, with_files_of_streams
from planning.models import ExecutedObsUnit, ExecutionQuality

#: Runs of one lineage, and steps from one product to the next.
MAX_RUNS: Final = 2000
MAX_STEPS: Final = 30


@dataclass
class Inputs:
    """Ids of what a run read."""

    packages: set[UUID] = field(default_factory=set)
    observations: set[UUID] = field(default_factory=set)
    products: set[UUID] = field(default_factory=set)


@dataclass
class Lineage:
    """Runs with the ids of what they read, and products by the run that made them."""

    read: dict[UUID, Inputs] = field(default_factory=dict)
    made_by: dict[UUID, UUID] = field(default_factory=dict)
    is_cut: bool = False

    def add(self, runs: Iterable[UUID]) -> set[UUID]:
        """Those of the runs that are new, now with what they read; no more than MAX_RUNS in all."""
        wanted = set(runs) - self.read.keys()
        room = MAX_RUNS - len(self.read)
        if len(wanted) > room:
            self.is_cut = True
            wanted = set(sorted(wanted)[:room])
        self.read.update({run: Inputs() for run in wanted})
        for name, column, many in _LINKS:
            rows = many.filter(processingrun__in=wanted).values_list("processingrun", column)
            for run, row in rows:
                getattr(self.read[run], name).add(row)
        return wanted

    def packages(self) -> set[UUID]:
        """All that some run read."""
        return {pk for inputs in self.read.values() for pk in inputs.packages}

    def observations(self) -> set[UUID]:
        """The same."""
        return {pk for inputs in self.read.values() for pk in inputs.observations}

    def products(self) -> set[UUID]:
        """All that some run made or read."""
        return set(self.made_by) | {pk for inputs in self.read.values() for pk in inputs.products}

    def products_of(self, runs: Iterable[UUID]) -> set[UUID]:
        """What these made."""
        runs = set(runs)
        return {product for product, run in self.made_by.items() if run in runs}


_LINKS: Final[tuple[tuple[str, str, Any], ...]] = (
    ("packages", "rawdatapackage", ProcessingRun.input_packages.through.objects),
    ("observations", "executedobsunit", ProcessingRun.input_observations.through.objects),
    ("products", "dataproduct", ProcessingRun.input_products.through.objects),
)


def upstream(products: Iterable[UUID]) -> Lineage:
    """What these products were made of, to the raw data."""
    found = Lineage()
    todo = set(products)
    for _ in range(MAX_STEPS):
        makers = dict(DataProduct.objects.filter(pk__in=todo).values_list("pk", "processing_run"))
        found.made_by.update(makers)
        new = found.add(makers.values())
        todo = {product for run in new for product in found.read[run].products} - found.made_by.keys()
        if not todo:
            return found
    found.is_cut = True
    return found


def downstream(runs: Iterable[UUID]) -> Lineage:
    """These runs, what they made, and all that was made of it."""
    found = Lineage()
    todo = set(runs)
    for _ in range(MAX_STEPS):
        new = found.add(todo)
        made = dict(DataProduct.objects.filter(processing_run__in=new).values_list("pk", "processing_run"))
        found.made_by.update(made)
        todo = set(ProcessingRun.objects.that_read(products=made).values_list("pk", flat=True)) - found.read.keys()
        if not todo:
            return found
    found.is_cut = True
    return found


def made_of_product(product: UUID) -> Lineage:
    """All that was made of this product."""
    return downstream(ProcessingRun.objects.that_read(products=[product]).values_list("pk", flat=True))


def made_of_observation(execution: UUID) -> Lineage:
    """All that was made of an observation or of its packages."""
    return downstream(ProcessingRun.objects.that_read_observation(execution).values_list("pk", flat=True))


def made_of_files(files: Iterable[RawDataFile]) -> Lineage:
    """All that was made of these files: of their packages, of the observations that they belong to, of their products."""
    rows = list(files)
    observations = {file.executed_obs_unit_id for file in rows if file.executed_obs_unit_id is not None}
    runs = ProcessingRun.objects.that_read(
        packages={file.raw_data_package_id for file in rows if file.raw_data_package_id is not None},
        observations=observations | set(executions_overlapping(rows).values_list("pk", flat=True)),
        products={file.data_product_id for file in rows if file.data_product_id is not None},
    )
    return downstream(runs.values_list("pk", flat=True))


@dataclass(frozen=True)
class BadInputs:
    """Those of some products in whose lineage there is data that was judged bad; and the ids of that data."""

    products: frozenset[UUID]
    bad: Inputs

    def files(self) -> QuerySet[Any]:
        """The files that were judged bad: in packages, of observations, of products."""
        return RawDataFile.objects.judged_bad().of_any(self.bad.packages, self.bad.observations, self.bad.products)


def bad_inputs(products: Iterable[UUID]) -> BadInputs:
    """Which of these products rest on bad data. Computed from the judgements as they are now, in about ten queries."""
    wanted = set(products)
    found = upstream(wanted)
    bad = _bad_of(found.packages(), found.observations(), found.products())
    bad_runs = {
        run
        for run, inputs in found.read.items()
        if inputs.packages & bad.packages or inputs.observations & bad.observations
    }
    flagged = bad.products | found.products_of(bad_runs)
    while True:
        further = {run for run, inputs in found.read.items() if run not in bad_runs and inputs.products & flagged}
        if not further:
            return BadInputs(frozenset(flagged & wanted), bad)
        bad_runs |= further
        flagged |= found.products_of(further)


def _bad_of(packages: set[UUID], observations: set[UUID], products: set[UUID]) -> Inputs:
    """Those with a file that was judged bad, and observations that were."""
    files = RawDataFile.objects.judged_bad().order_by()
    executions = ExecutedObsUnit.objects.filter(pk__in=observations).order_by()
    return Inputs(
        set(files.filter(raw_data_package__in=packages).values_list("raw_data_package", flat=True)),
        {
            *executions.filter(quality=ExecutionQuality.BAD).values_list("pk", flat=True),
            *files.filter(executed_obs_unit__in=observations).values_list("executed_obs_unit", flat=True),
            *with_files_of_streams(executions, files).values_list("pk", flat=True),
        },
        set(files.filter(data_product__in=products).values_list("data_product", flat=True)),
    )
