"""Work that was planned for a BUFFER that was switched off before the work began: it is redirected to another BUFFER.
Used by the managers of stages 10 and 30.
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import F, QuerySet

from ccatdc.common.states import Status
from datamgmt.models import DataLocation, LocationType, Site
from transfer.engine import dispatch
from transfer.models import DataTransfer, Operation, RawDataPackageCreation
from transfer.routing.routes import writable_buffer

Redirectable = TypeVar("Redirectable", RawDataPackageCreation, DataTransfer)


def misdirected(model: type[Redirectable]) -> QuerySet[Redirectable]:
    """Operations that no worker holds and that would write into a BUFFER that is out of use."""
    rows = model._base_manager.filter(
        status__in=(Status.PENDING, Status.SCHEDULED), destination_location__location_type=LocationType.BUFFER
    )
    active = DataLocation.objects.non_polymorphic().active()
    found: QuerySet[Redirectable] = rows.exclude(destination_location__in=active.values("pk"))
    return found


def redirect(operation: RawDataPackageCreation | DataTransfer, site: Site) -> bool:
    """Point it at a BUFFER of ``site`` that is in use, and say whether it was still free.

    In a transaction. :class:`Blocked` when there is no such BUFFER. The claim's number goes up, so that a worker that
    read the row before, and would claim it only now, cannot.
    """
    rows = Operation.objects.non_polymorphic()
    free = rows.filter(pk=operation.pk, status__in=(Status.PENDING, Status.SCHEDULED))
    row = free.select_for_update().first()
    if row is None:
        return False
    destination = writable_buffer(site)
    if row.status == Status.SCHEDULED:
        dispatch.take_back(operation)
    operation.refresh_from_db()
    operation.destination_location = destination
    operation.save(update_fields=["destination_location", "subject"])
    rows.filter(pk=operation.pk).update(claims=F("claims") + 1)
    dispatch.submit(operation)
    return True
