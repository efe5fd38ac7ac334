"""Sends what is kept of one observation to the main site, in order, until there is nothing left or something is in the
way.

Killed at any moment it leaves the call in the outbox: sent a second time, the main site finds the same body under the
same UUID and changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.models import LogLevel, record
from ccatdc.common.states import transition, transition_all
from datamgmt.filing.parsing import MAX_ROWS
from gateway import link
from gateway.main_site import PrimarySite
from gateway.models import ItemStatus, OutboxItem, now_plus
from gateway.outbox.answers import Meaning, Verdict
from gateway.outbox.batches import Batch, next_batch
from gateway.outbox.locks import sole_sender

logger = logging.getLogger(__name__)

#: Calls in a row for one observation, so that one with a long backlog does not keep others waiting.
TURN: Final = 20


def replay(sequence: UUID, primary: PrimarySite, may_go_on: Callable[[], bool]) -> int | None:
    """Send calls of an observation while ``may_go_on``; how many the main site has now of them.

    None when another process is at it. Raises Django's errors of the database.
    """
    sent = 0
    with sole_sender(sequence) as mine:
        if not mine:
            return None
        most_calls = MAX_ROWS
        for _ in range(TURN):
            batch = next_batch(sequence, most_calls=most_calls) if may_go_on() else None
            if batch is None:
                break
            verdict = primary.send(batch)
            if verdict.meaning is Meaning.ACCEPTED:
                _delivered(batch)
                link.heard()
                sent += len(batch.ids)
                most_calls = MAX_ROWS
            elif verdict.meaning is Meaning.REFUSED and len(batch.ids) > 1:
                link.heard()
                most_calls = _calls_before_the_culprit(batch, verdict)
            else:
                _in_the_way(batch, verdict)
                break
    return sent


def _delivered(batch: Batch) -> None:
    rows = OutboxItem.objects.filter(pk__in=batch.ids)
    transition_all(rows, ItemStatus.DELIVERED, delivered_at=Now(), not_before=None)


def _calls_before_the_culprit(batch: Batch, verdict: Verdict) -> int:
    """Of a joined call nothing was filed: those before the first bad row go first, then it alone.

    When the answer names no row, half of them.
    """
    errors = verdict.problem.get("errors")
    indexes = [
        error["index"]
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict) and isinstance(error.get("index"), int)
    ]
    if not indexes:
        return len(batch.ids) // 2
    return max(1, batch.call_with_row(min(indexes)))


def _in_the_way(batch: Batch, verdict: Verdict) -> None:
    if verdict.meaning is Meaning.REFUSED:
        link.heard()
        _refused(batch, verdict)
    elif verdict.meaning is Meaning.LATER:
        link.heard()
        _later(batch, verdict)
    else:
        link.lost(verdict.said, denied=verdict.meaning is Meaning.DENIED, after_seconds=verdict.after_seconds)


def _refused(batch: Batch, verdict: Verdict) -> None:
    """A person has to look; what follows of this observation waits."""
    with transaction.atomic():
        item = OutboxItem.objects.light().get(pk=batch.ids[0])
        transition(item, ItemStatus.DEAD, problem=dict(verdict.problem), refused_at=Now())
        message = f"{item} of {item.of_what} was refused: {verdict.said}"
        record("gateway", message, about=item, level=LogLevel.ERROR)
    logger.error(message)


def _later(batch: Batch, verdict: Verdict) -> None:
    """The main site failed over this call, which may not be its fault: the observation waits."""
    item = OutboxItem.objects.light().get(pk=batch.ids[0])
    pause = max(link.pause_seconds(item.attempts), verdict.after_seconds)
    OutboxItem.objects.filter(pk=item.pk).update(
        attempts=F("attempts") + 1, not_before=now_plus(pause), problem=dict(verdict.problem)
    )
    logger.warning("%s waits %.1f s. The main site said: %s", batch.sequence, pause, verdict.said)
