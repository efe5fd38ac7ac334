"""*Resend*: how a package that is FAILED gets to the archive after all. The manager of resends or an operator asks, the
rows say which way is left.

In this order: what failed is tried again where that can help; a copy in a BUFFER that nothing is said against is
bundled anew, or archived from there; without any the package is made again of its files at SOURCE, which are kept until
it is archived.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.models import User, record
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import ConflictError
from ccatdc.common.states import Status, transition
from datamgmt.models import DataLocation, LocationType, PhysicalCopy, RawDataPackage
from datamgmt.models.packages import RawDataPackageQuerySet
from datamgmt.states import PackageState
from transfer.engine import dispatch
from transfer.engine.status_propagation import propagate_status
from transfer.models import (
    DataTransfer,
    DataTransferPackageCreation,
    DataTransferUnpacking,
    LongTermArchiveTransfer,
    Operation,
    RawDataPackageCreation,
)
from transfer.operators.actions import acknowledge, operations_about
from transfer.pipeline import OperationType
from transfer.routing.routes import archive_origin, writable_buffer

#: Failures that trying the same again cannot mend: the bundle itself is at fault.
NEEDS_NEW_BUNDLE = frozenset({"bundle.no_good_package", "transfer.no_good_package", "transfer.bundle_gone"})


def send_again(package: RawDataPackage, user: User | None) -> None:
    """Bring a FAILED package on its way again; without a user it is the data center that does it. Permission is the
    caller's business.

    Raises ConflictError for a package that is not FAILED, or of which nothing is left to send.
    """
    with transaction.atomic():
        package = RawDataPackage.objects.select_for_update(of=("self",)).get(pk=package.pk)
        if package.state != PackageState.FAILED:
            raise ConflictError(
                f"{package} has not failed: it is {package.get_state_display().lower()}.", code="package.not_failed"
            )
        how = _send(package, user)
        record("packages", f"Resent: {package}: {how}.", about=package, user=user)
        notify_managers()


def try_again(operation: Operation, user: User | None, reason: str = "") -> None:
    """*Retry* and *Resend* are one act: the packages that failed with this operation are resent, each in the way that is
    left for it; where none is resent the operation is tried again. Permission is the caller's business.
    """
    real = operation.get_real_instance()
    packages = list(RawDataPackage.objects.failed().filter(pk__in=real.packages().values("pk")))
    # A package goes with the one before it when they share a bundle; of some nothing is left to send.
    resent = [package for package in packages if _is_resent(package, user)]
    if not resent:
        dispatch.retry(real, user=user, reason=reason)


def _is_resent(package: RawDataPackage, user: User | None) -> bool:
    try:
        send_again(package, user)
    except ConflictError:
        return False
    return True


def without_failed_work(packages: RawDataPackageQuerySet) -> RawDataPackageQuerySet:
    """Those of which no failed operation tells."""
    alone = {"raw_data_package": OuterRef("pk")}
    in_bundle = {"data_transfer_package__raw_data_packages": OuterRef("pk")}
    unpacked = {"data_transfer__data_transfer_package__raw_data_packages": OuterRef("pk")}
    failed = (
        RawDataPackageCreation.objects.failed_unseen().filter(**alone),
        LongTermArchiveTransfer.objects.failed_unseen().filter(**alone),
        DataTransferPackageCreation.objects.failed_unseen().filter(**in_bundle),
        DataTransfer.objects.failed_unseen().filter(**in_bundle),
        DataTransferUnpacking.objects.failed_unseen().filter(**unpacked),
    )
    return packages.filter(*(~Exists(each.order_by().values("pk")) for each in failed))


def _send(package: RawDataPackage, user: User | None) -> str:
    """Open the first way there is; what it was, in words."""
    for failed in failures_of(package):
        if _can_succeed(failed, package):
            if isinstance(failed, RawDataPackageCreation):
                _leave_failed_bundles(package, user)
            dispatch.retry(failed, user=user, reason=f"{package} is resent.")
            return f"{failed} is tried again"
    in_buffers = PhysicalCopy.objects.of_package(package.pk).usable().at_active()
    if in_buffers.of_type_of_location(LocationType.BUFFER).exists():
        _leave_failed_bundles(package, user)
        transition(package, PackageState.WAITING, field="state")
        return "it waits for a new bundle"
    if _is_whole_at_source(package):
        _leave_failed_bundles(package, user)
        _make_again(package)
        return "it is made again of its files"
    raise ConflictError(
        f"Nothing good is left to send of {package}: no copy in a BUFFER, and not all files at SOURCE.",
        code="package.nothing_left",
        remedy="Look at its copies and files: restore one or the others, then have them checked again.",
    )


def failures_of(package: RawDataPackage) -> Iterator[Operation]:
    """What failed about it, the newest first."""
    failed = operations_about(package).failed().exclude(operation_type=OperationType.STAGING)
    for operation in failed.order_by("-finished_at", "-id"):
        yield operation.get_real_instance()


def _can_succeed(operation: Operation, package: RawDataPackage) -> bool:
    """Whether trying it again can help this package: what it reads is there."""
    if isinstance(operation, RawDataPackageCreation):
        # With a good copy it finds nothing to do, and the package counts as made.
        made = PhysicalCopy.objects.of_package(package.pk).usable()
        return made.exists() or _is_whole_at_source(package)
    if isinstance(operation, LongTermArchiveTransfer):
        return archive_origin(package.pk, operation.destination_location) is not None
    if isinstance(operation, DataTransferPackageCreation | DataTransfer):
        here = PhysicalCopy.objects.of_package(package.pk).at(operation.location)
        return operation.error_code not in NEEDS_NEW_BUNDLE and here.usable().exists()
    return True


def _leave_failed_bundles(package: RawDataPackage, user: User | None) -> None:
    """A relay would take it for sent on. A failure that keeps no package any more needs nobody's look."""
    of_bundles = {"data_transfer_package__raw_data_packages": package}
    creations = DataTransferPackageCreation.objects.failed().filter(**of_bundles)
    transfers = DataTransfer.objects.filter(**of_bundles)
    unsuccessful = transfers.filter(Q(status=Status.FAILED) | Q(unpack_status=Status.FAILED))
    for operation in (*creations, *unsuccessful):
        package.data_transfer_packages.remove(operation.data_transfer_package)
        if operation.status == Status.FAILED and not operation.packages().exists():
            acknowledge(operation, user)


def _is_whole_at_source(package: RawDataPackage) -> bool:
    at_source = PhysicalCopy.objects.non_polymorphic().usable()
    there = at_source.filter(raw_data_file__raw_data_package=package).count()
    return bool(0 < there == package.raw_data_files.count())


def _make_again(package: RawDataPackage) -> None:
    source = DataLocation.objects.with_site().get(pk=package.source_location_id)
    operation = RawDataPackageCreation.objects.create(
        raw_data_package=package,
        location=source,
        destination_location=writable_buffer(source.site),
        priority=package.priority,
        total_bytes=package.size,
    )
    propagate_status(operation, Status.PENDING)
    dispatch.submit(operation)
