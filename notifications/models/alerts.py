"""Alerts, one for each cause that needs a person, and the rules that say who is told of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from notifications.models.messages import ChannelKind, NotificationChannel

#: Minutes that a rule may wait: a week.
LONGEST_MINUTES = 7 * 24 * 60


class Severity(models.IntegerChoices):
    """How much an alert matters. CRITICAL: data does not move, or may be at risk."""

    INFORMATION = 1, "Information"
    WARNING = 2, "Warning"
    CRITICAL = 3, "Critical"


class NotificationRule(models.Model):
    """Who is told: of alerts from a severity on, by a channel, or by mail to one person who wants it (``user``).

    ``after_minutes`` makes it an escalation: only of alerts that nobody acknowledged for so long. ``digest_minutes``
    collects for so long what is then one message.
    """

    least_severity = models.SmallIntegerField(choices=Severity.choices, default=Severity.WARNING)
    channel = models.ForeignKey(NotificationChannel, models.PROTECT, related_name="rules", null=True, blank=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="notification_rule",
        null=True,
        blank=True,
        editable=False,
        help_text="Whose own choice it is (My account).",
    )
    after_minutes = models.PositiveIntegerField(
        "only after",
        default=0,
        validators=[MaxValueValidator(LONGEST_MINUTES)],
        help_text="Minutes without an acknowledgement; 0: at once.",
    )
    digest_minutes = models.PositiveIntegerField(
        "digest of",
        default=0,
        validators=[MaxValueValidator(LONGEST_MINUTES)],
        help_text="Minutes that are collected into one message; 0: each at once.",
    )
    active = models.BooleanField(default=True)
    last_told_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "notification_rule"
        ordering = ["-least_severity", "after_minutes", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(channel__isnull=True) ^ Q(user__isnull=True), name="notification_rule_one_receiver"
            ),
            models.CheckConstraint(
                condition=Q(least_severity__in=Severity.values), name="notification_rule_severity_known"
            ),
            models.CheckConstraint(
                condition=Q(after_minutes__lte=LONGEST_MINUTES, digest_minutes__lte=LONGEST_MINUTES),
                name="notification_rule_minutes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_least_severity_display()} to {self.channel or self.user}"

    def clean(self) -> None:
        """Mail to a person is chosen by that person."""
        if self.user_id is None and self.channel is None:
            raise ValidationError({"channel": "Choose who is told."})
        if self.channel is not None and self.channel.kind == ChannelKind.PERSONAL:
            raise ValidationError({"channel": "Persons choose for themselves, under My account."})

    @property
    def delay(self) -> timedelta:
        return timedelta(minutes=self.after_minutes)

    @property
    def digest(self) -> timedelta:
        return timedelta(minutes=self.digest_minutes)


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> AlertQuerySet:
        """What is still so."""
        return self.filter(resolved_at__isnull=True)

    def audible(self, now: datetime) -> AlertQuerySet:
        """Not silenced."""
        return self.filter(Q(silenced_until__isnull=True) | Q(silenced_until__lte=now))

    def to_raise(self, rule: NotificationRule, now: datetime) -> AlertQuerySet:
        """What a rule is to be told and was not. A digest also tells what began and ended since the last one."""
        known = Q(resolved_at__isnull=True)
        if rule.digest_minutes and not rule.after_minutes:
            known |= Q(resolved_at__gt=rule.last_told_at)
        rows = self.audible(now).filter(known, severity__gte=rule.least_severity, first_seen__lte=now - rule.delay)
        if rule.after_minutes:
            rows = rows.filter(acknowledged_at__isnull=True)
        return rows.exclude(raised_to=rule)

    def to_resolve(self, rule: NotificationRule) -> AlertQuerySet:
        """What a rule was told of, and is over."""
        return self.filter(raised_to=rule, resolved_at__isnull=False).exclude(resolved_to=rule)


class Alert(models.Model):
    """One cause that needs a person, from when it was first seen until it is gone; the next time is another row.

    ``key`` names the cause. ``raised_to`` and ``resolved_to``: the rules that were told of its beginning and its end.
    """

    key = models.CharField(max_length=512)
    kind = models.CharField(max_length=128)
    severity = models.SmallIntegerField(choices=Severity.choices)
    what = models.CharField(max_length=255)
    why = models.TextField(blank=True)
    code = models.CharField("error code", max_length=64, blank=True)
    url = models.CharField(max_length=512, blank=True)
    count = models.PositiveIntegerField(default=1, help_text="How many of it there are now.")
    first_seen = models.DateTimeField(default=timezone.now)
    last_seen = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    silenced_until = models.DateTimeField(null=True, blank=True)
    raised_to = models.ManyToManyField(NotificationRule, db_table="alert_raised_to", related_name="+", blank=True)
    resolved_to = models.ManyToManyField(NotificationRule, db_table="alert_resolved_to", related_name="+", blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        db_table = "alert"
        ordering = [F("resolved_at").desc(nulls_first=True), "-severity", "-first_seen", "pk"]
        indexes = [models.Index(fields=["-resolved_at"], name="alert_by_end")]
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=Q(resolved_at__isnull=True), name="alert_open_once"),
            models.CheckConstraint(condition=Q(severity__in=Severity.values), name="alert_severity_known"),
            models.CheckConstraint(
                condition=Q(acknowledged_at__isnull=True) ^ Q(acknowledged_by__isnull=False),
                name="alert_acknowledged_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None

    @property
    def is_silenced(self) -> bool:
        """By the clock of this process."""
        return self.silenced_until is not None and self.silenced_until > timezone.now()
