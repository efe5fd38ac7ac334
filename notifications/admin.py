"""Portal pages of notifications: what is wrong and who takes care of it, what was sent, and who is told of what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.people import person_of
from ccatdc.common.admin.actions import SwitchedAdmin, portal_action
from ccatdc.common.admin.badges import NO_VALUE, badge
from ccatdc.common.admin.base import ReadOnlyAdmin
from ccatdc.common.errors import ConflictError
from notifications.models import Alert, ChannelKind, NotificationChannel, NotificationRule, OutgoingMessage, Severity
from notifications.queueing import queue_message
from notifications.sending import send_again
from notifications.telling import acknowledge, silence

_SEVERITY_COLOURS = {Severity.INFORMATION: "info", Severity.WARNING: "warning", Severity.CRITICAL: "danger"}
_MESSAGE_COLOURS = {"sent": "success", "waiting": "info", "given up": "danger"}


@admin.register(NotificationChannel)
class NotificationChannelAdmin(SwitchedAdmin):
    """Ways out. The addresses of webhooks are in the environment of ``run_notifications``."""

    list_display = ["name", "kind", "active", "channel_state", "last_success_at", "error_message"]
    list_filter = ["kind", "active"]
    search_fields = ["name"]
    fields = ["name", "kind", "addresses", "credential_key", "active", "channel_state", "error_message"]
    readonly_fields = ["channel_state", "error_message"]
    actions = [*SwitchedAdmin.actions, "send_test_selected"]

    @admin.display(description="State")
    def channel_state(self, channel: NotificationChannel) -> SafeString:
        if channel.failing_since is not None:
            return badge(f"Fails, next trial {channel.next_trial_at:%H:%M:%S}", "danger")
        return badge("Works", "success") if channel.last_success_at else badge("Not used yet")

    @portal_action("Send a test message", needs="operate", shown_for=lambda channel: channel.active)
    def send_test_selected(self, request: HttpRequest, channel: NotificationChannel) -> None:
        """Into the queue like any other; to the person who asks, where the channel is for persons."""
        user = person_of(request)
        own = [user.email] if channel.kind == ChannelKind.PERSONAL else None
        if own == [""]:
            raise ConflictError("Your account has no mail address.", code="notification.no_address")
        queue_message(channel, "Test message", f"{user} tries the channel {channel}. Nothing is wrong.", addresses=own)
        self.write_audit_log(request, f"Sent a test message by {channel}.", channel)


@admin.register(NotificationRule)
class NotificationRuleAdmin(SwitchedAdmin):
    """Who is told of what. A rule with *only after* escalates."""

    list_display = ["least_severity", "receiver", "after_minutes", "digest_minutes", "active", "last_told_at"]
    list_select_related = ["channel", "user"]
    list_filter = ["least_severity", "active", "channel"]
    fields = ["least_severity", "channel", "after_minutes", "digest_minutes", "active"]
    readonly_fields = ["receiver"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A person's own rule has the person in place of the channel."""
        names = super().get_fields(request, obj)
        return ["receiver" if name == "channel" and obj is not None and obj.user_id else name for name in names]

    def get_queryset(self, request: HttpRequest) -> Any:
        """With whom it tells."""
        return super().get_queryset(request).select_related("channel", "user")

    @admin.display(description="Tells")
    def receiver(self, rule: NotificationRule) -> str:
        if rule.user is not None:
            return f"{rule.user}, by own choice"
        return str(rule.channel or NO_VALUE)


class AlertStateFilter(admin.SimpleListFilter):
    """Open ones by what happened to them, and those that are over."""

    title = "state"
    parameter_name = "state"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("unseen", "Open, not acknowledged"), ("resolved", "Resolved")]

    def queryset(self, _request: HttpRequest, queryset: Any) -> Any:
        """Nothing is left out when nothing is chosen."""
        if self.value() == "resolved":
            return queryset.filter(resolved_at__isnull=False)
        if self.value() == "unseen":
            return queryset.open().filter(acknowledged_at__isnull=True)
        return queryset.open() if self.value() == "open" else queryset


def _audible(alert: Alert) -> bool:
    return alert.is_open and not alert.is_silenced


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """What needs a person, as the first page has it, with who takes care of it."""

    list_display = ["what", "kind", "severity_badge", "alert_state", "first_seen", "resolved_at", "acknowledged_by"]
    list_select_related = ["acknowledged_by"]
    list_filter = [AlertStateFilter, "severity"]
    search_fields = ["what", "kind", "code"]
    shown = (
        "what",
        "kind",
        "severity_badge",
        "alert_state",
        "why",
        "code",
        "count",
        "where",
        "first_seen",
        "last_seen",
        "resolved_at",
        "acknowledged_at",
        "acknowledged_by",
        "silenced_until",
        "told",
    )
    fields = shown
    readonly_fields = shown
    actions = ["acknowledge_selected", "silence_hour_selected", "silence_shift_selected", "end_silence_selected"]

    @admin.display(description="Severity", ordering="severity")
    def severity_badge(self, alert: Alert) -> SafeString:
        return badge(alert.get_severity_display(), _SEVERITY_COLOURS[Severity(alert.severity)])

    @admin.display(description="State")
    def alert_state(self, alert: Alert) -> SafeString:
        if not alert.is_open:
            return badge("Resolved", "success")
        if alert.is_silenced:
            return badge(f"Silenced until {alert.silenced_until:%Y-%m-%d %H:%M}")
        return badge("Acknowledged", "info") if alert.acknowledged_at else badge("Open", "danger")

    @admin.display(description="Look there")
    def where(self, alert: Alert) -> SafeString:
        return format_html('<a class="portal-link" href="{}">{}</a>', alert.url, alert.kind) if alert.url else NO_VALUE

    @admin.display(description="Told of it")
    def told(self, alert: Alert) -> SafeString:
        rules = alert.raised_to.select_related("channel", "user")
        return format_html_join("", "<div>{}</div>", ((rule,) for rule in rules)) or NO_VALUE

    @portal_action("Acknowledge", needs="operate", shown_for=lambda alert: alert.is_open and not alert.acknowledged_at)
    def acknowledge_selected(self, request: HttpRequest, alert: Alert) -> None:
        """Somebody takes care of it: it is not escalated."""
        acknowledge(alert, person_of(request))
        self.write_audit_log(request, f"Acknowledged the alert {alert}.", alert)

    @portal_action("Silence for 1 h", needs="operate", shown_for=_audible)
    def silence_hour_selected(self, request: HttpRequest, alert: Alert) -> None:
        """Nobody is told of this cause for an hour."""
        self._silence(request, alert, 1)

    @portal_action("Silence for 8 h", needs="operate", shown_for=_audible)
    def silence_shift_selected(self, request: HttpRequest, alert: Alert) -> None:
        """Nobody is told of this cause for a shift."""
        self._silence(request, alert, 8)

    @portal_action("End the silence", needs="operate", shown_for=lambda alert: alert.is_silenced)
    def end_silence_selected(self, request: HttpRequest, alert: Alert) -> None:
        """People are told of it again."""
        silence(alert, timedelta())
        self.write_audit_log(request, f"Ended the silence of the alert {alert}.", alert)

    def _silence(self, request: HttpRequest, alert: Alert, hours: int) -> None:
        silence(alert, timedelta(hours=hours))
        self.write_audit_log(request, f"Silenced the alert {alert} for {hours} h.", alert)


class MessageStateFilter(admin.SimpleListFilter):
    """What became of a message."""

    title = "state"
    parameter_name = "state"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("waiting", "Waiting"), ("refused", "Refused several times"), ("sent", "Sent")]

    def queryset(self, _request: HttpRequest, queryset: Any) -> Any:
        """Nothing is left out when nothing is chosen."""
        chosen = {"waiting": queryset.waiting, "refused": queryset.refused}.get(self.value() or "")
        if chosen is not None:
            return chosen()
        return queryset.filter(sent_at__isnull=False) if self.value() == "sent" else queryset


@admin.register(OutgoingMessage)
class OutgoingMessageAdmin(ReadOnlyAdmin):
    """The queue, and what left it in the last month. Texts and addresses are for who may operate."""

    list_display = [
        "subject",
        "channel",
        "address",
        "state_badge",
        "attempts",
        "created_at",
        "sent_at",
        "error_message",
    ]
    list_select_related = ["channel"]
    list_filter = [MessageStateFilter, "channel"]
    shown = ("subject", "channel", "address", "state_badge", "attempts", "created_at", "next_attempt_at", "sent_at")
    fields = (*shown, "error_message", "body")
    readonly_fields = fields
    actions = ["send_again_selected", "remove_selected"]
    _private = frozenset({"address", "body", "error_message"})

    def get_list_display(self, request: HttpRequest) -> Any:
        """Without addresses for who may only look."""
        return self._for(request, super().get_list_display(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The same."""
        return self._for(request, super().get_fields(request, obj))

    def _for(self, request: HttpRequest, names: Any) -> list[Any]:
        hidden = frozenset() if self.has_operate_permission(request) else self._private
        return [name for name in names if name not in hidden]

    @admin.display(description="State")
    def state_badge(self, message: OutgoingMessage) -> SafeString:
        state = message.message_state
        return badge(state.capitalize(), _MESSAGE_COLOURS[state])

    @portal_action("Send now", needs="operate", shown_for=lambda message: message.sent_at is None)
    def send_again_selected(self, request: HttpRequest, message: OutgoingMessage) -> None:
        """Without waiting for the next trial; one that was given up gets another day."""
        send_again(message)
        self.write_audit_log(request, f"Had the message {message} sent.", message)

    @portal_action(
        "Remove",
        needs="operate",
        confirm="A message that is removed is not sent. Remove?",
        shown_for=lambda message: message.sent_at is None,
    )
    def remove_selected(self, request: HttpRequest, message: OutgoingMessage) -> None:
        """Nobody needs it any more."""
        if OutgoingMessage.objects.filter(pk=message.pk, sent_at__isnull=True).delete()[0]:
            self.write_audit_log(request, f"Removed the message {message}, which was not sent.", message)
