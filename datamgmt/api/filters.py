"""What lists of executions, files, packages, copies and locations can be narrowed by."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

import django_filters
from django.db.models import Q, QuerySet

from ccatdc.common.api.filters import FlagFilter, IdFilter, MomentFilter, OneOfFilter, RowFilter
from ccatdc.common.states import Status
from datamgmt.models import DataLocation, LocationType, StorageType
from datamgmt.models.copies import CopyType
from datamgmt.models.files import FileType
from datamgmt.models.streams import belonging_to
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus
from observatory.models import InstrumentModule
from planning.models import ExecutionQuality, ExecutionStatus, ObsUnit
from planning.models.executions import obs_units_and_time


class PlaceFilter(django_filters.CharFilter):  # type: ignore[misc]
    """A location by its full name, ``ccat_output_buffer``; none has a name that nobody gave."""

    def filter(self, rows: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        if not value:
            return rows
        places = DataLocation.objects.non_polymorphic().named(value).order_by().values("pk")
        return rows.filter(**{f"{self.field_name}__in": places})


class ModuleFilter(django_filters.CharFilter):  # type: ignore[misc]
    """Of instrument modules of which something is this. Their keys are asked first: the database knows how many rows have
    each key, and so whether it finds a page faster in the order of the list or by the key.
    """

    def filter(self, rows: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        if not value:
            return rows
        modules = InstrumentModule.objects.filter(**{self.field_name: value}).order_by()
        return rows.filter(instrument_module__in=list(modules.values_list("pk", flat=True)))


class PlanFilter(django_filters.CharFilter):  # type: ignore[misc]
    """Of obs units of which something is this: these are found first, since what they are tells nothing about where in
    a long list their executions lie. ``path`` leads to the execution.
    """

    def __init__(self, field_name: str, path: str = "") -> None:
        super().__init__(field_name)
        self.path = path

    def filter(self, rows: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        if not value:
            return rows
        units = ObsUnit.objects.filter(**{self.field_name: value})
        return rows.filter(obs_units_and_time(units, self.path))


class ByDay(RowFilter):
    """By the day (UTC) on which the observation began."""

    start_path = "start_time"

    date = django_filters.DateFilter(method="on", help_text="Began on this day, UTC.")
    date_from = django_filters.DateFilter(method="since", help_text="Began on this day or later.")
    date_to = django_filters.DateFilter(method="until", help_text="Began on this day or earlier.")

    def on(self, rows: QuerySet[Any], _name: str, day: dt.date) -> QuerySet[Any]:
        return self.until(self.since(rows, _name, day), _name, day)

    def since(self, rows: QuerySet[Any], _name: str, day: dt.date) -> QuerySet[Any]:
        return rows.filter(**{f"{self.start_path}__gte": dt.datetime.combine(day, dt.time.min, dt.UTC)})

    def until(self, rows: QuerySet[Any], _name: str, day: dt.date) -> QuerySet[Any]:
        """To its last microsecond."""
        return rows.filter(**{f"{self.start_path}__lte": dt.datetime.combine(day, dt.time.max, dt.UTC)})


class BelongingFilter(django_filters.UUIDFilter):  # type: ignore[misc]
    """What belongs to an execution: its own, and what data streams wrote meanwhile."""

    def filter(self, rows: Any, value: UUID | None) -> Any:
        return rows if value is None else belonging_to(rows, value)


class PackageFilter(ByDay):
    """Packages by what they hold and where they are in their life."""

    date = django_filters.DateFilter(
        method="on", help_text="Of an observation that began on this day, UTC; of a data stream with data of it."
    )
    date_from = django_filters.DateFilter(method="since", help_text="The same for this day or later.")
    date_to = django_filters.DateFilter(method="until", help_text="The same for this day or earlier.")
    name = django_filters.CharFilter("name")
    state = OneOfFilter(choices=PackageState.choices)
    status = OneOfFilter(choices=Status.choices)
    execution = django_filters.UUIDFilter("executed_obs_unit")
    belongs_to = BelongingFilter(help_text="Of this execution, or of a data stream that overlaps it.")
    data_stream = django_filters.CharFilter("data_stream__name")
    processing_run = django_filters.UUIDFilter("processing_run")
    obs_unit = IdFilter("executed_obs_unit__obs_unit")
    program = PlanFilter("observing_program__short_name", "executed_obs_unit__")
    source = PlanFilter("source__name", "executed_obs_unit__")
    instrument = ModuleFilter("instrument__short_name")
    module = ModuleFilter("short_name")
    source_location = PlaceFilter("source_location")
    bundle = IdFilter("data_transfer_packages", help_text="In this data transfer package.")
    late = FlagFilter("is_late")
    created_from = MomentFilter("created_at", lookup_expr="gte")
    created_to = MomentFilter("created_at", lookup_expr="lt")

    def since(self, rows: QuerySet[Any], _name: str, day: dt.date) -> QuerySet[Any]:
        """By the start of the observation; a package of a data stream by the end of its data."""
        first = dt.datetime.combine(day, dt.time.min, dt.UTC)
        of_stream = Q(executed_obs_unit__isnull=True, end_time__gte=first)
        return rows.filter(Q(executed_obs_unit__start_time__gte=first) | of_stream)

    def until(self, rows: QuerySet[Any], _name: str, day: dt.date) -> QuerySet[Any]:
        """By the start of the observation, or of the data of the stream."""
        last = dt.datetime.combine(day, dt.time.max, dt.UTC)
        of_stream = Q(executed_obs_unit__isnull=True, start_time__lte=last)
        return rows.filter(Q(executed_obs_unit__start_time__lte=last) | of_stream)


class ExecutionFilter(ByDay):
    """Executions by plan, time, module configuration and outcome."""

    status = OneOfFilter(choices=ExecutionStatus.choices)
    quality = OneOfFilter(choices=ExecutionQuality.choices)
    obs_unit = IdFilter("obs_unit")
    program = PlanFilter("observing_program__short_name")
    source = django_filters.CharFilter("obs_unit__source__name")
    instrument = PlanFilter("obs_mode__instrument__short_name")
    operator = django_filters.CharFilter("operator__username")
    mine = FlagFilter(method="of_the_caller", help_text="Started by one's own tokens, or with oneself as operator.")
    slot = IdFilter("pre_scheduled_slot")
    instrument_module_configuration = IdFilter("instrument_module_configurations")
    started_from = MomentFilter("start_time", lookup_expr="gte")
    started_to = MomentFilter("start_time", lookup_expr="lt")

    def of_the_caller(self, rows: QuerySet[Any], _name: str, mine: bool) -> QuerySet[Any]:
        """One's own, or those of others."""
        own = Q(operator=self.request.user) | Q(reported_by_token__user=self.request.user)
        return rows.filter(own) if mine else rows.exclude(pk__in=rows.filter(own).values("pk"))


class FileFilter(RowFilter):
    """Files by execution, package, module and place."""

    execution = django_filters.UUIDFilter("executed_obs_unit")
    belongs_to = BelongingFilter(help_text="Of this execution, or of a data stream that overlaps it.")
    data_stream = django_filters.CharFilter("data_stream__name")
    data_product = django_filters.UUIDFilter("data_product")
    package = django_filters.UUIDFilter("raw_data_package")
    packaged = FlagFilter(method="in_a_package", help_text="Whether they are in a package.")
    instrument = ModuleFilter("instrument__short_name")
    module = ModuleFilter("short_name")
    source_location = PlaceFilter("source_location")
    file_type = OneOfFilter(choices=FileType.choices)
    quality = OneOfFilter(choices=ExecutionQuality.choices)

    def in_a_package(self, rows: QuerySet[Any], _name: str, packaged: bool) -> QuerySet[Any]:
        """Those that are, or those that are not."""
        return rows.filter(raw_data_package__isnull=not packaged)


class MetadataFilter(RowFilter):
    package = django_filters.UUIDFilter("raw_data_package")


class BundleFilter(RowFilter):
    """Data transfer packages by where they go, what they hold, and whether they are made."""

    name = django_filters.CharFilter("name")
    status = OneOfFilter(choices=Status.choices)
    origin_location = PlaceFilter("origin_location")
    destination_site = django_filters.CharFilter("destination_site__short_name")
    final_site = django_filters.CharFilter("final_site__short_name")
    package = django_filters.UUIDFilter("raw_data_packages", help_text="Holds this package.")


class CopyFilter(RowFilter):
    """Copies by what is copied, where, and how it fares."""

    type = OneOfFilter(choices=CopyType.choices)
    location = PlaceFilter("data_location")
    location_type = OneOfFilter("data_location__location_type", choices=LocationType.choices)
    status = OneOfFilter(choices=PhysicalCopyStatus.choices)
    integrity = OneOfFilter(choices=Integrity.choices)
    file = django_filters.UUIDFilter("raw_data_file")
    package = django_filters.UUIDFilter("raw_data_package")
    bundle = IdFilter("data_transfer_package")


class SiteFilter(RowFilter):
    """Sites by whether they are in use."""

    active = FlagFilter("active")


class LocationFilter(RowFilter):
    """Locations by site, purpose, technology, and whether they are in use."""

    site = django_filters.CharFilter("site__short_name")
    name = django_filters.CharFilter("name")
    full_name = PlaceFilter("pk")
    location_type = OneOfFilter(choices=LocationType.choices)
    storage_type = OneOfFilter(choices=StorageType.choices)
    instrument = django_filters.CharFilter("instrument__short_name")
    active = FlagFilter("active")


class ArchiveFilter(RowFilter):
    """Archives by site, and whether they are in use."""

    site = django_filters.CharFilter("site__short_name")
    active = FlagFilter("active")
