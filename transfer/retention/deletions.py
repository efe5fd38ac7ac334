"""Scheduling of deletions: copies without a reason to keep become batches. Used by stage 70's manager and by approvals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User, record
from ccatdc.common.errors import ConflictError
from ccatdc.common.states import transition_all
from datamgmt.models import DataLocation, LocationType, PhysicalCopy
from datamgmt.models.copies import CopyType
from datamgmt.states import PhysicalCopyStatus
from transfer.engine import dispatch
from transfer.models import Deletion, DeletionItem
from transfer.retention.facts import facts_about
from transfer.retention.rules import lasting, reasons_to_keep

#: Copies in one batch: a second or two of work, so that a lost worker loses little.
BATCH = 500
#: Cleaning up never goes before packaging at the same place.
DELETION_PRIORITY = 9
#: Marks of copies that are in no batch yet.
MARKS = (PhysicalCopyStatus.DELETION_POSSIBLE, PhysicalCopyStatus.DELETION_PENDING)


def schedule(location: DataLocation, ids: Sequence[int]) -> Deletion | None:
    """One Deletion for those of these copies that nobody else has taken; None when that is none.

    Whoever schedules at the same time takes other copies: each is locked, and its status says that it is taken.
    """
    with transaction.atomic():
        here = PhysicalCopy.objects.non_polymorphic().at(location).deletable_states()
        free = here.filter(pk__in=ids).select_for_update(of=("self",), skip_locked=True)
        sizes = dict(free.order_by("pk").values_list("pk", "size"))
        if not sizes:
            return None
        taken = PhysicalCopy.objects.non_polymorphic().filter(pk__in=sizes)
        transition_all(taken, PhysicalCopyStatus.DELETION_SCHEDULED)
        deletion: Deletion = Deletion.objects.create(
            location=location,
            subject=f"copies from {min(sizes)} at {location.pk}, {timezone.now().isoformat()}",
            total_bytes=sum(sizes.values()),
            priority=DELETION_PRIORITY,
        )
        DeletionItem.objects.bulk_create(DeletionItem(deletion=deletion, physical_copy_id=pk) for pk in sizes)
        dispatch.submit(deletion)
    return deletion


def put_back(ids: Sequence[int], statuses: Sequence[str] = MARKS) -> int:
    """Copies in one of these states that are to stay after all become what they were: STAGED trees, or PRESENT. Returns
    how many. One that is being deleted already is none of them.
    """
    with transaction.atomic():
        rows = PhysicalCopy.objects.non_polymorphic()
        found = rows.filter(pk__in=ids, status__in=statuses).order_by("pk")
        locked = list(found.select_for_update(of=("self",)).values_list("pk", flat=True))
        is_tree = Q(type=CopyType.RAW_DATA_PACKAGE, data_location__location_type=LocationType.PROCESSING)
        ours = rows.filter(pk__in=locked)
        staged = transition_all(ours.filter(is_tree), PhysicalCopyStatus.STAGED)
        return staged + transition_all(ours.exclude(is_tree), PhysicalCopyStatus.PRESENT)


def release(deletion: Deletion) -> int:
    """Put back what a cancelled batch has not deleted; returns how many copies. What it was deleting at that moment
    stays DELETION_IN_PROGRESS: only a retry knows whether the bytes are there.
    """
    ids = list(deletion.items.values_list("physical_copy_id", flat=True))
    waiting = (PhysicalCopyStatus.DELETION_SCHEDULED, PhysicalCopyStatus.DELETION_FAILED)
    return put_back(ids, waiting)


def approve(copies: Sequence[PhysicalCopy], user: User) -> int:
    """An operator's approval of copies that wait for it; returns how many will be deleted. All or none. Approval is no
    proof: the rule is asked again, now and just before the deletion, which waits until the archive copies were looked
    at, or read.

    Raises ConflictError for a copy that does not wait for approval, or has a reason to be kept.
    """
    with transaction.atomic():
        rows = PhysicalCopy.objects.filter(pk__in=[copy.pk for copy in copies])
        locked = list(rows.with_subjects().select_for_update(of=("self",)).order_by("pk"))
        by_location: dict[DataLocation, list[int]] = defaultdict(list)
        for facts in facts_about(locked):
            copy = facts.copy
            if copy.status != PhysicalCopyStatus.DELETION_PENDING:
                raise ConflictError(
                    f"{copy} does not wait for approval: it is {copy.get_status_display().lower()}.",
                    code="deletion.not_pending",
                    remedy="Reload the page: somebody else may have been faster.",
                )
            reasons = lasting(reasons_to_keep(facts))
            if reasons:
                raise ConflictError(
                    f"{copy} must be kept: {' '.join(reason.text for reason in reasons)}",
                    code="deletion.reasons_to_keep",
                    remedy="Its mark is taken back by itself.",
                )
            by_location[copy.data_location].append(copy.pk)
            record("deletion", f"Approved the deletion of {copy.full_path}.", about=copy, user=user)
        batches = [schedule(location, ids) for location, ids in by_location.items()]
        return sum(batch.items.count() for batch in batches if batch is not None)
