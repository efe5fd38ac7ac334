"""What is sent next of an observation: one call, or many of files joined into one.

On a link with a round trip of a fifth of a second ten thousand calls would take an hour. A bulk call does with each
file what a call of its own does, so that consecutive ones are sent as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from datamgmt.filing.parsing import MAX_ROWS
from gateway.models import ItemKind, ItemStatus, OutboxItem

#: A joined call is not made larger than this; a single one may be (the limit here is the main site's).
MAX_JOINED_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """Calls of one observation that are sent as one. ``rows`` has the number of files of each."""

    sequence: UUID
    ids: Sequence[int]
    kind: str
    method: str
    path: str
    body: bytes
    filed_by: str
    rows: Sequence[int]

    @property
    def expect(self) -> Mapping[str, Any]:
        """What the main site's answer must say."""
        if self.kind == ItemKind.FILES:
            return {"rows": sum(self.rows)}
        return {"id": str(self.sequence)}

    def call_with_row(self, index: int) -> int:
        """Which of the calls brought a row of the joined one."""
        for position, rows in enumerate(self.rows):
            if index < rows:
                return position
            index -= rows
        return len(self.rows) - 1


def next_batch(sequence: UUID, *, most_calls: int = MAX_ROWS) -> Batch | None:
    """The next call of a sequence, joined with what follows; None when there is none to send."""
    open_items = OutboxItem.objects.in_the_way().filter(sequence=sequence).order_by("id")
    facts = list(open_items.values_list("id", "kind", "status", "files", "body_bytes", "token_id")[:most_calls])
    if not facts or facts[0][2] != ItemStatus.WAITING:
        return None
    first_id, kind, _, files, size, token = facts[0]
    if open_items.filter(Q(not_before__gt=Now()), pk=first_id).exists():
        return None
    ids = [first_id]
    if kind == ItemKind.FILES:
        for pk, also, status, more, bytes_more, by in facts[1:]:
            files, size = files + more, size + bytes_more
            alike = (also, status, by) == (kind, ItemStatus.WAITING, token)
            if not alike or files > MAX_ROWS or size > MAX_JOINED_BYTES:
                break
            ids.append(pk)
    return _batch(sequence, ids)


def _batch(sequence: UUID, ids: list[int]) -> Batch:
    items = list(
        OutboxItem.objects.filter(pk__in=ids)
        .order_by("id")
        .values_list("kind", "method", "path", "body", "token_id", "files")
    )
    kind, method, path, body, token, _ = items[0]
    if kind == ItemKind.FILES:
        # Lists of JSON, joined as text: what was sent to us goes on as it came.
        body = f"[{','.join(each[3][1:-1] for each in items)}]"
        method = "POST"
    return Batch(
        sequence=sequence,
        ids=ids,
        kind=kind,
        method=method,
        path=path,
        body=body.encode("ascii"),
        filed_by=f"token {token}" if token is not None else "person",
        rows=[each[5] for each in items],
    )
