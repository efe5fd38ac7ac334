"""What the gateway knows: calls that the main site has yet to hear (the outbox), and how its link is.

Filled by gateway/outbox/accepting.py in the transaction of the filing itself, emptied by gateway/outbox/replay.py. At
the main site both tables are empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Min, Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import ApiToken
from ccatdc.common.states import Moves, known_values


class ItemStatus(models.TextChoices):
    """Whether the main site has a call."""

    WAITING = "waiting", "Waiting"
    DELIVERED = "delivered", "Delivered"
    DEAD = "dead", "Refused"
    DISCARDED = "discarded", "Discarded"


ITEM_MOVES: Moves = {
    # Discarded with a refused one before it, of the same observation.
    ItemStatus.WAITING: frozenset({ItemStatus.DELIVERED, ItemStatus.DEAD, ItemStatus.DISCARDED}),
    ItemStatus.DEAD: frozenset({ItemStatus.WAITING, ItemStatus.DISCARDED}),
    ItemStatus.DELIVERED: frozenset(),
    ItemStatus.DISCARDED: frozenset(),
}
ITEM_COLOURS: Mapping[str, str] = {
    ItemStatus.WAITING: "info",
    ItemStatus.DELIVERED: "success",
    ItemStatus.DEAD: "danger",
    ItemStatus.DISCARDED: "default",
}
#: What stands between an observation and its end: the next call, or one that was refused.
OPEN: Final = (ItemStatus.WAITING, ItemStatus.DEAD)


class ItemKind(models.TextChoices):
    START = "start", "Start"
    FILES = "files", "Files"
    FINISH = "finish", "Finish"


class OutboxQuerySet(models.QuerySet["OutboxItem"]):
    def open(self) -> OutboxQuerySet:
        """The main site does not have them yet."""
        return self.filter(status__in=OPEN)

    def in_the_way(self) -> OutboxQuerySet:
        """Open, without refused calls of data streams: their files are independent, and a stream never ends."""
        return self.open().exclude(Q(status=ItemStatus.DEAD) & ~Q(data_stream=""))

    def waiting(self) -> OutboxQuerySet:
        """To be sent, now or after what was refused before them."""
        return self.filter(status=ItemStatus.WAITING)

    def dead(self) -> OutboxQuerySet:
        """Refused by the main site: a person has to look."""
        return self.filter(status=ItemStatus.DEAD)

    def light(self) -> OutboxQuerySet:
        """Without the bodies, which have megabytes; they are read when they are asked for."""
        return self.defer("body", "original_body")

    def heads(self) -> OutboxQuerySet:
        """The first call of each sequence that is in the way: all others of it wait for this one."""
        return self.in_the_way().order_by("sequence", "id").distinct("sequence")

    def ready(self) -> list[UUID]:
        """Sequences whose next call may be sent now, those that wait longest first."""
        heads = self.heads().values_list("id", "sequence", "status", "not_before")
        now = timezone.now()
        return [
            sequence
            for _, sequence, status, not_before in sorted(heads, key=lambda head: head[0])
            if status == ItemStatus.WAITING and (not_before is None or not_before <= now)
        ]

    def seconds_to_next_retry(self) -> float | None:
        """Until a call that the main site failed over may be sent again; None: there is none."""
        first = self.waiting().filter(not_before__isnull=False).aggregate(first=Min("not_before"))["first"]
        return None if first is None else max(0.0, (first - timezone.now()).total_seconds())

    def delivered_before(self, moment: datetime) -> OutboxQuerySet:
        """The main site has had them for long: nobody needs them here."""
        return self.filter(status=ItemStatus.DELIVERED, delivered_at__lt=moment)


class OutboxItem(models.Model):
    """One call that was accepted here, as it is sent to the main site.

    Calls of one ``sequence`` are sent in the order of their ids: that of an observation is its id, and its row is
    locked while one is accepted, so that they are committed in this order too; files of a data stream have a sequence
    of their own. ``body`` is JSON in ASCII; of files always a list. A call
    that named files of several observations is one row for each. ``problem`` is what the main site said when it
    refused.
    """

    machines = {"status": ITEM_MOVES}

    sequence = models.UUIDField(editable=False)
    data_stream = models.CharField(max_length=255, blank=True, editable=False)
    kind = models.CharField(max_length=8, choices=ItemKind.choices)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=255)
    body = models.TextField()
    body_bytes = models.PositiveIntegerField()
    files = models.PositiveIntegerField(default=0, help_text="Number of files in it.")
    filed_at = models.DateTimeField(default=timezone.now)
    token = models.ForeignKey(ApiToken, models.PROTECT, null=True, blank=True, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    status = models.CharField(max_length=16, choices=ItemStatus.choices, default=ItemStatus.WAITING, editable=False)
    delivered_at = models.DateTimeField(null=True, blank=True, editable=False)
    attempts = models.PositiveIntegerField(
        default=0, editable=False, help_text="Answers so far that called for another try."
    )
    not_before = models.DateTimeField(null=True, blank=True, editable=False)
    problem = models.JSONField(null=True, blank=True, editable=False)
    refused_at = models.DateTimeField(null=True, blank=True, editable=False)
    original_body = models.TextField(blank=True, editable=False)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    decided_at = models.DateTimeField(null=True, blank=True, editable=False)
    reason = models.TextField(blank=True, editable=False)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        db_table = "gateway_outbox"
        verbose_name = "call"
        verbose_name_plural = "outbox"
        ordering = ["id"]
        indexes = [
            # The next call of an observation, however many were delivered.
            models.Index(fields=["sequence", "id"], condition=Q(status__in=["waiting", "dead"]), name="outbox_open"),
            models.Index(
                fields=["not_before"], condition=Q(status="waiting", not_before__isnull=False), name="outbox_retry"
            ),
            models.Index(fields=["refused_at"], condition=Q(status="dead"), name="outbox_dead"),
            models.Index(fields=["delivered_at"], condition=Q(status="delivered"), name="outbox_delivered"),
        ]
        constraints = [
            known_values("status", ItemStatus, "outbox_status_known"),
            known_values("kind", ItemKind, "outbox_kind_known"),
            models.CheckConstraint(
                condition=~Q(status="delivered") | Q(delivered_at__isnull=False), name="outbox_delivered_when"
            ),
            models.CheckConstraint(condition=~Q(status="discarded") | ~Q(reason=""), name="outbox_discarded_why"),
        ]

    def __str__(self) -> str:
        return f"Call {self.pk} ({self.get_kind_display().lower()})"

    @property
    def of_what(self) -> str:
        """The observation or data stream that it is about."""
        return f"data stream {self.data_stream}" if self.data_stream else f"observation {self.sequence}"

    @property
    def said(self) -> str:
        """What the main site said when it refused, or failed; empty when it did neither."""
        problem = self.problem or {}
        return str(problem.get("detail") or problem.get("title") or "")


#: Seconds after which ``run_gateway`` counts as silent, and between two signs of life.
TTL_SECONDS: Final = 90
BEAT_SECONDS: Final = 30


class Link(models.Model):
    """The link to the main site and the copy of its reference data: one row.

    While ``down_since`` is set nothing is sent before ``next_try_at``. ``denied`` says that the main site answers, but
    does not let this gateway in.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    last_contact_at = models.DateTimeField(null=True, blank=True)
    down_since = models.DateTimeField(null=True, blank=True)
    denied = models.BooleanField(default=False)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    next_try_at = models.DateTimeField(null=True, blank=True)
    trouble = models.TextField(blank=True)
    reference_etag = models.CharField(max_length=64, blank=True)
    reference_at = models.DateTimeField(null=True, blank=True)
    reference_changed_at = models.DateTimeField(null=True, blank=True)
    reference_problem = models.TextField(blank=True)
    refresh_wanted = models.BooleanField(default=False)
    process = models.CharField(max_length=255, blank=True)
    process_seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "gateway_link"
        verbose_name = verbose_name_plural = "link"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="gateway_link_one")]

    def __str__(self) -> str:
        return "Link to the main site"

    @classmethod
    def row(cls) -> Link:
        """The row, made when it is not there."""
        return cls.objects.get_or_create(pk=1)[0]

    @classmethod
    def write(cls, **columns: Any) -> None:
        """Change some columns, in one UPDATE."""
        if not cls.objects.filter(pk=1).update(**columns):
            cls.row()
            cls.objects.filter(pk=1).update(**columns)

    @property
    def is_up(self) -> bool:
        """Heard of, and not lost since."""
        return self.down_since is None and self.last_contact_at is not None

    @property
    def reference_age(self) -> timedelta | None:
        """How long ago the copy was known to equal the main site's; None: there is no copy."""
        return None if self.reference_at is None else timezone.now() - self.reference_at

    @property
    def process_is_alive(self) -> bool:
        """Whether ``run_gateway`` was heard of within its time to live."""
        seen = self.process_seen_at
        return seen is not None and timezone.now() - seen < timedelta(seconds=TTL_SECONDS)


def now_plus(seconds: float) -> Any:
    """A moment by the database's clock."""
    return Now() + timedelta(seconds=seconds)
