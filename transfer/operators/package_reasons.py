"""Where a package is and what it waits for, in one sentence: above its page and that of its bundle, in the API and in
``manage.py ops package``.

From the rules themselves: what the workers do (transfer/operators/wait_reasons.py), when a bundle is closed
(transfer/routing/routes.py), why a copy is kept (transfer/retention/rules.py).
"""

from __future__ import annotations

from django.utils import timezone

from ccatdc.common.errors import Blocked
from ccatdc.common.states import Status
from ccatdc.common.units import duration_text, size_text
from datamgmt.models import DataLocation, DataTransferPackage, LocationType, PhysicalCopy, RawDataPackage
from datamgmt.states import PackageState
from transfer.models import Operation
from transfer.models.operations import CANCELLED
from transfer.operators.actions import operations_about
from transfer.operators.resend import failures_of
from transfer.operators.wait_reasons import Waiting
from transfer.retention.facts import facts_about
from transfer.retention.rules import reasons_to_keep
from transfer.routing.routes import BundleLimits, archive_sites, archives, custom_route, hop_to, limits_of


def state_of_package(package: RawDataPackage) -> str:
    """The sentence. About a dozen queries, however long its history is."""
    if package.state == PackageState.ARCHIVED:
        return _archived(package)
    if package.state == PackageState.FAILED:
        return _failed(package)
    operation = operations_about(package).open().select_related("location__site").order_by("created_at").first()
    if operation is not None:
        return _at_work(operation)
    if package.status != Status.COMPLETED:
        return f"Its tar is not made. {_planned_next()}"
    return _waits(package)


def state_of_bundle(bundle: DataTransferPackage) -> str:
    """What moves it now, or why nothing does; empty when it has arrived."""
    package = bundle.raw_data_packages.not_archived().order_by("pk").first()
    return state_of_package(package) if package is not None else ""


def _archived(package: RawDataPackage) -> str:
    copies = list(PhysicalCopy.objects.of_package(package.pk).existing().select_related("data_location__site"))
    good = [copy for copy in copies if copy.data_location.location_type == LocationType.LONG_TERM_ARCHIVE]
    said = ", ".join(f"{each.data_location.full_name} ({_verified(each)})" for each in good) or "no archive any more"
    kept = [copy for copy in copies if copy not in good]
    return " ".join([f"Archived: {said}.", *_why_kept(kept)])


def _verified(copy: PhysicalCopy) -> str:
    if copy.verified_at is None:
        return str(copy.get_integrity_display()).lower()
    return f"read in full {duration_text(timezone.now() - copy.verified_at)} ago"


def _why_kept(copies: list[PhysicalCopy]) -> list[str]:
    """Of each copy outside the archives why it is not deleted."""
    return [
        f"Also at {facts.copy.data_location.full_name}: "
        + (
            " ".join(reason.text for reason in reasons)
            if (reasons := reasons_to_keep(facts))
            else "it is deleted soon."
        )
        for facts in facts_about(copies)
    ]


def _failed(package: RawDataPackage) -> str:
    newest = next(failures_of(package), None)
    why = (
        f"{newest.get_operation_type_display()} failed: {newest.error_message}" if newest is not None else "It failed."
    )
    if newest is not None and (newest.error_code == CANCELLED or newest.acknowledged_at is not None):
        return f"{why} A person ended it: it goes on after Resend."
    after = package.resend_after
    if after is None or after <= timezone.now():
        return f"{why} {_planned_next('resent')}"
    return f"{why} It is resent by itself in {duration_text(after - timezone.now())}, or at once by Resend."


def _at_work(operation: Operation) -> str:
    kind = operation.get_operation_type_display()
    why = Waiting().why(operation)
    if why or operation.status != Status.IN_PROGRESS:
        return f"{kind}: {why}"
    done = ""
    if operation.total_bytes:
        done = f": {size_text(operation.progress_bytes)} of {size_text(operation.total_bytes)}"
    since = operation.started_at or operation.created_at
    return f"{kind} at {operation.location.full_name} for {duration_text(timezone.now() - since)}{done}."


def _waits(package: RawDataPackage) -> str:
    """In a BUFFER, between two operations."""
    copies = PhysicalCopy.objects.of_package(package.pk).usable().of_type_of_location(LocationType.BUFFER)
    copy = copies.at_active().select_related("data_location__site").order_by("data_location__priority", "pk").first()
    if copy is None:
        off = copies.select_related("data_location__site").first()
        if off is None:
            return "It has no good copy in a BUFFER. Its files are kept at SOURCE."
        return f"Its only copy is at {off.data_location.full_name}, which is {off.data_location.why_off}. Switch it on."
    buffer = copy.data_location
    if custom_route(buffer) is None and archives(buffer.site):
        return f"At {buffer.full_name}, for the archive of its site. {_planned_next()}"
    try:
        limits = _limits(buffer)
    except Blocked as reason:
        return f"At {buffer.full_name}: {reason.message} {reason.remedy}"
    return f"At {buffer.full_name}, {_until_closed(buffer, limits)}"


def _limits(buffer: DataLocation) -> BundleLimits:
    """Of the next bundle, to whichever site it goes; :class:`Blocked` when it can go to none."""
    route = custom_route(buffer)
    if route is not None:
        own = buffer.bundle_max_bytes, buffer.bundle_max_age_seconds
        size, age = route.bundle_max_bytes, route.bundle_max_age_seconds
        return BundleLimits(own[0] if size is None else size, own[1] if age is None else age)
    blocked = Blocked("There is no archive to send it to.", remedy="Switch a LONG_TERM_ARCHIVE on.")
    for site in archive_sites(other_than=buffer.site):
        try:
            return limits_of(buffer, hop_to(buffer, site))
        except Blocked as reason:
            blocked = reason
    raise blocked


def _until_closed(buffer: DataLocation, limits: BundleLimits) -> str:
    """How much or how long is lacking until the next bundle is closed."""
    waiting = RawDataPackage.objects.waiting().with_usable_copy_at(buffer)
    rows = list(waiting.values_list("size", "finalized_at", "created_at"))
    size = sum(each or 0 for each, _, _ in rows)
    oldest = min((finalized or created for _, finalized, created in rows), default=timezone.now())
    left = limits.max_age_seconds - (timezone.now() - oldest).total_seconds()
    if left <= 0 or size >= limits.max_bytes:
        return f"in the next bundle. {_planned_next()}"
    return (
        f"waits for a bundle: it is closed with {size_text(limits.max_bytes - size)} more, or in {duration_text(left)}."
    )


def _planned_next(what: str = "planned") -> str:
    return f"It is {what} in the next pass of the managers."
