"""Tables of notifications: channels and the messages that wait for them, rules, alerts."""

from notifications.models.alerts import Alert, NotificationRule, Severity
from notifications.models.messages import ChannelKind, NotificationChannel, OutgoingMessage

__all__ = ["Alert", "ChannelKind", "NotificationChannel", "NotificationRule", "OutgoingMessage", "Severity"]
