"""What lists of runs, data products and publications can be narrowed by."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import QuerySet

from ccatdc.common.api.filters import FlagFilter, MomentFilter, OneOfFilter, RowFilter
from datamgmt.api.filters import ModuleFilter, PlaceFilter
from datamgmt.models import ProcessingRun, ProductKind, ProductLevel, Release, RunStatus


class RunFilter(RowFilter):
    """Runs by what they are for, what they read, and how they fare."""

    status = OneOfFilter(choices=RunStatus.choices)
    name = django_filters.CharFilter("name")
    program = django_filters.CharFilter("observing_program__short_name")
    software = django_filters.CharFilter("software_version__reduction_software__name")
    version = django_filters.CharFilter("software_version__version")
    instrument = ModuleFilter("instrument__short_name")
    location = PlaceFilter("location")
    submitted_by = django_filters.CharFilter("submitted_by__username")
    reads_package = django_filters.UUIDFilter(method="reading_package")
    reads_observation = django_filters.UUIDFilter(
        method="reading_observation", help_text="With this execution, or some of its packages, among their inputs."
    )
    created_from = MomentFilter("created_at", lookup_expr="gte")
    created_to = MomentFilter("created_at", lookup_expr="lt")

    def reading_package(self, rows: Any, _name: str, value: UUID) -> Any:
        return rows.that_read(packages=[value])

    def reading_observation(self, rows: Any, _name: str, value: UUID) -> Any:
        return rows.that_read_observation(value)


class ProductFilter(RowFilter):
    """Products by what they are, which version, and what they are made of."""

    kind = OneOfFilter(choices=ProductKind.choices)
    level = OneOfFilter(choices=ProductLevel.choices)
    release = OneOfFilter(choices=Release.choices)
    name = django_filters.CharFilter("name")
    program = django_filters.CharFilter("observing_program__short_name")
    run = django_filters.UUIDFilter("processing_run")
    software = django_filters.CharFilter("processing_run__software_version__reduction_software__name")
    current = FlagFilter(method="without_newer", help_text="Whether there is no newer version.")
    made_of_observation = django_filters.UUIDFilter(
        method="of_observation", help_text="By runs that read this execution, or some of its packages."
    )

    def without_newer(self, rows: QuerySet[Any], _name: str, value: bool) -> QuerySet[Any]:
        return rows.filter(superseded_by__isnull=value)

    def of_observation(self, rows: QuerySet[Any], _name: str, value: UUID) -> QuerySet[Any]:
        runs = ProcessingRun.objects.order_by().that_read_observation(value)
        return rows.filter(processing_run__in=runs.values("pk"))


class PublicationFilter(RowFilter):
    """Publications by their names and what they cite."""

    doi = django_filters.CharFilter("doi")
    bibcode = django_filters.CharFilter("bibcode")
    data_product = django_filters.UUIDFilter("data_products")
    execution = django_filters.UUIDFilter("executed_obs_units")
