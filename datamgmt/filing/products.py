"""Step 0, products: what a run made becomes DataProduct rows, and its files rows like those of instruments.

A call files all of its products or none. The same report again changes nothing; a product gets the next version of its
name under a lock on its program, so that two runs that file at once make two versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from accounts.models import ApiToken, User
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.row_errors import RowError
from datamgmt.filing.access import require_module
from datamgmt.filing.files import insert_new, location_faults, locations_named
from datamgmt.filing.product_rows import ProductReport
from datamgmt.filing.repeats import Resolved, differences_between
from datamgmt.filing.reports import FilingConflictError, FilingError
from datamgmt.filing.runs import locked_runs
from datamgmt.models import DataLocation, DataProduct, ProcessingRun
from planning.models import ObservingProgram

#: Columns that are compared when a product is filed again. Its release is decided later, by others.
COMPARED: Final = ("processing_run_id", "name", "kind", "level", "quality_metrics", "description")


@dataclass(frozen=True, slots=True)
class FiledProducts:
    """How many products and files a call made, and the products as they are stored, in the order of the call."""

    created: int
    unchanged: int
    files_created: int
    products: list[DataProduct]


def register_products(reports: Sequence[ProductReport], *, user: User, token: ApiToken | None = None) -> FiledProducts:
    """Register products with their files: all of the call, or nothing.

    Raises FilingError (rows that cannot be filed: an unknown run, or one that ``user`` may not see, is one),
    FilingConflictError (another product or file under this UUID, version or path), NotAllowedError (``token`` is bound
    to another instrument). Files of a run that is over are late, and accepted.
    """
    with transaction.atomic():
        runs = locked_runs({report.processing_run for report in reports}, user)
        for run in runs.values():
            require_module(token, run.instrument_module)
        locations = locations_named(file.source_location for report in reports for file in report.files)
        errors = [*_doubles(reports), *_faults(reports, runs, locations)]
        if errors:
            raise FilingError(sorted(errors, key=lambda error: error.index))
        _lock_programs(run.observing_program_id for run in runs.values())
        stored = DataProduct.objects.in_bulk([report.id for report in reports])
        _require_same(reports, stored)
        made = _create([report for report in reports if report.id not in stored], runs)
        products = {**stored, **made}
        files = insert_new(
            [
                Resolved(file, None, None, run.instrument_module, locations[file.source_location], products[report.id])
                for report in reports
                for run in [runs[report.processing_run]]
                for file in report.files
            ]
        )
        if files and any(run.is_over for run in runs.values()):
            notify_managers()
    return FiledProducts(len(made), len(stored), files, [products[report.id] for report in reports])


def _lock_programs(keys: Iterable[int]) -> None:
    """In the order of their keys, so that two calls never wait for each other."""
    rows = ObservingProgram.objects.filter(pk__in=set(keys)).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk"))


def _create(reports: Sequence[ProductReport], runs: Mapping[UUID, ProcessingRun]) -> dict[UUID, DataProduct]:
    """Rows with their versions; what these supersede names them. Programs are locked."""
    named = {(runs[report.processing_run].observing_program_id, report.name) for report in reports}
    same_name = DataProduct.objects.filter(
        observing_program__in={program for program, _ in named}, name__in={name for _, name in named}
    )
    _require_free_versions(reports, runs, same_name)
    latest = {
        (program, name): version
        for program, name, version in same_name.order_by()
        .values("observing_program", "name")
        .annotate(latest=Max("version"))
        .values_list("observing_program", "name", "latest")
    }
    rows = []
    for report in reports:
        run = runs[report.processing_run]
        key = (run.observing_program_id, report.name)
        version = report.version or latest.get(key, 0) + 1
        latest[key] = max(version, latest.get(key, 0))
        rows.append(
            DataProduct(
                id=report.id,
                processing_run=run,
                observing_program_id=run.observing_program_id,
                name=report.name,
                kind=report.kind,
                level=report.level,
                version=version,
                release=report.release,
                quality_metrics=dict(report.quality_metrics),
                description=report.description,
            )
        )
    DataProduct.objects.bulk_create(rows, batch_size=1000)
    same_name.link_versions()
    return {row.pk: row for row in rows}


def _require_free_versions(
    reports: Sequence[ProductReport], runs: Mapping[UUID, ProcessingRun], same_name: Any
) -> None:
    """FilingConflictError when a version that a report names is another product's."""
    asked = [(index, report) for index, report in enumerate(reports) if report.version is not None]
    if not asked:
        return
    taken = set(same_name.values_list("observing_program", "name", "version"))
    errors = [
        RowError(index, "version", "product.version_taken", f"{report.name} v{report.version} is another product.")
        for index, report in asked
        if (runs[report.processing_run].observing_program_id, report.name, report.version) in taken
    ]
    if errors:
        raise FilingConflictError(f"Row {errors[0].index}: {errors[0].message}", errors)


def _require_same(reports: Sequence[ProductReport], stored: Mapping[UUID, DataProduct]) -> None:
    """FilingConflictError when a UUID is stored with other content."""
    errors = []
    for index, report in enumerate(reports):
        product = stored.get(report.id)
        if product is None:
            continue
        before = {name: getattr(product, name) for name in COMPARED}
        sent: dict[str, Any] = {
            "processing_run_id": report.processing_run,
            **{name: getattr(report, name) for name in COMPARED[1:]},
        }
        if report.version is not None:
            before["version"], sent["version"] = product.version, report.version
        if differences := differences_between(before, sent):
            message = f"Product {report.id} is stored with another {', '.join(differences)}."
            errors.append(RowError(index, "id", "filing.differs", message, {"differences": differences}))
    if errors:
        raise FilingConflictError(f"Row {errors[0].index}: {errors[0].message}", errors)


def _faults(
    reports: Sequence[ProductReport], runs: Mapping[UUID, ProcessingRun], locations: Mapping[str, DataLocation]
) -> Iterator[RowError]:
    """What is wrong with what reports name."""
    for index, report in enumerate(reports):
        run = runs.get(report.processing_run)
        if run is None:
            message = f"There is no run {report.processing_run} that you may file for."
            yield RowError(index, "processing_run", "product.unknown_run", message)
        elif run.start_time is None:
            message = f"Run {run.pk} has not begun."
            yield RowError(index, "processing_run", "product.run_not_begun", message)
        judged = set()
        for number, file in enumerate(report.files):
            if file.source_location in judged:
                continue
            judged.add(file.source_location)
            module = run.instrument_module if run is not None else None
            for name, code, message in location_faults(file, locations.get(file.source_location), module):
                yield RowError(index, f"files.{number}.{name}", code, message)


def _doubles(reports: Sequence[ProductReport]) -> Iterator[RowError]:
    """Products, versions and files that the call names twice."""
    products: dict[Any, int] = {}
    versions: dict[Any, int] = {}
    files: dict[Any, int] = {}
    for index, report in enumerate(reports):
        if products.setdefault(report.id, index) != index:
            yield RowError(index, "id", "twice", f"Row {products[report.id]} has the same id.")
        version = (report.processing_run, report.name, report.version)
        if report.version is not None and versions.setdefault(version, index) != index:
            yield RowError(index, "version", "twice", f"Row {versions[version]} has the same name and version.")
        for number, file in enumerate(report.files):
            for name, key in (("id", file.id), ("relative_path", (file.source_location, file.relative_path))):
                if key in files:
                    yield RowError(index, f"files.{number}.{name}", "twice", f"Row {files[key]} has the same.")
                files[key] = index
