"""Stage 30: bundles that are built set out to where their route leads.

In: DataTransferPackage COMPLETED without a DataTransfer. Out: one DataTransfer at the BUFFER that has the bundle. One
that no worker holds and whose destination was switched off since is redirected to the next BUFFER of the site. Safe to
repeat because: planned under a lock on the bundle, and a bundle has one transfer to a destination (constraint).
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Min

from datamgmt.models import DataLocation, DataTransferPackage
from transfer.managers.base import StageManager
from transfer.models import DataTransfer
from transfer.routing.redirect import misdirected, redirect
from transfer.routing.routes import require_receiving, writable_buffer


class TransferManager(StageManager[DataTransferPackage | DataTransfer]):
    """New bundles, and transfers whose destination went away before they started."""

    name = "transfer"

    def find_work(self) -> Iterable[DataTransferPackage | DataTransfer]:
        """Bundles without a transfer, oldest first; then transfers that would miss their BUFFER."""
        bundles = DataTransferPackage.objects.built().filter(data_transfers__isnull=True)
        yield from bundles.order_by("created_at", "id")
        # What an operator's route sends to a place of its own goes there or nowhere.
        yield from misdirected(DataTransfer).filter(data_transfer_package__destination_location__isnull=True)

    def plan(self, work: DataTransferPackage | DataTransfer) -> int:
        """Send a bundle out, or redirect a transfer."""
        if isinstance(work, DataTransfer):
            return int(redirect(work, work.data_transfer_package.destination_site))
        bundle = DataTransferPackage.objects.select_for_update(of=("self",)).get(pk=work.pk)
        if bundle.data_transfers.exists():
            return 0
        origin = DataLocation.objects.with_site().get(pk=bundle.origin_location_id)
        if bundle.destination_location is not None:
            destination = require_receiving(bundle.destination_location)
        else:
            destination = writable_buffer(bundle.destination_site)
        urgency = bundle.raw_data_packages.with_priority().aggregate(first=Min("urgency"))
        closed = bundle.creations.select_related("route").order_by("pk").first()
        transfer = DataTransfer.objects.create(
            data_transfer_package=bundle,
            location=origin,
            origin_location=origin,
            destination_location=destination,
            route=closed.route if closed is not None else None,
            priority=urgency["first"],
            total_bytes=bundle.size,
        )
        return self.submit(transfer)
