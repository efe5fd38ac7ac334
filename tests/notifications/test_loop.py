"""``run_notifications`` as a process: alerts agree with the first page, and no silent server holds up anybody."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from ccatdc import notification_loop
from ccatdc.portal.attention.conditions import look
from ccatdc.portal.attention.notifications import notifications
from ccatdc.portal.overview import overview
from notifications import conditions
from notifications.models import Alert, ChannelKind, NotificationChannel, OutgoingMessage, Severity
from tests.factories.datamgmt import BufferLocationFactory
from tests.factories.notifications import NotificationChannelFactory, NotificationRuleFactory, OutgoingMessageFactory
from tests.factories.transfer import LongTermArchiveTransferFactory, ServiceHeartbeatFactory, StagingFactory
from tests.notifications.receivers import Hook, MailServer
from tests.transfer.processes import alive, eventually, running
from transfer.engine.heartbeats import Pulse
from transfer.models import ServiceHeartbeat


@pytest.mark.django_db
class TestConditions:
    def test_alerts_are_what_the_first_page_shows(self) -> None:
        BufferLocationFactory.create(registered_at=timezone.now(), check_error="The marker is missing.")
        LongTermArchiveTransferFactory.create(failed=True)
        notification_loop.evaluate()
        lines = {(group.title, line.what) for group in overview(None).attention for line in group.lines}
        alerts = Alert.objects.open()
        assert {(alert.kind, alert.what) for alert in alerts} == lines
        assert {alert.severity for alert in alerts.filter(kind="Locations")} == {Severity.CRITICAL}
        assert alerts.get(kind="Failed work").code == "storage.key_missing"

    def test_more_failures_of_one_cause_are_the_same_alert(self) -> None:
        LongTermArchiveTransferFactory.create(failed=True)
        notification_loop.evaluate()
        first = Alert.objects.get(kind="Failed work")
        LongTermArchiveTransferFactory.create_batch(3, failed=True)
        notification_loop.evaluate()
        again = Alert.objects.get(kind="Failed work")
        assert again.pk == first.pk
        assert again.what.startswith("4 operations failed at")

    def test_two_things_wrong_with_one_place_are_two_alerts(self) -> None:
        location = BufferLocationFactory.create(registered_at=timezone.now(), check_error="The marker is missing.")
        type(location).objects.update(capacity_bytes=10**13, used_bytes=99 * 10**11)
        notification_loop.evaluate()
        assert Alert.objects.filter(kind="Locations").count() == 2

    def test_more_lines_than_are_shown_are_one_alert_however_many_come(self) -> None:
        StagingFactory.create_batch(3, paused_at=timezone.now())
        notification_loop.evaluate()
        first = set(Alert.objects.filter(kind="Paused work"))
        assert len(first) == 3
        StagingFactory.create_batch(12, paused_at=timezone.now())
        notification_loop.evaluate()
        (one,) = set(Alert.objects.filter(kind="Paused work")) - first
        assert one.count == 15
        assert Alert.objects.open().filter(kind="Paused work").count() == 4

    def test_a_message_written_by_the_evaluation_is_sent_by_a_command(self, hook: Hook) -> None:
        NotificationRuleFactory.create(channel=NotificationChannelFactory.create(webhook=True))
        call_command("run_notifications", "--once")
        assert len(hook.calls) == 1
        assert Alert.objects.open().filter(raised_to__isnull=False).exists()


@pytest.mark.django_db
class TestAttention:
    def lines(self) -> dict[str, Any]:
        return {line.what: line for line in notifications(look()).lines}

    def test_nobody_who_wants_to_be_told_and_nothing_that_waits_need_no_sender(self) -> None:
        assert self.lines() == {}

    def test_a_sender_that_never_ran_is_missed_by_who_wants_to_be_told(self) -> None:
        NotificationRuleFactory.create()
        assert "manage.py run_notifications" in self.lines()["Sender of notifications"].why
        Pulse("notifications").beat(["notifications"])
        assert self.lines() == {}

    def test_a_sender_that_is_silent_is_named_once_on_the_first_page(self) -> None:
        ServiceHeartbeatFactory.create(service_type="notifications", name="notifications", silent=True)
        NotificationRuleFactory.create()
        texts = [line.why for group in overview(None).attention for line in group.lines]
        assert len([text for text in texts if "run_notifications" in text]) == 1

    def test_a_channel_that_fails_is_an_alarm_itself(self) -> None:
        channel = NotificationChannelFactory.create(failures=1, failing_since=timezone.now(), error_message="No.")
        assert self.lines() == {}
        NotificationChannel.objects.update(failures=2)
        line = self.lines()[f"{channel} fails"]
        assert line.why == "No."
        assert line.since is not None
        NotificationChannel.objects.update(active=False)
        assert self.lines() == {}

    def test_messages_that_are_late_or_refused_are_named(self) -> None:
        long_ago = timezone.now() - 2 * conditions.KEPT
        late = OutgoingMessageFactory.create(next_attempt_at=long_ago)
        refused = OutgoingMessageFactory.create(attempts=3, next_attempt_at=timezone.now() + conditions.KEPT)
        OutgoingMessageFactory.create(channel=late.channel, sent_at=timezone.now())
        lines = self.lines()
        assert lines[f"{late.channel} does not send"].why.startswith("1 message was to be sent")
        assert lines[f"{refused.channel} is refused"].why.startswith("1 message was refused")


@pytest.mark.django_db(transaction=True)
def test_a_silent_mail_server_holds_up_no_other_channel_and_a_killed_sender_loses_nothing(
    hook: Hook, mail_server: MailServer, silent_port: int, tmp_path: Path
) -> None:
    mails = NotificationChannelFactory.create()
    calls = NotificationChannelFactory.create(webhook=True, kind=ChannelKind.SLACK)
    OutgoingMessageFactory.create(channel=mails)
    OutgoingMessageFactory.create(channel=calls, address="")
    base = {"CCATDC_WEBHOOK_OPERATORS_URL": hook.url, "DJANGO_SETTINGS_MODULE": "ccatdc.settings.base"}

    def sender(port: int) -> Any:
        return running("run_notifications", log_dir=tmp_path, CCATDC_EMAIL_URL=f"smtp://127.0.0.1:{port}", **base)

    with sender(silent_port) as command:
        assert eventually(lambda: len(hook.calls) == 1)
        assert eventually(lambda: "notifications" in alive())
        assert eventually(lambda: OutgoingMessage.objects.waiting().get().attempts == 1)
        command.kill()  # in the middle of the mail
        command.wait()

    OutgoingMessage.objects.waiting().update(next_attempt_at=timezone.now())  # the claim has expired
    with sender(mail_server.port) as command:
        assert eventually(lambda: len(mail_server.mails) == 1)
        assert eventually(lambda: not OutgoingMessage.objects.waiting().exists())
        command.send_signal(signal.SIGTERM)
        assert command.wait(10) == 0
    assert ServiceHeartbeat.objects.get(service_type="notifications").stopped_at is not None
    assert len(hook.calls) == 1
