"""Channels, rules, alerts and messages that wait."""

from __future__ import annotations

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from notifications.models import Alert, ChannelKind, NotificationChannel, NotificationRule, OutgoingMessage, Severity


class NotificationChannelFactory(DjangoModelFactory[NotificationChannel]):
    """A list of one mail address."""

    class Meta:
        model = NotificationChannel

    class Params:
        webhook = factory.Trait(kind=ChannelKind.JSON, addresses="", credential_key="OPERATORS")

    name = factory.Sequence(lambda n: f"operators {n}")
    kind = ChannelKind.EMAIL
    addresses = "operators@example.org"


class NotificationRuleFactory(DjangoModelFactory[NotificationRule]):
    """Warnings, at once."""

    class Meta:
        model = NotificationRule

    channel = factory.SubFactory(NotificationChannelFactory)
    least_severity = Severity.WARNING


class AlertFactory(DjangoModelFactory[Alert]):
    """A location that is away, seen just now."""

    class Meta:
        model = Alert

    key = factory.Sequence(lambda n: f"Locations /portal/datamgmt/datalocation/?id__exact={n}")
    kind = "Locations"
    severity = Severity.CRITICAL
    what = "ccat_buffer"
    why = "The marker is missing."
    first_seen = factory.LazyFunction(timezone.now)
    last_seen = factory.SelfAttribute("first_seen")


class OutgoingMessageFactory(DjangoModelFactory[OutgoingMessage]):
    """One that waits."""

    class Meta:
        model = OutgoingMessage

    channel = factory.SubFactory(NotificationChannelFactory)
    address = "operators@example.org"
    subject = "[CCAT] Critical: Locations: ccat_buffer"
    body = "The marker is missing."
