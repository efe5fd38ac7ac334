"""Stage 80: is the location itself, does it take bytes, and how full is it?

In: a registered location. Out: its usage and the time of the check on its row; an error there when it is not well. That
a location needs attention is a finding, not a failure of the check. A finding counts for its circuit breaker; without
one the work that waits is tried. Safe to repeat because: it writes and removes one small file of its own.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models.functions import Now
from django.utils import timezone

from ccatdc.common.errors import CcatError
from datamgmt.models import DataLocation, LocationType
from datamgmt.storage import storage_for
from datamgmt.storage.base import Usage
from transfer.engine import circuit_breaker
from transfer.models import LocationCheck
from transfer.operations.base import StageOperation


class CheckLocation(StageOperation[LocationCheck]):
    usage: Usage | None = None
    certificate_expires_at: datetime | None = None
    error: CcatError | None = None

    def work(self) -> None:
        location = DataLocation.objects.get(pk=self.operation.location_id)
        try:
            storage = storage_for(location)
            storage.check_identity()
            self.usage = storage.usage()
            if location.location_type != LocationType.SOURCE:  # the instrument's disk, which we only read and clean up
                storage.probe_writing()
            self.certificate_expires_at = storage.certificate_expires_at()
        except CcatError as error:
            self.error = error
            self.problem(error, location.full_name)

    def record(self) -> None:
        """On the location's row, for the managers and the portal."""
        fields: dict[str, object] = {
            "checked_at": Now(),
            "check_error": str(self.error) if self.error is not None else "",
        }
        if self.certificate_expires_at is not None:
            fields["certificate_expires_at"] = self.certificate_expires_at
        if self.usage is not None:
            if self.usage.used_bytes is not None:
                before = DataLocation.objects.non_polymorphic().get(pk=self.operation.location_id)
                fields["fill_bytes_per_s"] = before.fill_speed(self.usage.used_bytes, timezone.now())
            fields["used_bytes"] = self.usage.used_bytes
            fields["capacity_bytes"] = self.usage.capacity_bytes
            fields["used_files"] = self.usage.used_files
            fields["capacity_files"] = self.usage.capacity_files
        DataLocation.objects.non_polymorphic().filter(pk=self.operation.location_id).update(**fields)
        if self.error is not None:
            circuit_breaker.record_failure(self.operation, self.error)
        else:
            circuit_breaker.place_answers(self.operation.location)
