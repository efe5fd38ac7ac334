"""Scheduling of deletions: copies without a reason to keep become batches. Used by stage 70's manager and by approvals."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from accounts.models import User, record
from ccatdc.common.errors import ConflictError
from ccatdc.common.states import transition_all
from datamgmt.models import DataLocation, PhysicalCopy
from datamgmt.states import PhysicalCopyStatus
from transfer import dispatch
from transfer.models import Deletion, DeletionItem
from transfer.retention import reasons_to_keep
from transfer.retention_facts import facts_about

#: Copies in one batch: a second or two of work, so that a lost worker loses little.
BATCH = 500


def schedule(location: DataLocation, copies: Sequence[PhysicalCopy]) -> int:
    """One Deletion for these copies, those of them that nobody else took; returns how many copies it has."""
    with transaction.atomic():
        free = PhysicalCopy.objects.non_polymorphic().filter(pk__in=[copy.pk for copy in copies])
        held = list(
            free.select_for_update(of=("self",), skip_locked=True).values_list("pk", "size")
        )
        taken = PhysicalCopy.objects.non_polymorphic().filter(pk__in=[pk for pk, _ in held])
        before = set(
            taken.exclude(status=PhysicalCopyStatus.DELETION_SCHEDULED).values_list("pk", flat=True)
        )
        ours = PhysicalCopy.objects.non_polymorphic().filter(pk__in=before)
        if transition_all(ours, PhysicalCopyStatus.DELETION_SCHEDULED) == 0:
            return 0
        scheduled = list(
            PhysicalCopy.objects.non_polymorphic()
            .filter(pk__in=before, status=PhysicalCopyStatus.DELETION_SCHEDULED)
            .values_list("pk", flat=True)
        )
        deletion = Deletion.objects.create(
            location=location,
            subject=f"batch:{timezone.now().isoformat()}:{min(scheduled)}@{location.pk}",
            total_bytes=sum(size for pk, size in held if pk in before),
        )
        DeletionItem.objects.bulk_create(
            DeletionItem(deletion=deletion, physical_copy_id=pk) for pk in scheduled
        )
        dispatch.submit(deletion)
    return len(scheduled)


def approve(copies: Sequence[PhysicalCopy], user: User) -> int:
    """An operator's approval of copies that wait for it. Approval replaces patience, not proof: the rule is asked again."""
    approved = 0
    for copy in copies:
        if copy.status != PhysicalCopyStatus.DELETION_PENDING:
            raise ConflictError(
                f"{copy} does not wait for approval: it is {copy.get_status_display().lower()}.",
                code="deletion.not_pending",
            )
        (facts,) = facts_about([copy])
        reasons = reasons_to_keep(facts)
        if reasons:
            raise ConflictError(
                f"{copy} must be kept: {' '.join(reason.text for reason in reasons)}",
                code="deletion.reasons_to_keep",
            )
        approved += schedule(copy.data_location, [copy])
        record("deletion", f"Approved the deletion of {copy.full_path}.", about=copy, user=user)
    return approved
