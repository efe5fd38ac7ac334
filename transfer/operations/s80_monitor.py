"""Stage 80: is the location itself, and how full is it?

In: a registered location. Out: its usage and the time of the check on its row; an error there when it is not itself. That a location is
in trouble is a finding, not a failure of the check.
Safe to repeat because: it only reads.
"""

from __future__ import annotations

from django.db.models.functions import Now

from ccatdc.common.errors import CcatError
from datamgmt.models import DataLocation
from datamgmt.storage import storage_for
from datamgmt.storage.base import Usage
from transfer.models import LocationCheck
from transfer.operations.base import StageOperation


class CheckLocation(StageOperation[LocationCheck]):
    """Checks one location."""

    usage: Usage | None = None
    error: CcatError | None = None

    def work(self) -> None:
        """Marker and usage."""
        location = DataLocation.objects.get(pk=self.operation.location_id)
        try:
            storage = storage_for(location)
            storage.check_identity()
            self.usage = storage.usage()
        except CcatError as error:
            self.error = error
            self.problem(error, location.full_name)

    def record(self) -> None:
        """On the location's row, for the managers and the portal."""
        fields: dict[str, object] = {
            "checked_at": Now(),
            "check_error": str(self.error) if self.error is not None else "",
        }
        if self.usage is not None:
            fields["used_bytes"] = self.usage.used_bytes
            fields["capacity_bytes"] = self.usage.capacity_bytes
        DataLocation.objects.non_polymorphic().filter(pk=self.operation.location_id).update(
            **fields
        )
