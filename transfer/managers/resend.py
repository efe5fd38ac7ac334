"""Resends by itself what failed on its way to the archive, as long as a good copy is left. Beside the stages.

In: packages that are FAILED. Out: the same as *Resend* in the portal (transfer/operators/resend.py), at waits that
double for each package. What a person cancelled or acknowledged stays as it is. When a package cannot be resent (no
good copy, and not all files at SOURCE) the reason is shown; it goes on by itself when a copy or a file is good again.
Safe to repeat because: the package's row is locked, and one that is no longer FAILED is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from ccatdc.common.errors import Blocked, ConflictError
from datamgmt.models import RawDataPackage
from transfer.managers.base import StageManager
from transfer.models.operations import CANCELLED
from transfer.operators.resend import failures_of, send_again

#: Seconds after a failure until the first of a package's resends, and the most between two.
FIRST_WAIT_SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 3600.0
#: Packages looked at in one pass.
PER_PASS: Final = 200


class ResendManager(StageManager[RawDataPackage]):
    name = "resend"

    def find_work(self) -> Iterable[RawDataPackage]:
        """Those whose wait is over, the one that has waited longest first."""
        due = RawDataPackage.objects.failed().due_for_resend(timezone.now())
        return due.order_by(F("resend_after").asc(nulls_first=True))[:PER_PASS]

    def plan(self, work: RawDataPackage) -> int:
        """Resend it, unless a person ended it. The next wait is longer, whatever comes of it."""
        self._set_next_wait(work)
        newest = next(failures_of(work), None)
        if newest is not None and (newest.error_code == CANCELLED or newest.acknowledged_at is not None):
            return 0
        try:
            with transaction.atomic():
                send_again(work, None)
        except ConflictError as reason:
            self.wait(work, Blocked(reason.message, code=reason.code, remedy=reason.remedy))
            return 0
        return 1

    @staticmethod
    def _set_next_wait(package: RawDataPackage) -> None:
        seconds = min(FIRST_WAIT_SECONDS * 2.0 ** min(package.resends, 20), LONGEST_WAIT_SECONDS)
        RawDataPackage.objects.filter(pk=package.pk).update(
            resends=F("resends") + 1, resend_after=timezone.now() + timedelta(seconds=seconds)
        )
