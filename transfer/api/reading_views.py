"""Reading work and its traces: operations, routes, transfers, logs. Time runs downwards: the latest first."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from ccatdc.common.api_views import ReadingView, StrictDetailView, StrictListView
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
from transfer.waiting import why_waiting

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
        "origin_site",
        "destination_site",
        "relay_site",
        "origin_location__site",
        "destination_location__site",
    )


class _WorkView(ReadingView[Any]):
    """Work is shown with why it waits, which is asked once for the whole answer."""

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """The shape, told why each piece of work waits."""
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


class DataTransferListView(_WorkView, StrictListView[Any]):
    """Movements of bundles."""

    needs = READ
    queryset = data_transfers()
    serializer_class = reading_serializers.DataTransferSerializer
    filterset_class = filters.DataTransferFilter
    orders = LATEST_FIRST
    expands = ("data_transfer_package", "origin_location", "destination_location")


class DataTransferView(_WorkView, StrictDetailView[Any]):
    """One movement."""

    needs = READ
    queryset = data_transfers()
    serializer_class = reading_serializers.DataTransferSerializer
    expands = DataTransferListView.expands


class ArchiveTransferListView(_WorkView, StrictListView[Any]):
    """Packages on their way into archives."""

    needs = READ
    queryset = archive_transfers()
    serializer_class = reading_serializers.ArchiveTransferSerializer
    filterset_class = filters.ArchiveTransferFilter
    orders = LATEST_FIRST
    expands = (
        "raw_data_package",
        "raw_data_package.execution",
        "origin_location",
        "destination_location",
    )


class ArchiveTransferView(_WorkView, StrictDetailView[Any]):
    """One of them."""

    needs = READ
    queryset = archive_transfers()
    serializer_class = reading_serializers.ArchiveTransferSerializer
    expands = ArchiveTransferListView.expands


class RouteListView(StrictListView[DataTransferRoute]):
    """Routes that operators wrote; the automatic ones are no rows."""

    needs = READ
    queryset = routes()
    serializer_class = reading_serializers.RouteSerializer
    filterset_class = filters.RouteFilter
    orders = ("id", "name", "priority")
    expands = (
        "origin_site",
        "destination_site",
        "relay_site",
        "origin_location",
        "destination_location",
    )


class RouteView(StrictDetailView[DataTransferRoute]):
    """One route."""

    needs = READ
    queryset = routes()
    serializer_class = reading_serializers.RouteSerializer
    expands = RouteListView.expands


class DataTransferLogListView(StrictListView[DataTransferLog]):
    """What happened to transfers."""

    needs = READ
    queryset = DataTransferLog.objects.all()
    serializer_class = reading_serializers.DataTransferLogSerializer
    filterset_class = filters.DataTransferLogFilter
    orders = LOGGED


class DataTransferLogView(StrictDetailView[DataTransferLog]):
    """One line of it."""

    needs = READ
    queryset = DataTransferLog.objects.all()
    serializer_class = reading_serializers.DataTransferLogSerializer


class ArchiveTransferLogListView(StrictListView[LongTermArchiveTransferLog]):
    """What happened to archive transfers."""

    needs = READ
    queryset = LongTermArchiveTransferLog.objects.all()
    serializer_class = reading_serializers.ArchiveTransferLogSerializer
    filterset_class = filters.ArchiveTransferLogFilter
    orders = LOGGED


class ArchiveTransferLogView(StrictDetailView[LongTermArchiveTransferLog]):
    """One line of it."""

    needs = READ
    queryset = LongTermArchiveTransferLog.objects.all()
    serializer_class = reading_serializers.ArchiveTransferLogSerializer


class _OfOwnJobs(ReadingView[StagingJobLog]):
    """Lines about jobs that the asker may see."""

    needs = {"GET": STAGE}
    queryset = StagingJobLog.objects.none()
    serializer_class = reading_serializers.StagingJobLogSerializer

    def get_queryset(self) -> QuerySet[StagingJobLog]:
        """Those of one's own jobs, of everybody's for who looks after the transfers."""
        if getattr(self, "swagger_fake_view", False):
            return StagingJobLog.objects.none()
        return StagingJobLog.objects.filter(staging_job__in=jobs_of(self.request).values("pk"))


class StagingJobLogListView(_OfOwnJobs, StrictListView[StagingJobLog]):
    """What happened to staging jobs."""

    filterset_class = filters.StagingJobLogFilter
    orders = LOGGED


class StagingJobLogView(_OfOwnJobs, StrictDetailView[StagingJobLog]):
    """One line of it."""
