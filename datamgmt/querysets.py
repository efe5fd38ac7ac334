"""The questions that the flow asks about data, by name. Managers, operations, views and commands ask; nobody filters.

Works on names of related fields only: it imports no model, so that models may use it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Count, Exists, F, Max, OuterRef, Q, Sum
from polymorphic.managers import PolymorphicManager, PolymorphicQuerySet

from ccatdc.common.states import Status
from datamgmt.copy_querysets import USABLE
from datamgmt.states import PackageState, PhysicalCopyStatus
from planning.querysets import observed_for

if TYPE_CHECKING:
    from datamgmt.models import DataLocation, Site


class DataLocationQuerySet(PolymorphicQuerySet[Any]):
    """Questions about locations."""

    def active(self) -> DataLocationQuerySet:
        """In use, at a site in use."""
        return self.filter(active=True, site__active=True)

    def registered(self) -> DataLocationQuerySet:
        """Marked as what they are: before that, nothing may be written there."""
        return self.filter(registered_at__isnull=False)

    def of_type(self, *location_types: str) -> DataLocationQuerySet:
        """Of these types."""
        return self.filter(location_type__in=location_types)

    def at_site(self, site: Site) -> DataLocationQuerySet:
        """At this site."""
        return self.filter(site=site)

    def by_priority(self) -> DataLocationQuerySet:
        """The first to use first; ties by id, so that every process chooses the same."""
        return self.order_by("priority", "id")

    def with_site(self) -> DataLocationQuerySet:
        """With what its full name needs."""
        return self.select_related("site")

    def named(self, full_name: str) -> DataLocationQuerySet:
        """The location ``{site}_{location}``; both parts may hold underscores."""
        wanted = Q(pk__in=[])
        parts = full_name.split("_")
        for cut in range(1, len(parts)):
            wanted |= Q(site__short_name="_".join(parts[:cut]), name="_".join(parts[cut:]))
        return self.filter(wanted)

    def due_for_check(self, now: datetime) -> DataLocationQuerySet:
        """Registered locations whose last check is older than their interval."""
        interval = F("check_interval_seconds") * timedelta(seconds=1)
        return self.registered().filter(
            Q(checked_at__isnull=True) | Q(checked_at__lte=now - interval)
        )


class DataLocationManager(PolymorphicManager.from_queryset(DataLocationQuerySet)):  # type: ignore[misc]
    """Locations as their own kind (disk, S3, tape)."""


class RawDataFileQuerySet(models.QuerySet[Any]):
    """Questions about raw files."""

    def visible_to(self, user: Any) -> RawDataFileQuerySet:
        """Of observations that the person may see."""
        return self.filter(observed_for(user, "executed_obs_unit__"))

    def unpackaged(self) -> RawDataFileQuerySet:
        """In no package yet."""
        return self.filter(raw_data_package__isnull=True)

    def usable(self) -> RawDataFileQuerySet:
        """Whose copy at SOURCE exists and is not in trouble: files set aside wait for an operator."""
        good = self._copies().filter(status=PhysicalCopyStatus.PRESENT, integrity__in=USABLE)
        return self.filter(Exists(good.filter(raw_data_file=OuterRef("pk"))))

    def set_aside(self) -> RawDataFileQuerySet:
        """Whose copy at SOURCE is missing, damaged or suspect."""
        return self.filter(Exists(self._copies().in_trouble().filter(raw_data_file=OuterRef("pk"))))

    def _copies(self) -> Any:
        return self.model._meta.get_field("copies").related_model.objects.non_polymorphic()

    def of_finished_executions(self) -> RawDataFileQuerySet:
        """Whose observation is over."""
        return self.filter(executed_obs_unit__finished_at__isnull=False)

    def of_executions(self, ids: Iterable[Any]) -> RawDataFileQuerySet:
        """Of these executions."""
        return self.filter(executed_obs_unit__in=list(ids))

    def executions(self) -> models.QuerySet[Any, Any]:
        """The ids of the executions that these files belong to."""
        return self.order_by().values_list("executed_obs_unit_id", flat=True).distinct()

    def packaging_groups(self) -> models.QuerySet[Any, dict[str, Any]]:
        """One row for each execution, module and SOURCE location, with when the last of it became
        known: the ends of the observation and of its filing. Ask for few executions at a time.
        """
        groups: models.QuerySet[Any, dict[str, Any]] = (
            self.order_by()
            .values("executed_obs_unit_id", "instrument_module_id", "source_location_id")
            .annotate(
                last_registered_at=Max("registered_at"),
                finished_at=Max("executed_obs_unit__finished_at"),
                files=Count("id"),
            )
        )
        return groups

    def in_group(
        self, executed_obs_unit_id: Any, instrument_module_id: int, source_location_id: int
    ) -> RawDataFileQuerySet:
        """The files of one row of :meth:`packaging_groups`."""
        return self.filter(
            executed_obs_unit_id=executed_obs_unit_id,
            instrument_module_id=instrument_module_id,
            source_location_id=source_location_id,
        )


class RawDataPackageQuerySet(models.QuerySet[Any]):
    """Questions about packages."""

    def visible_to(self, user: Any) -> RawDataPackageQuerySet:
        """Of observations that the person may see."""
        return self.filter(observed_for(user, "executed_obs_unit__"))

    def archived(self) -> RawDataPackageQuerySet:
        """With one verified archive copy or more."""
        return self.filter(state=PackageState.ARCHIVED)

    def failed(self) -> RawDataPackageQuerySet:
        """Not on their way any more, and no good copy in an archive."""
        return self.filter(state=PackageState.FAILED)

    def archived_since(self, moment: datetime) -> RawDataPackageQuerySet:
        """Archived then or later."""
        return self.archived().filter(archived_at__gte=moment)

    def not_archived(self) -> RawDataPackageQuerySet:
        """Still on the way."""
        return self.exclude(state=PackageState.ARCHIVED)

    def built(self) -> RawDataPackageQuerySet:
        """With a tar."""
        return self.filter(status=Status.COMPLETED)

    def waiting(self) -> RawDataPackageQuerySet:
        """Built, and in no bundle."""
        return self.built().filter(state=PackageState.WAITING)

    def _with_copy(self, copies: models.QuerySet[Any]) -> RawDataPackageQuerySet:
        return self.filter(Exists(copies.filter(raw_data_package=OuterRef("pk"))))

    def with_usable_copy_at(self, *locations: DataLocation) -> RawDataPackageQuerySet:
        """With a copy at one of these that can be read; who reads it compares its digest."""
        return self._with_copy(self._copies().usable().filter(data_location__in=locations))

    def without_copy_at(self, location: DataLocation) -> RawDataPackageQuerySet:
        """Without a copy at this location, in whatever state but deleted."""
        copies = self._copies().filter(data_location=location).existing()
        return self.filter(~Exists(copies.filter(raw_data_package=OuterRef("pk"))))

    def present_in_archive(self) -> RawDataPackageQuerySet:
        """With a copy in some long-term archive that nothing is said against."""
        return self._with_copy(self._copies().in_archives().usable())

    def _copies(self) -> Any:
        return self.model._meta.get_field("copies").related_model.objects.non_polymorphic()

    def oldest_first(self) -> RawDataPackageQuerySet:
        """In the order in which they were made."""
        return self.order_by("created_at", "id")

    def for_listing(self) -> RawDataPackageQuerySet:
        """With what a page about packages shows."""
        return self.select_related(
            "executed_obs_unit__obs_unit__observing_program",
            "executed_obs_unit__obs_unit__source",
            "instrument_module__instrument",
        )

    def total_size(self) -> int:
        """Bytes of all of them."""
        return int(self.aggregate(total=Sum("size"))["total"] or 0)


class MetadataQuerySet(models.QuerySet[Any]):
    """Metadata of packages."""

    def visible_to(self, user: Any) -> MetadataQuerySet:
        """Of observations that the person may see."""
        return self.filter(observed_for(user, "raw_data_package__executed_obs_unit__"))


class DataTransferPackageQuerySet(models.QuerySet[Any]):
    """Questions about bundles."""

    def built(self) -> DataTransferPackageQuerySet:
        """Ready to travel."""
        return self.filter(status=Status.COMPLETED)
