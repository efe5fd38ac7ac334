"""What lists and exports say of an observation: gathered for many rows with a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Q, Sum

from datamgmt.models import RawDataPackage
from datamgmt.states import PackageState
from planning.models import ConstantElevationSource, ExecutedObsUnit, FixedSource
from planning.sky.places import Place

#: Rows of which the packages are asked at once.
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One observation with what is known of its own packages; those of data streams are not in it."""

    row: ExecutedObsUnit
    place: Place | None
    modules: tuple[str, ...]
    packages: int
    archived: int
    size: int


def lines(rows: Any) -> Iterator[Line]:
    """Of executions that the reader may see, in their order, without holding all of them."""
    following = iter(rows.iterator(chunk_size=_AT_ONCE) if hasattr(rows, "iterator") else rows)
    while some := list(islice(following, _AT_ONCE)):
        yield from _gathered(some)


def _gathered(rows: list[ExecutedObsUnit]) -> Iterator[Line]:
    places = _places({row.obs_unit.source_id for row in rows})
    keys = [row.pk for row in rows]
    packages = RawDataPackage.objects.filter(executed_obs_unit__in=keys).order_by().values("executed_obs_unit")
    sums = packages.annotate(
        number=Count("pk"),
        archived=Count("pk", filter=Q(state=PackageState.ARCHIVED)),
        bytes=Sum("size"),
        modules=ArrayAgg("instrument_module__short_name", distinct=True),
    )
    summary = {each["executed_obs_unit"]: each for each in sums}
    told = _modules_told(keys)
    for row in rows:
        mine = summary.get(row.pk, {})
        modules = {*mine.get("modules", ()), *told.get(row.pk, ())}
        yield Line(
            row=row,
            place=places.get(row.obs_unit.source_id),
            modules=tuple(sorted(modules)),
            packages=mine.get("number", 0),
            archived=mine.get("archived", 0),
            size=mine.get("bytes") or 0,
        )


def _modules_told(keys: list[Any]) -> dict[Any, list[str]]:
    """The modules that the instruments named when they began."""
    through = ExecutedObsUnit.instrument_module_configurations.through.objects.filter(executedobsunit__in=keys)
    named = through.values_list("executedobsunit", "instrumentmoduleconfiguration__instrument_module__short_name")
    found: dict[Any, list[str]] = {}
    for key, name in named:
        found.setdefault(key, []).append(name)
    return found


def _places(sources: set[Any]) -> dict[Any, Place]:
    """Where those are that stand still: fixed sources, and the centres of fields."""
    fixed = FixedSource.objects.filter(pk__in=sources).values_list("pk", "ra_deg", "dec_deg")
    fields = ConstantElevationSource.objects.filter(pk__in=sources, ra_center_deg__isnull=False)
    centres: Any = fields.values_list("pk", "ra_center_deg", "dec_center_deg")
    return {pk: Place(*place) for found in (fixed, centres) for pk, *place in found}
