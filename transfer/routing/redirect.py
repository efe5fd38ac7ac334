"""Work that was planned for a BUFFER that was switched off, became full or fails before the work began: it is redirected
to another BUFFER of the site. Used by the managers of stages 10 and 30.
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from ccatdc.common.states import Status
from datamgmt.models import DataLocation, LocationType, Site
from transfer.engine import dispatch
from transfer.models import CircuitBreaker, DataTransfer, Operation, RawDataPackageCreation
from transfer.routing.routes import writable_buffer

Redirectable = TypeVar("Redirectable", RawDataPackageCreation, DataTransfer)


def misdirected(model: type[Redirectable]) -> QuerySet[Redirectable]:
    """Operations that no worker holds and that would write into a BUFFER that is out of use, or that is full or held back
    by its circuit breaker while another one of its site is well.
    """
    rows = model._base_manager.filter(
        status__in=(Status.PENDING, Status.SCHEDULED), destination_location__location_type=LocationType.BUFFER
    )
    active = DataLocation.objects.non_polymorphic().active()
    is_off = ~Q(destination_location__in=active.values("pk"))
    found: QuerySet[Redirectable] = rows.filter(is_off | Q(destination_location__in=_unwell_beside_others()))
    return found


def _unwell_beside_others() -> set[int]:
    """Keys of BUFFERs that cannot take anything now, at sites where another one can. A breaker whose trial is due lets
    one operation through: what waits there is left to it.
    """
    rows = DataLocation.objects.non_polymorphic().active().registered()
    buffers = list(rows.of_type(LocationType.BUFFER))
    held = CircuitBreaker.objects.blocking().against_writing(buffers)
    unwell = {buffer.pk for buffer in buffers if buffer.pk in held or buffer.is_full}
    others = {buffer.site_id for buffer in buffers if buffer.pk not in unwell}
    return {buffer.pk for buffer in buffers if buffer.pk in unwell and buffer.site_id in others}


def redirect(operation: RawDataPackageCreation | DataTransfer, site: Site) -> bool:
    """Point it at a BUFFER of ``site`` that is well, and say whether it was still free, and another one was found.

    In a transaction. :class:`Blocked` when there is no such BUFFER. The claim's number goes up, so that a worker that
    read the row before, and would claim it only now, cannot.
    """
    rows = Operation.objects.non_polymorphic()
    free = rows.filter(pk=operation.pk, status__in=(Status.PENDING, Status.SCHEDULED))
    row = free.select_for_update().first()
    if row is None:
        return False
    destination = writable_buffer(site)
    if destination.pk == operation.destination_location_id:
        return False
    if row.status == Status.SCHEDULED:
        dispatch.take_back(operation)
    # What it waited for was the other place's.
    rows.filter(pk=operation.pk).update(claims=F("claims") + 1, waits_for=None, run_after=Now())
    operation.refresh_from_db()
    operation.destination_location = destination
    operation.save(update_fields=["destination_location", "writes_to", "subject"])
    dispatch.submit(operation)
    return True
