"""Stage 40: bundles that arrived in a BUFFER are unpacked there.

In: DataTransfer COMPLETED that ended in a BUFFER, its unpacking not begun. Out: one DataTransferUnpacking at that
BUFFER. Safe to repeat because: a transfer has one unpacking (checked under a lock on the transfer); a failed one is
retried, not repeated.
"""

from __future__ import annotations

from collections.abc import Iterable

from ccatdc.common.states import Status
from datamgmt.models import LocationType
from transfer.managers.base import StageManager
from transfer.models import DataTransfer, DataTransferUnpacking


class UnpackManager(StageManager[DataTransfer]):
    name = "unpack"

    def find_work(self) -> Iterable[DataTransfer]:
        arrived: Iterable[DataTransfer] = DataTransfer.objects.filter(
            status=Status.COMPLETED,
            unpack_status=Status.PENDING,
            unpackings__isnull=True,
            destination_location__location_type=LocationType.BUFFER,
        ).order_by("finished_at", "id")
        return arrived

    def plan(self, work: DataTransfer) -> int:
        rows = DataTransfer.objects.select_for_update(of=("self",))
        transfer: DataTransfer = rows.get(pk=work.pk)
        if transfer.unpackings.exists():
            return 0
        operation = DataTransferUnpacking.objects.create(
            data_transfer=transfer,
            location_id=transfer.destination_location_id,
            priority=transfer.priority,
            total_bytes=transfer.total_bytes,
        )
        return self.submit(operation)
