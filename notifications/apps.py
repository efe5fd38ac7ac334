"""The notifications app: who is told of what, and the queue of messages that leave the data center."""

from __future__ import annotations

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"
