"""Stage 30: bundles that are built set out to where their route leads.

In: DataTransferPackage COMPLETED without a DataTransfer.
Out: one DataTransfer at the BUFFER that has the bundle. One that has not started and whose destination was switched off since is
pointed at the next BUFFER of the site.
Safe to repeat because: a bundle has one transfer to a destination (constraint), planned under a lock on the bundle.
"""

from __future__ import annotations

from collections.abc import Iterable

from ccatdc.common.states import Status
from datamgmt.models import DataLocation, DataTransferPackage, LocationType
from transfer.managers.base import StageManager
from transfer.models import DataTransfer
from transfer.routes import custom_route, pair_route, writable_buffer

Work = DataTransferPackage | DataTransfer


class TransferManager(StageManager[Work]):
    """New bundles, and transfers whose destination went away before they started."""

    name = "transfer"

    def find_work(self) -> Iterable[Work]:
        """Bundles without a transfer, oldest first; then misdirected transfers."""
        bundles = DataTransferPackage.objects.built().filter(data_transfers__isnull=True)
        yield from bundles.order_by("created_at")
        yield from DataTransfer.objects.filter(
            status=Status.PENDING,
            destination_location__active=False,
            destination_location__location_type=LocationType.BUFFER,
            data_transfer_package__destination_location__isnull=True,
        )

    def plan(self, work: Work) -> int:
        """Send a bundle out, or turn a transfer."""
        return self._turn(work) if isinstance(work, DataTransfer) else self._send(work)

    def _send(self, bundle: DataTransferPackage) -> int:
        bundle = DataTransferPackage.objects.select_for_update(of=("self",)).get(pk=bundle.pk)
        if bundle.data_transfers.exists():
            return 0
        origin = DataLocation.objects.with_site().get(pk=bundle.origin_location_id)
        destination = bundle.destination_location or writable_buffer(bundle.destination_site)
        transfer = DataTransfer.objects.create(
            data_transfer_package=bundle,
            location=origin,
            origin_location=origin,
            destination_location=destination,
            route=custom_route(origin) or pair_route(origin.site, bundle.final_site),
            total_bytes=bundle.size,
        )
        return self.submit(transfer)

    def _turn(self, transfer: DataTransfer) -> int:
        transfer = DataTransfer.objects.select_for_update(of=("self",)).get(pk=transfer.pk)
        if transfer.status != Status.PENDING:
            return 0
        transfer.destination_location = writable_buffer(
            transfer.data_transfer_package.destination_site
        )
        transfer.save(update_fields=["destination_location", "subject"])
        return self.submit(transfer)
