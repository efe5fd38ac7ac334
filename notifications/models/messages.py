"""Channels, by which messages leave, and the queue of these messages.

The row decides: a message that was neither sent nor given up is sent, at least once, by ``run_notifications``
(notifications/sending.py). A channel has its own circuit breaker, so that one that fails holds up no other.
"""

from __future__ import annotations

from typing import Any

import environ
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, validate_email
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from ccatdc.common.errors import ConfigurationError
from ccatdc.common.models import UuidPrimaryKey
from ccatdc.common.states import known_values

#: Attempts of one message that say that it is refused; those that a failing channel spoiled do not count.
REFUSED_OFTEN = 3
#: Addresses of one list.
MOST_ADDRESSES = 50


class ChannelKind(models.TextChoices):
    """How messages leave. PERSONAL goes to the address of the person whom a message is for."""

    EMAIL = "email", "E-mail to a list"
    PERSONAL = "personal", "E-mail to persons"
    MATRIX = "matrix", "Matrix"
    SLACK = "slack", "Slack"
    MATTERMOST = "mattermost", "Mattermost"
    JSON = "json", "Webhook with JSON"


MAIL_KINDS = frozenset({ChannelKind.EMAIL, ChannelKind.PERSONAL})


class NotificationChannelQuerySet(models.QuerySet["NotificationChannel"]):
    def with_work(self) -> NotificationChannelQuerySet:
        """Switched on, not held back by their breaker, and a message is due."""
        ready = self.filter(Q(next_trial_at__isnull=True) | Q(next_trial_at__lte=Now()), active=True)
        return ready.filter(Exists(OutgoingMessage.objects.due().filter(channel=OuterRef("pk"))))


class NotificationChannel(models.Model):
    """One way out: a list of mail addresses, a room of a chat, a program. ``run_notifications`` sends.

    The address of a webhook is a secret: it stands in the environment. The last columns are the circuit breaker: while
    ``failing_since`` is set nothing is sent before ``next_trial_at``, then one message is tried.
    """

    name = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=16, choices=ChannelKind.choices)
    addresses = models.TextField(blank=True, help_text="Of a list: mail addresses, one a line.")
    credential_key = models.CharField(
        max_length=48,
        blank=True,
        validators=[RegexValidator(r"^[A-Z0-9_]+\Z", "Use capitals, digits and underscores.")],
        help_text="Of a webhook: KEY of the environment variables CCATDC_WEBHOOK_KEY_URL and, where the receiver wants "
        "one, CCATDC_WEBHOOK_KEY_TOKEN.",
    )
    active = models.BooleanField(default=True, help_text="While it is off its messages wait.")
    failures = models.PositiveIntegerField(default=0, editable=False, help_text="In a row.")
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    next_trial_at = models.DateTimeField(null=True, blank=True, editable=False)
    error_message = models.TextField(blank=True, editable=False)
    last_success_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = NotificationChannelQuerySet.as_manager()

    class Meta:
        db_table = "notification_channel"
        ordering = ["name"]
        constraints = [
            known_values("kind", ChannelKind, "notification_channel_kind_known"),
            models.CheckConstraint(
                condition=Q(kind=ChannelKind.PERSONAL) | ~Q(name=ChannelKind.PERSONAL.label),
                name="notification_channel_name_of_personal",
                violation_error_message="This name is that of the channel for mails to persons.",
            ),
            models.UniqueConstraint(
                fields=["kind"], condition=Q(kind=ChannelKind.PERSONAL), name="notification_channel_personal_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """A list has addresses, a webhook a key, and neither has what is the other's."""
        if bool(self.addresses.strip()) != (self.kind == ChannelKind.EMAIL):
            raise ValidationError({"addresses": "Needed for a list of mail addresses, and for nothing else."})
        if bool(self.credential_key) == (self.kind in MAIL_KINDS):
            raise ValidationError({"credential_key": "Needed for a webhook, and for nothing else."})
        listed = self.address_list
        if len(listed) > MOST_ADDRESSES:
            raise ValidationError({"addresses": f"At most {MOST_ADDRESSES} addresses."})
        for address in listed:
            try:
                validate_email(address)
            except ValidationError as error:
                raise ValidationError({"addresses": f"{address}: {error.message}"}) from error

    @property
    def address_list(self) -> list[str]:
        """The addresses of a list, each once."""
        return list(dict.fromkeys(self.addresses.split()))

    @property
    def destinations(self) -> list[str]:
        """One message goes to each of them: the addresses of a list; empty for a webhook, which has one."""
        return self.address_list if self.kind == ChannelKind.EMAIL else [""]

    def secret(self, name: str, *, required: bool = False) -> str:
        """``URL`` or ``TOKEN`` of a webhook, from the environment or from a file that it names; never from the database."""
        variable = f"CCATDC_WEBHOOK_{self.credential_key}_{name}"
        value: str = environ.FileAwareEnv().str(variable, default="").strip()
        if required and not value:
            raise ConfigurationError(
                f"{variable} is not set in this process.",
                code="notification.no_credentials",
                remedy="Set it in the environment of run_notifications (or NAME_FILE with the path of a file) and "
                "restart it.",
            )
        return value


class OutgoingMessageQuerySet(models.QuerySet["OutgoingMessage"]):
    def waiting(self) -> OutgoingMessageQuerySet:
        """Neither sent nor given up."""
        return self.filter(sent_at__isnull=True, given_up_at__isnull=True)

    def due(self) -> OutgoingMessageQuerySet:
        """To be sent now, the oldest first."""
        return self.waiting().filter(next_attempt_at__lte=Now()).order_by("created_at", "pk")

    def refused(self) -> OutgoingMessageQuerySet:
        """Refused several times, or given up: a person should look."""
        return self.filter(sent_at__isnull=True, attempts__gte=REFUSED_OFTEN)


class OutgoingMessage(UuidPrimaryKey):
    """One message for one address or webhook: written in the transaction of its cause, sent later, at least once.

    The id is part of what is sent, so that a receiver can tell a message that it got twice. ``dedup_key`` names the
    cause: the same one is not written twice for an address.
    """

    channel = models.ForeignKey(NotificationChannel, models.PROTECT, related_name="messages")
    address = models.CharField(max_length=254, blank=True)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    dedup_key = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True, blank=True)
    given_up_at = models.DateTimeField(null=True, blank=True)
    error_message = models.TextField(blank=True)

    objects = OutgoingMessageQuerySet.as_manager()

    class Meta:
        db_table = "outgoing_message"
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["channel", "created_at"], condition=Q(sent_at__isnull=True), name="message_unsent"),
            models.Index(fields=["-created_at"], name="message_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["dedup_key", "channel", "address"], condition=~Q(dedup_key=""), name="message_of_cause_once"
            ),
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(given_up_at__isnull=True), name="message_sent_or_given_up"
            ),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def message_state(self) -> str:
        """In a word."""
        if self.sent_at is not None:
            return "sent"
        return "given up" if self.given_up_at is not None else "waiting"


def personal_channel() -> Any:
    """The channel for mails to persons; made when it is first needed."""
    channel, _ = NotificationChannel.objects.get_or_create(
        kind=ChannelKind.PERSONAL, defaults={"name": ChannelKind.PERSONAL.label}
    )
    return channel
