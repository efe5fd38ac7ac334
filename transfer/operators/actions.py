"""What an operator decides with a button of the portal, besides retry and cancel (transfer/engine/dispatch.py).

Each function checks that the action makes sense, does it in one transaction, and writes the audit log. Permission is
the caller's business.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts.models import User, record
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import ConflictError
from ccatdc.common.states import Status
from datamgmt.models import DataLocation, RawDataPackage
from transfer.engine import dispatch
from transfer.models import (
    DataTransfer,
    DataTransferPackageCreation,
    DataTransferUnpacking,
    LocationCheck,
    LongTermArchiveTransfer,
    Operation,
    RawDataPackageCreation,
    ServiceHeartbeat,
    Staging,
)
from transfer.models.operations import OperationQuerySet


def check_now(location: DataLocation, user: User) -> LocationCheck:
    """Check a location out of turn: is it itself, and how full is it? A check that waits already is brought forward."""
    with transaction.atomic():
        record("locations", f"Check now: {location.full_name}.", about=location, user=user)
        open_checks = LocationCheck.objects.open().filter(location=location)
        waiting: LocationCheck | None = open_checks.first()
        if waiting is None:
            waiting = LocationCheck.objects.create(location=location)
            dispatch.submit(waiting)
        elif waiting.status == Status.PENDING:
            dispatch.retry(waiting, user=user, reason="Check now.")
    return waiting


def operations_about(package: RawDataPackage) -> OperationQuerySet:
    """Operations about this package, alone or in a bundle, as rows of the base table.

    The kinds are asked one by one, in one statement: each look-up is an index, while one condition over all their joins
    would read every operation there ever was.
    """
    bundles = list(package.data_transfer_packages.values_list("pk", flat=True))
    in_bundle = {"data_transfer_package__in": bundles}
    kinds = [
        RawDataPackageCreation.objects.filter(raw_data_package=package),
        DataTransferPackageCreation.objects.filter(**in_bundle),
        DataTransfer.objects.filter(**in_bundle),
        DataTransferUnpacking.objects.filter(data_transfer__data_transfer_package__in=bundles),
        LongTermArchiveTransfer.objects.filter(raw_data_package=package),
        Staging.objects.filter(raw_data_package=package),
    ]
    keys = [kind.order_by().values_list("operation_ptr_id", flat=True) for kind in kinds]
    found = list(keys[0].union(*keys[1:], all=True))
    rows: OperationQuerySet = Operation.objects.non_polymorphic().filter(pk__in=found)
    return rows


def retry_cause(operation: Operation, user: User | None) -> int:
    """Ask for a retry of all that failed for the same reason at the same place; how many. The managers do it, some hundred
    at a time (transfer/managers/retries.py).
    """
    with transaction.atomic():
        rows = _of_its_cause(operation)
        count = int(rows.update(retry_requested_at=timezone.now()))
        record(
            "operations",
            f"Retry of {count} that failed at {operation.location} with {operation.error_code}.",
            about=operation,
            user=user,
        )
        notify_managers()
    return count


def acknowledge_cause(operation: Operation, user: User | None) -> int:
    """Acknowledge all that failed for the same reason at the same place; how many."""
    with transaction.atomic():
        count = int(_of_its_cause(operation).update(acknowledged_at=timezone.now()))
        record(
            "operations",
            f"Acknowledged {count} that failed at {operation.location} with {operation.error_code}.",
            about=operation,
            user=user,
        )
    return count


def _of_its_cause(operation: Operation) -> OperationQuerySet:
    rows: OperationQuerySet = Operation.objects.non_polymorphic().same_cause(operation)
    if not rows.exists():
        raise ConflictError(f"{operation} has not failed: nothing else failed as it did.", code="operation.not_failed")
    return rows


def take_out_of_use(service: ServiceHeartbeat, user: User | None) -> None:
    """A service that will not come back is silent no more; when it beats again it is back."""
    with transaction.atomic():
        if not ServiceHeartbeat.objects.silent().filter(pk=service.pk).update(stopped_at=timezone.now()):
            raise ConflictError(f"{service} is not silent.", code="service.not_silent")
        record("services", f"Taken out of use: {service}.", about=service, user=user)


def acknowledge(operation: Operation, user: User | None) -> None:
    """Acknowledge a failure that is not to be retried: it stays FAILED and leaves the first page.

    A later failure of the same operation is news again.
    """
    with transaction.atomic():
        rows = Operation.objects.non_polymorphic().filter(pk=operation.pk, status=Status.FAILED)
        if rows.update(acknowledged_at=timezone.now()) == 0:
            raise ConflictError(
                f"{operation} has not failed: there is nothing to acknowledge.", code="operation.not_failed"
            )
        record("operations", f"Acknowledged the failure of {operation}.", about=operation, user=user)
