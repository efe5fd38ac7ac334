"""What lists of routes, operations, transfers and their logs can be narrowed by."""

from __future__ import annotations

from typing import Any

import django_filters

from ccatdc.common.api.filters import FlagFilter, IdFilter, MomentFilter, OneOfFilter, RowFilter
from ccatdc.common.states import Status
from datamgmt.api.filters import PlaceFilter
from transfer.models import RouteType
from transfer.models import runs as processing
from transfer.models.jobs import JobStatus
from transfer.pipeline import OperationType


class RouteFilter(RowFilter):
    """Routes by their ends, type, and whether they are in use."""

    name = django_filters.CharFilter("name")
    route_type = OneOfFilter(choices=RouteType.choices)
    origin_site = django_filters.CharFilter("origin_site__short_name")
    destination_site = django_filters.CharFilter("destination_site__short_name")
    active = FlagFilter("active")


class _WorkFilter(RowFilter):
    """Work by place, status, error and time."""

    location = PlaceFilter("location")
    status = OneOfFilter(choices=Status.choices)
    error_code = django_filters.CharFilter("error_code")
    paused = FlagFilter("paused_at", lookup_expr="isnull", exclude=True)
    created_from = MomentFilter("created_at", lookup_expr="gte")
    created_to = MomentFilter("created_at", lookup_expr="lt")


class OperationFilter(_WorkFilter):
    operation_type = OneOfFilter(choices=OperationType.choices)
    subject = django_filters.CharFilter("subject")


class DataTransferFilter(_WorkFilter):
    """Transfers by bundle, destination, route and how their unpacking fares."""

    data_transfer_package = IdFilter("data_transfer_package")
    destination_location = PlaceFilter("destination_location")
    route = django_filters.CharFilter("route__name")
    unpack_status = OneOfFilter(choices=Status.choices)


class ArchiveTransferFilter(_WorkFilter):
    """Archive transfers by package and archive."""

    raw_data_package = django_filters.UUIDFilter("raw_data_package")
    destination_location = PlaceFilter("destination_location")


class _LogFilter(RowFilter):
    """Log rows by status and time."""

    status = OneOfFilter(choices=Status.choices)
    logged_from = MomentFilter("timestamp", lookup_expr="gte")
    logged_to = MomentFilter("timestamp", lookup_expr="lt")


class DataTransferLogFilter(_LogFilter):
    data_transfer = IdFilter("data_transfer")


class ArchiveTransferLogFilter(_LogFilter):
    long_term_archive_transfer = IdFilter("long_term_archive_transfer")


class StagingJobLogFilter(_LogFilter):
    staging_job = IdFilter("staging_job")
    raw_data_package = django_filters.UUIDFilter("raw_data_package")


class StagingJobFilter(RowFilter):
    status = OneOfFilter(choices=JobStatus.choices, method="of_status")
    location = PlaceFilter("destination_location")

    def of_status(self, rows: Any, _name: str, wanted: list[str]) -> Any:
        """As the job shows it."""
        return rows.with_job_status(*wanted) if wanted else rows


class ProcessingJobFilter(RowFilter):
    """Runs on the cluster by state, pipeline and place."""

    status = OneOfFilter(choices=processing.JobStatus.choices)
    pipeline = django_filters.CharFilter("pipeline__name")
    location = PlaceFilter("pipeline__run_backend__location")
