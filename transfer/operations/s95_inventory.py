"""Stage 95: list what is stored here, and compare it with the catalogue, both ways.

In: a location. Out: copies that are there as recorded are *seen*; those that are not are looked at one by one, and
marked when they are gone or changed, so that other stages repair them; files that no row names are unrecorded files,
for people, or for the rules in transfer/operations/unrecorded.py; what killed writers and deletions left is removed, or
put back where a row counts on it. Safe to repeat because: listing changes nothing, and each of the other steps asks the
rows again first.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import record
from ccatdc.common.errors import CcatError, KeyExistsError
from datamgmt.copies.recording import note_seen
from datamgmt.copies.unrecorded import compare, note_unrecorded
from datamgmt.models import DataLocation, PhysicalCopy, UnrecordedFile
from datamgmt.states import READABLE
from datamgmt.storage import storage_for
from datamgmt.storage.base import Stored
from datamgmt.storage.keys import key_hash
from transfer.models import Inventory, Operation
from transfer.operations.base import StageOperation
from transfer.operations.unrecorded import carry_out
from transfer.routing.sources import OriginError, is_back, look_at, note_bad

#: Files compared in one query.
BATCH: Final = 1000
#: Copies that one inventory looks at because the listing did not have them; the next one goes on.
MOST_LOOKS: Final = 2000
#: Unrecorded files that are kept as rows for each location; more of them say nothing new.
MOST_UNRECORDED: Final = 10_000
#: What killed writers and deletions left is removed after so long. No attempt that is under way is touched.
LEFT_FOR: Final = timedelta(days=1)


class TakeInventory(StageOperation[Inventory]):
    begun_at: datetime
    done_bytes = 0

    def prepare(self) -> None:
        """A place that is not itself says nothing about what it has."""
        self.location = DataLocation.objects.get(pk=self.operation.location_id)
        self.storage = storage_for(self.location)
        self.storage.check_identity()
        self.begun_at = timezone.now()

    def work(self) -> None:
        """List, look at what is lacking, tidy up, do what was decided."""
        if self.operation.is_full:
            self._list()
            self._look_at_the_lacking()
            self._tidy_up()
        for file in _recorded_at(self.location):
            self.lease.check(self.done_bytes)
            try:
                carry_out(file, self.location, self.storage, self.lease)
            except CcatError as error:
                self.problem(error, str(file))
                UnrecordedFile.objects.filter(pk=file.pk).update(decision="", error_message=str(error))

    def _list(self) -> None:
        room = MOST_UNRECORDED - UnrecordedFile.objects.at(self.location).count()
        not_noted, is_ignored = 0, self.location.ignores()
        for batch in _batches(self.storage.walk()):
            found = compare(self.location, batch)
            note_seen(found.as_recorded)
            self._look(found.different)
            unrecorded = {key: stored for key, stored in found.unrecorded.items() if not is_ignored(key)}
            known = {key: stored for key, stored in unrecorded.items() if room > 0 or self._is_known(key)}
            not_noted += len(unrecorded) - len(known)
            room -= len(known)
            note_unrecorded(self.location, known, self.begun_at)
            self.done_bytes += sum(stored.size for _, stored in batch)
            self.lease.check(self.done_bytes)
        UnrecordedFile.objects.at(self.location).filter(seen_at__lt=self.begun_at).delete()
        if not_noted:
            self.log.warning("%d more unrecorded files at %s are not listed.", not_noted, self.location)

    def _is_known(self, key: str) -> bool:
        return bool(UnrecordedFile.objects.at(self.location).filter(key_hash=key_hash(key)).exists())

    def _look_at_the_lacking(self) -> None:
        """A listing may lack what is there (a server that lies, a file that was just recorded): one look each decides."""
        here = PhysicalCopy.objects.non_polymorphic().at(self.location).not_seen_since(self.begun_at)
        self._look(list(here.order_by("pk").values_list("pk", flat=True)[:MOST_LOOKS]))

    def _look(self, keys: list[int]) -> None:
        for pk in keys:
            self.lease.check(self.done_bytes)
            copy = PhysicalCopy.objects.with_subjects().usable().filter(pk=pk).first()
            if copy is None:
                continue
            try:
                self._look_at(copy)
                note_seen([copy.pk])
            except OriginError as error:
                self.problem(error, str(copy))
                note_bad(copy, error)

    def _look_at(self, copy: PhysicalCopy) -> None:
        try:
            look_at(copy, self.storage)
        except OriginError as error:
            if not is_back(copy, error):
                raise
            look_at(copy, self.storage)

    def _tidy_up(self) -> None:
        removed = self.storage.sweep(_is_over, LEFT_FOR)
        hashes = self.storage.quarantined(LEFT_FOR)
        if hashes:
            self._put_back(hashes)
            removed += self.storage.empty_quarantine(hashes)
        if removed:
            about = f"{len(removed)} leftovers of killed writers and deletions at {self.location}"
            record("locations", f"Removed: {about}.", about=self.location, names=removed[:100])

    def _put_back(self, hashes: set[str]) -> None:
        """Whoever finds a copy present knows where its bytes are. What an open deletion took out is its own business.
        What is left in ``hashes`` belongs to no row that exists.
        """
        here = PhysicalCopy.objects.non_polymorphic().existing().at(self.location)
        for copy in here.select_related("raw_data_file").iterator():
            self.lease.check(self.done_bytes)
            if key_hash(copy.location_key) in hashes:
                hashes.discard(key_hash(copy.location_key))
                if copy.status in READABLE:
                    self._return(copy)

    def _return(self, copy: PhysicalCopy) -> None:
        try:
            if self.storage.put_back(copy.location_key):
                self.log.warning("%s has its name again; a deletion that did not end had taken it out.", copy)
        except KeyExistsError as error:
            self.problem(error, str(copy))

    def record(self) -> None:
        """When the location was compared as a whole."""
        super().record()
        if self.operation.is_full:
            rows = DataLocation.objects.non_polymorphic().filter(pk=self.operation.location_id)
            rows.update(inventory_at=self.begun_at)


def _is_over(attempt: str) -> bool:
    """Whether the attempt writes no more: its operation is over, or has begun anew since."""
    operation, _, claim = attempt.partition("-")
    if not (operation.isdigit() and claim.isdigit()):
        return False
    found = Operation.objects.non_polymorphic().open().filter(pk=operation).values_list("claims", flat=True).first()
    return found is None or found > int(claim)


def _batches(found: Iterator[tuple[str, Stored]]) -> Iterator[list[tuple[str, Stored]]]:
    while batch := list(islice(found, BATCH)):
        yield batch


def _recorded_at(location: DataLocation) -> QuerySet[UnrecordedFile]:
    """With whoever decided about them; workers may not read the hashes of passwords."""
    rows = UnrecordedFile.objects.at(location).select_related("raw_data_package", "decided_by")
    return rows.defer("decided_by__password")
