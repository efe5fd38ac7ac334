"""Stage 70: delete a batch of copies, each only if the rule, asked again under a lock on its row, finds no reason to
keep it.

In: copies DELETION_SCHEDULED by this batch. Out: copies DELETED with the evidence that let them go, or back where they
were with the reasons. The archive copies that count are looked at in their stores first: a row is not believed where
bytes are to go. Exactly one key each; a file that changed since it was packaged is kept and marked. Safe to repeat
because: what is gone already is success, the row stays until its bytes are gone, and what stays after all gets back
what an attempt that did not end had taken out.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from time import sleep
from typing import Any, BinaryIO, cast

from django.db import transaction
from django.utils import timezone

from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import (
    CcatError,
    ConfigurationError,
    DataIntegrityError,
    KeyExistsError,
    LocationIdentityError,
    StorageError,
)
from ccatdc.common.states import transition, transition_all
from datamgmt.checksums import digest_stream
from datamgmt.copies.recording import mark_copy, note_seen, want_check
from datamgmt.models import DataLocation, LocationType, PhysicalCopy
from datamgmt.models.copies import CopyType
from datamgmt.states import Integrity, PhysicalCopyStatus, WantedCheck
from datamgmt.storage import storage_for
from datamgmt.storage.base import LocationStorage, Stored
from transfer.models import Deletion, DeletionItem, StagingJob
from transfer.models.work import DeletionOutcome
from transfer.operations.base import StageOperation, Watched
from transfer.retention.facts import facts_about
from transfer.retention.rules import LOOK_MAX_AGE, Facts, lasting, reasons_to_keep, to_check
from transfer.routing.sources import OriginError, look_at, note_bad

#: Seconds for which a worker that cannot ask a store itself waits for stage 90's answer, and between two questions.
LOOK_SECONDS = 60.0
ASK_SECONDS = 0.5
#: States in which an earlier attempt left copies that it may have taken out of the tree.
BEGUN = (PhysicalCopyStatus.DELETION_IN_PROGRESS, PhysicalCopyStatus.DELETION_FAILED)
OURS = (PhysicalCopyStatus.DELETION_SCHEDULED, *BEGUN)
#: Copies judged under one lock: the facts cost the same for one as for many.
CHUNK = 100


class DeleteCopies(StageOperation[Deletion]):
    failed = 0
    waiting = 0

    def prepare(self) -> None:
        """The location is itself, or nothing is touched."""
        self.location = DataLocation.objects.get(pk=self.operation.location_id)
        self.storage = storage_for(self.location)
        self.storage.check_identity()

    def work(self) -> None:
        """Look at what the batch rests on. Then chunk by chunk: mark, commit, then lock, ask, delete, commit."""
        open_items = self.operation.items.filter(outcome__in=(DeletionOutcome.PENDING, DeletionOutcome.FAILED))
        ids = list(open_items.order_by("pk").values_list("physical_copy_id", flat=True))
        self._look_at_archives(ids)
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
        if self.waiting:
            raise StorageError(
                f"{self.waiting} copies at {self.location.full_name} wait until their archive copies were looked at, or read.",
                code="deletion.waits_for_check",
            )

    def _look_at_archives(self, ids: Sequence[int]) -> None:
        """Each archive copy that counts as evidence, in its store, now. What is not there is marked, and no evidence
        any more.

        The deletion waits for a store that does not answer. A store that this host cannot ask
        (another site, without mount or credentials) is asked by stage 90.
        """
        copies = list(PhysicalCopy.objects.filter(pk__in=ids).with_subjects())
        counted = {
            evidence.copy_id
            for facts in facts_about(copies)
            if facts.package is not None
            for evidence in facts.evidence
        }
        archived = PhysicalCopy.objects.filter(pk__in=counted).with_subjects().order_by("pk")
        storages: dict[int, LocationStorage | None] = {}
        seen, unseen = [], []
        for copy in archived:
            self.lease.check()
            archive = copy.data_location
            if archive.pk not in storages:
                storages[archive.pk] = _storage_seen_from_here(archive)
            storage = storages[archive.pk]
            if storage is None:
                unseen.append(copy.pk)
                continue
            try:
                look_at(copy, storage)
            except OriginError as error:
                self.problem(error, str(copy))
                note_bad(copy, error)
            else:
                seen.append(copy.pk)
        note_seen(seen)
        if unseen:
            self._have_looked_at(unseen)

    def _have_looked_at(self, archived: Sequence[int]) -> None:
        """Wait for stage 90, for a while: then the batch waits, and its next attempt finds the answer. A look counts
        that is younger than the batch.
        """
        oldest = max(self.operation.created_at, timezone.now() - LOOK_MAX_AGE)
        rows = PhysicalCopy.objects.non_polymorphic().filter(pk__in=archived)
        unseen = rows.exclude(seen_at__gte=oldest)
        want_check(unseen.values_list("pk", flat=True), WantedCheck.LOOK)
        notify_managers()
        until = time.monotonic() + LOOK_SECONDS
        while unseen.exists():
            self.lease.check()
            if time.monotonic() > until:
                raise StorageError(
                    "No worker of the archives has looked at their copies so far.", code="deletion.waits_for_check"
                )
            sleep(ASK_SECONDS)

    def _delete_chunk(self, ids: Sequence[int]) -> None:
        rows = PhysicalCopy.objects.non_polymorphic()
        with transaction.atomic():
            copies = self._locked(ids)
            # Not those that wait for approval: a batch that is retried must not get round it.
            transition_all(
                rows.filter(pk__in=ids, status=PhysicalCopyStatus.DELETION_FAILED),
                PhysicalCopyStatus.DELETION_SCHEDULED,
            )
            waiting = self._waiting(copies)
            transition_all(
                rows.filter(pk__in=ids, status=PhysicalCopyStatus.DELETION_SCHEDULED).exclude(pk__in=waiting),
                PhysicalCopyStatus.DELETION_IN_PROGRESS,
            )
        # Those may be out of the tree already.
        taken = {copy.pk for copy in copies if copy.status in BEGUN}
        with transaction.atomic():
            copies = [copy for copy in self._locked(ids) if copy.status == PhysicalCopyStatus.DELETION_IN_PROGRESS]
            gone: dict[str, list[int]] = defaultdict(list)
            for facts in facts_about(copies):
                copy, reasons = facts.copy, reasons_to_keep(facts)
                if lasting(reasons):
                    codes = [reason.code for reason in reasons]
                    if self._is_here(copy, was_taken=copy.pk in taken):
                        self._keep(copy, codes)
                    else:
                        self._record_deleted([copy.pk], self._evidence(facts) | {"reasons": codes})
                elif reasons:
                    self.waiting += copy.pk not in waiting
                elif self._delete(copy):
                    gone[json.dumps(self._evidence(facts), sort_keys=True)].append(copy.pk)
            for evidence, deleted in gone.items():
                self._record_deleted(deleted, json.loads(evidence))

    def _waiting(self, copies: Sequence[PhysicalCopy]) -> set[int]:
        """Of these copies those that only a check of archive copies keeps. Stage 90 is asked for it."""
        waiting, to_read = set(), set()
        ours = [copy for copy in copies if copy.status in OURS]
        for facts in facts_about(ours):
            reasons = reasons_to_keep(facts)
            if reasons and not lasting(reasons):
                waiting.add(facts.copy.pk)
                to_read |= to_check(reasons, WantedCheck.READ)
        want_check(to_read, WantedCheck.READ)
        self.waiting += len(waiting)
        return waiting

    def _is_here(self, copy: PhysicalCopy, *, was_taken: bool) -> bool:
        """Whether a copy that stays after all is where its row says. An attempt that did not end may have taken it out
        of the tree: it gets its name back; or have removed it: then it is deleted, whatever the reasons are now.
        """
        if not was_taken:
            return True
        try:
            self.storage.put_back(copy.location_key)
        except KeyExistsError as error:
            self.problem(error, copy.location_key)
            mark_copy(copy, Integrity.SUSPECT, error.code, str(error))
            return True
        if self._is_tree(copy):
            return next(self.storage.walk(copy.key), None) is not None
        return self.storage.exists(copy.location_key)

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
            transition(copy, PhysicalCopyStatus.DELETION_FAILED, error_code=error.code, error_message=str(error))
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
            self._remove_file(copy)
        elif self._is_tree(copy) and copy.raw_data_package is not None:
            for job in StagingJob.objects.filter(
                raw_data_packages=copy.raw_data_package, destination_location=self.location
            ):
                for link in job.links_to(copy.raw_data_package, copy.key):
                    self.storage.unlink_link(link)
            self.storage.delete_tree(copy.key)
        else:
            self.storage.delete(copy.key)

    def _remove_file(self, copy: PhysicalCopy) -> None:
        """Only the very file that was packaged: size, mtime, inode and ctime as they were read then. Where nothing but
        ctime has moved (a permission, a link, or an edit that put the times back) its bytes decide.
        """
        seen = Stored(copy.size, copy.mtime_ns, copy.inode, copy.ctime_ns)
        try:
            self.storage.delete(copy.location_key, expected=seen)
        except DataIntegrityError:
            now = self.storage.stat(copy.location_key)
            if not now.agrees_with(replace(seen, ctime_ns=None)):
                raise
            with Watched(self.storage.open(copy.location_key), self.lease) as stream:
                if digest_stream(cast("BinaryIO", stream))[1] != copy.digest:
                    raise
            self.storage.delete(copy.location_key, expected=now)

    @staticmethod
    def _is_tree(copy: PhysicalCopy) -> bool:
        """Staged packages are trees; nothing else at a PROCESSING location is a package copy."""
        return copy.type == CopyType.RAW_DATA_PACKAGE and copy.data_location.location_type == LocationType.PROCESSING

    def _keep(self, copy: PhysicalCopy, reasons: list[str]) -> None:
        before = PhysicalCopyStatus.STAGED if self._is_tree(copy) else PhysicalCopyStatus.PRESENT
        transition(copy, before)
        self._settle([copy.pk], DeletionOutcome.KEPT, reasons)

    def _settle(self, ids: list[int], outcome: str, reasons: list[str]) -> None:
        DeletionItem.objects.filter(deletion=self.operation, physical_copy__in=ids).update(
            outcome=outcome, reasons=reasons
        )


def _storage_seen_from_here(archive: DataLocation) -> LocationStorage | None:
    """Its storage; None where this host has no way to it."""
    try:
        storage = storage_for(archive)
        storage.check_identity()
    except (LocationIdentityError, ConfigurationError):
        return None
    return storage
