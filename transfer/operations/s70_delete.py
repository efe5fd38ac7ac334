"""Stage 70: delete a batch of copies, each only if the rule, asked again under a lock on its row, finds no reason to keep it.

In: copies DELETION_SCHEDULED by this batch. Out: copies DELETED with the evidence that let them go, or back where they were with the
reasons. Exactly one key each; a file that changed since it was packaged is kept and marked.
Safe to repeat because: what is gone already is success, and the row stays until its bytes are gone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from ccatdc.common.errors import CcatError, DataIntegrityError, StorageError
from ccatdc.common.states import transition, transition_all
from datamgmt.copies import mark_copy
from datamgmt.models import DataLocation, LocationType, PhysicalCopy
from datamgmt.models.copies import CopyType
from datamgmt.naming import job_link_key
from datamgmt.states import Integrity, PhysicalCopyStatus
from datamgmt.storage import storage_for
from datamgmt.storage.base import Stored
from transfer.models import Deletion, DeletionItem, StagingJob
from transfer.models.work import DeletionOutcome
from transfer.operations.base import StageOperation
from transfer.retention import Facts, reasons_to_keep
from transfer.retention_facts import facts_about

#: Copies judged under one lock: the facts cost the same for one as for many.
CHUNK = 100


class DeleteCopies(StageOperation[Deletion]):
    """Deletes one batch."""

    failed = 0

    def prepare(self) -> None:
        """The location is itself, or nothing is touched."""
        self.location = DataLocation.objects.get(pk=self.operation.location_id)
        self.storage = storage_for(self.location)
        self.storage.check_identity()

    def work(self) -> None:
        """Chunk by chunk: mark, commit, then lock, ask, delete, commit."""
        open_items = self.operation.items.filter(
            outcome__in=(DeletionOutcome.PENDING, DeletionOutcome.FAILED)
        )
        ids = list(open_items.order_by("pk").values_list("physical_copy_id", flat=True))
        # A staged tree may hold thousands of files: its lock is not shared with others.
        chunk = 1 if self.location.location_type == LocationType.PROCESSING else CHUNK
        for first in range(0, len(ids), chunk):
            self.lease.check()
            self._delete_chunk(ids[first : first + chunk])

    def verify(self) -> None:
        """A batch with failures is tried again; what went stays gone."""
        if self.failed:
            raise StorageError(
                f"{self.failed} copies at {self.location.full_name} could not be deleted.",
                code="deletion.incomplete",
                remedy="The reasons are on the copies. It is tried again.",
            )

    def _delete_chunk(self, ids: Sequence[int]) -> None:
        rows = PhysicalCopy.objects.non_polymorphic().filter(pk__in=ids)
        with transaction.atomic():
            self._locked(ids)
            # Not those that wait for approval: a batch that is retried must not get round it.
            transition_all(
                rows.filter(status=PhysicalCopyStatus.DELETION_FAILED),
                PhysicalCopyStatus.DELETION_SCHEDULED,
            )
            transition_all(
                rows.filter(status=PhysicalCopyStatus.DELETION_SCHEDULED),
                PhysicalCopyStatus.DELETION_IN_PROGRESS,
            )
        with transaction.atomic():
            copies = [
                copy
                for copy in self._locked(ids)
                if copy.status == PhysicalCopyStatus.DELETION_IN_PROGRESS
            ]
            gone: dict[str, list[int]] = defaultdict(list)
            for facts in facts_about(copies):
                reasons = reasons_to_keep(facts)
                if reasons:
                    self._keep(facts.copy, [reason.code for reason in reasons])
                elif self._delete(facts.copy):
                    gone[json.dumps(self._evidence(facts), sort_keys=True)].append(facts.copy.pk)
            for evidence, deleted in gone.items():
                self._record_deleted(deleted, json.loads(evidence))

    @staticmethod
    def _locked(ids: Sequence[int]) -> list[PhysicalCopy]:
        rows = PhysicalCopy.objects.filter(pk__in=ids).with_subjects()
        return list(rows.select_for_update(of=("self",)).order_by("pk"))

    def _delete(self, copy: PhysicalCopy) -> bool:
        """Remove the bytes; whether they are gone. What stays is noted on the copy."""
        try:
            self._remove_bytes(copy)
        except DataIntegrityError as error:
            self.problem(error, copy.location_key)
            mark_copy(copy, Integrity.SUSPECT, error.code, str(error))
            self._keep(copy, [error.code])
            return False
        except CcatError as error:
            self.failed += 1
            self.problem(error, copy.location_key)
            transition(
                copy,
                PhysicalCopyStatus.DELETION_FAILED,
                error_code=error.code,
                error_message=str(error),
            )
            self._settle([copy.pk], DeletionOutcome.FAILED, [error.code])
            return False
        return True

    def _evidence(self, facts: Facts) -> dict[str, Any]:
        """Why it could go: the same for all files of a package."""
        return {
            "deletion": self.operation.pk,
            "archive_copies": [e.as_json() for e in facts.evidence] if facts.package else [],
            "finished_transfers": facts.finished_transfers,
        }

    def _record_deleted(self, ids: list[int], evidence: dict[str, Any]) -> None:
        """One statement for all copies that went for the same reason: thousands of small files go at once."""
        transition_all(
            PhysicalCopy.objects.non_polymorphic().filter(pk__in=ids),
            PhysicalCopyStatus.DELETED,
            deleted_at=timezone.now(),
            evidence=evidence,
        )
        self._settle(ids, DeletionOutcome.DELETED, [])

    def _remove_bytes(self, copy: PhysicalCopy) -> None:
        if copy.type == CopyType.RAW_DATA_FILE:
            # Only the very file that was packaged: size, mtime and inode as they were read then.
            seen = Stored(copy.size, copy.mtime_ns, copy.inode)
            self.storage.delete(copy.location_key, expected=seen)
        elif self._is_tree(copy) and copy.raw_data_package is not None:
            for job in StagingJob.objects.filter(
                raw_data_packages=copy.raw_data_package, destination_location=self.location
            ):
                self.storage.unlink_link(job_link_key(job.folder_key, copy.raw_data_package))
            self.storage.delete_tree(copy.key)
        else:
            self.storage.delete(copy.key)

    @staticmethod
    def _is_tree(copy: PhysicalCopy) -> bool:
        """Staged packages are trees; nothing else at a PROCESSING location is a package copy."""
        return (
            copy.type == CopyType.RAW_DATA_PACKAGE
            and copy.data_location.location_type == LocationType.PROCESSING
        )

    def _keep(self, copy: PhysicalCopy, reasons: list[str]) -> None:
        before = PhysicalCopyStatus.STAGED if self._is_tree(copy) else PhysicalCopyStatus.PRESENT
        transition(copy, before)
        self._settle([copy.pk], DeletionOutcome.KEPT, reasons)

    def _settle(self, ids: list[int], outcome: str, reasons: list[str]) -> None:
        DeletionItem.objects.filter(deletion=self.operation, physical_copy__in=ids).update(
            outcome=outcome, reasons=reasons
        )
