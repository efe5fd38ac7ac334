"""Retries of many failed operations that a person asked for with one click. Beside the stages.

In: failed operations with a request for a retry. Out: the same as *Retry* for each (transfer/operators/resend.py). One that
another operation has replaced is acknowledged: it is history. Safe to repeat because: a retry clears the request.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from django.db import transaction

from ccatdc.common.errors import CcatError
from transfer.managers.base import StageManager
from transfer.models import Operation
from transfer.operators.actions import acknowledge
from transfer.operators.resend import try_again

logger = logging.getLogger(__name__)

#: Operations retried in one pass.
PER_PASS: Final = 200


class RetryManager(StageManager[Operation]):
    name = "retry"

    def find_work(self) -> Iterable[Operation]:
        """The oldest requests first."""
        found: Iterable[Operation] = Operation.objects.non_polymorphic().to_retry()[:PER_PASS]
        return found

    def plan(self, work: Operation) -> int:
        """The request is answered, whatever comes of it: what cannot be retried is a failure on the first page again."""
        rows = Operation.objects.non_polymorphic()
        if not rows.failed().filter(retry_requested_at__isnull=False, pk=work.pk).update(retry_requested_at=None):
            return 0
        try:
            with transaction.atomic():
                try_again(work, None, "Asked for with all of its cause.")
        except CcatError as reason:
            logger.info("%s was not retried: %s", work, reason)
            if reason.code == "operation.superseded":
                acknowledge(work, None)
            return 0
        return 1
