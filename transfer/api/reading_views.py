"""Reading work and its traces: operations, routes, transfers, logs. Time runs downwards: the latest first."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from ccatdc.common.api.views import ReadingView, RowsViewSet, StrictListView
from transfer.api import filters, reading_serializers
from transfer.api.serializers import OperationSerializer
from transfer.api.staging_views import STAGE, jobs_of
from transfer.models import (
    DataTransfer,
    DataTransferLog,
    DataTransferRoute,
    LongTermArchiveTransfer,
    LongTermArchiveTransferLog,
    Operation,
    StagingJobLog,
)
from transfer.operators.wait_reasons import why_waiting

READ = {"GET": "read:observations"}
LATEST_FIRST = ("-created_at", "created_at", "-id", "id")
LOGGED = ("-timestamp", "timestamp", "-id", "id")

_WORK = ("location__site", "origin_location__site", "destination_location__site")


def operations() -> QuerySet[Any]:
    """Of every kind, in the columns that all share."""
    rows: QuerySet[Any] = Operation.objects.non_polymorphic()
    return rows.select_related("location__site")


def data_transfers() -> QuerySet[Any]:
    """With their places and routes."""
    rows: QuerySet[Any] = DataTransfer.objects.non_polymorphic()
    return rows.select_related(*_WORK, "route")


def archive_transfers() -> QuerySet[Any]:
    """With their places."""
    rows: QuerySet[Any] = LongTermArchiveTransfer.objects.non_polymorphic()
    return rows.select_related(*_WORK)


def routes() -> QuerySet[DataTransferRoute]:
    """With the sites and places that they join."""
    return DataTransferRoute.objects.select_related(
        "origin_site", "destination_site", "relay_site", "origin_location__site", "destination_location__site"
    )


class _WorkView(ReadingView[Any]):
    """Work is shown with why it waits, which is asked once for the whole answer."""

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """The serializer is told why each piece of work waits."""
        shown = args[0] if kwargs.get("many") else args[:1]
        context = kwargs.pop("context", None) or self.get_serializer_context()
        context = {**context, "reasons": why_waiting(shown)}
        return super().get_serializer(*args, context=context, **kwargs)


class OperationListView(_WorkView, StrictListView[Any]):
    """Work of all kinds."""

    needs = READ
    queryset = operations()
    serializer_class = OperationSerializer
    filterset_class = filters.OperationFilter
    orders = LATEST_FIRST


class DataTransferViewSet(_WorkView, RowsViewSet[Any]):
    """Movements of bundles."""

    queryset = data_transfers()
    serializer_class = reading_serializers.DataTransferSerializer
    filterset_class = filters.DataTransferFilter
    orders = LATEST_FIRST
    expands = ("data_transfer_package", "origin_location", "destination_location")


class ArchiveTransferViewSet(_WorkView, RowsViewSet[Any]):
    """Packages on their way into archives."""

    queryset = archive_transfers()
    serializer_class = reading_serializers.ArchiveTransferSerializer
    filterset_class = filters.ArchiveTransferFilter
    orders = LATEST_FIRST
    expands = ("raw_data_package", "raw_data_package.execution", "origin_location", "destination_location")


class RouteViewSet(RowsViewSet[DataTransferRoute]):
    """Routes that operators wrote; the automatic ones are no rows."""

    queryset = routes()
    serializer_class = reading_serializers.RouteSerializer
    filterset_class = filters.RouteFilter
    orders = ("id", "name", "priority")
    expands = ("origin_site", "destination_site", "relay_site", "origin_location", "destination_location")


class DataTransferLogViewSet(RowsViewSet[DataTransferLog]):
    """What happened to transfers."""

    queryset = DataTransferLog.objects.all()
    serializer_class = reading_serializers.DataTransferLogSerializer
    filterset_class = filters.DataTransferLogFilter
    orders = LOGGED


class ArchiveTransferLogViewSet(RowsViewSet[LongTermArchiveTransferLog]):
    """What happened to archive transfers."""

    queryset = LongTermArchiveTransferLog.objects.all()
    serializer_class = reading_serializers.ArchiveTransferLogSerializer
    filterset_class = filters.ArchiveTransferLogFilter
    orders = LOGGED


class StagingJobLogViewSet(RowsViewSet[StagingJobLog]):
    """What happened to staging jobs: to one's own, to everybody's for who looks after the transfers."""

    needs = {"GET": STAGE}
    queryset = StagingJobLog.objects.none()
    serializer_class = reading_serializers.StagingJobLogSerializer
    filterset_class = filters.StagingJobLogFilter
    orders = LOGGED

    def get_queryset(self) -> QuerySet[StagingJobLog]:
        if getattr(self, "swagger_fake_view", False):
            return StagingJobLog.objects.none()
        return StagingJobLog.objects.filter(staging_job__in=jobs_of(self.request).values("pk"))
