"""What waits leaves at least once: a server that is silent or refuses costs time, and nothing else."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from notifications import sending
from notifications.models import ChannelKind, NotificationChannel, OutgoingMessage
from notifications.queueing import queue_mail, queue_message
from tests.factories.notifications import NotificationChannelFactory, OutgoingMessageFactory
from tests.notifications.receivers import Hook, MailServer

pytestmark = pytest.mark.django_db
PAST = timedelta(hours=1)


def channel_now(channel: NotificationChannel) -> NotificationChannel:
    return NotificationChannel.objects.get(pk=channel.pk)


def time_passes() -> None:
    """All waits are over."""
    NotificationChannel.objects.update(next_trial_at=Now() - PAST)
    OutgoingMessage.objects.waiting().update(next_attempt_at=Now() - PAST)


def webhook(kind: str = ChannelKind.JSON) -> NotificationChannel:
    return NotificationChannelFactory.create(webhook=True, kind=kind)


# Mail


def test_each_address_of_a_list_gets_a_mail_of_its_own(mail_server: MailServer) -> None:
    channel = NotificationChannelFactory.create(addresses="a@example.org\nb@example.org a@example.org")
    queue_message(channel, "Two\nlines", "The text: ä")

    assert sending.send_waiting(channel) == 2

    assert sorted(to for to, _ in mail_server.mails) == ["a@example.org", "b@example.org"]
    mail = mail_server.mails[0][1]
    assert mail["Subject"] == "[CCAT] Two lines"
    assert mail.get_payload(decode=True) == "The text: ä\r\n".encode()
    sent = OutgoingMessage.objects.get(address=mail_server.mails[0][0])
    assert str(sent.pk) in mail["Message-ID"]
    assert sent.sent_at is not None
    assert sending.send_waiting(channel) == 0


def test_a_silent_mail_server_costs_one_wait_and_nothing_is_lost(
    mail_server: MailServer, silent_port: int, settings: Any
) -> None:
    settings.EMAIL_PORT, right = silent_port, settings.EMAIL_PORT
    channel = NotificationChannelFactory.create()
    OutgoingMessageFactory.create_batch(3, channel=channel)

    begun = time.monotonic()
    assert sending.send_waiting(channel) == 0
    assert time.monotonic() - begun < 2, "the second message was tried as well"

    held = channel_now(channel)
    assert (held.failures, held.next_trial_at is not None) == (1, True)
    assert "timed out" in held.error_message
    assert not NotificationChannel.objects.with_work().exists()
    assert OutgoingMessage.objects.waiting().filter(attempts=0).count() == 3

    settings.EMAIL_PORT = right
    time_passes()
    assert NotificationChannel.objects.with_work().get() == channel
    assert sending.send_waiting(channel) == 3
    well = channel_now(channel)
    assert (well.failures, well.failing_since, well.next_trial_at, well.error_message) == (0, None, None, "")
    assert len(mail_server.mails) == 3


def test_a_channel_that_keeps_failing_waits_longer_and_longer(silent_port: int, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", silent_port
    channel = NotificationChannelFactory.create(failures=4, failing_since=timezone.now() - PAST)
    OutgoingMessageFactory.create(channel=channel)
    sending.send_waiting(channel)
    held = channel_now(channel)
    wait = (held.next_trial_at - timezone.now()).total_seconds() if held.next_trial_at else 0
    assert 16 * sending.FIRST_WAIT_SECONDS - 5 < wait <= 16 * sending.FIRST_WAIT_SECONDS
    assert held.failing_since is not None
    assert held.failing_since < timezone.now() - timedelta(minutes=59)


def test_a_refused_address_holds_up_no_other_and_is_given_up_after_about_a_day(mail_server: MailServer) -> None:
    channel = NotificationChannelFactory.create(addresses="refused@example.org\nb@example.org")
    queue_message(channel, "News", "")
    assert sending.send_waiting(channel) == 1
    assert [to for to, _ in mail_server.mails] == ["b@example.org"]
    refused = OutgoingMessage.objects.get(address="refused@example.org")
    assert "550 nobody of this name" in refused.error_message
    assert refused.given_up_at is None
    assert channel_now(channel).failures == 0

    waits = []
    while OutgoingMessage.objects.waiting().exists():
        refused.refresh_from_db()
        waits.append((refused.next_attempt_at - timezone.now()).total_seconds())
        time_passes()
        sending.send_waiting(channel)
    assert 20 * 3600 < sum(waits) < 30 * 3600

    assert list(OutgoingMessage.objects.refused()) == [refused]

    sending.send_again(refused)
    OutgoingMessage.objects.update(address="c@example.org")
    assert sending.send_waiting(channel) == 1


def test_a_sender_that_is_killed_leaves_its_message_to_be_sent_again(mail_server: MailServer) -> None:
    channel = NotificationChannelFactory.create()
    OutgoingMessageFactory.create(channel=channel)
    assert sending._claim(channel) is not None  # and dies here
    assert sending.send_waiting(channel) == 0, "somebody else sends it"
    time_passes()
    assert sending.send_waiting(channel) == 1


def test_a_mail_to_nobody_is_not_taken_for_sent(mail_server: MailServer) -> None:
    channel = NotificationChannelFactory.create()
    OutgoingMessageFactory.create(channel=channel, address="")
    assert sending.send_waiting(channel) == 0
    assert OutgoingMessage.objects.waiting().get().error_message


def test_the_same_cause_writes_one_message_for_an_address() -> None:
    for address in ("a@example.org", "a@example.org", "b@example.org", ""):
        queue_mail(address, "Ready", "", dedup_key="staging_job 7")
    assert OutgoingMessage.objects.count() == 2


def test_what_is_switched_off_waits() -> None:
    OutgoingMessageFactory.create(channel__active=False)
    assert not NotificationChannel.objects.with_work().exists()


# Webhooks


def test_each_kind_gets_its_shape(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCATDC_WEBHOOK_OPERATORS_TOKEN", "a-token")
    for kind in (ChannelKind.MATRIX, ChannelKind.SLACK, ChannelKind.MATTERMOST, ChannelKind.JSON):
        channel = webhook(kind)
        queue_message(channel, "<!channel> & @all", "text ```")
        assert sending.send_waiting(channel) == 1

    matrix, slack, mattermost, plain = hook.calls
    message = OutgoingMessage.objects.get(channel__kind=ChannelKind.MATRIX)
    assert matrix[:2] == ("PUT", f"/hooks/very-secret/send/m.room.message/{message.pk}")
    assert matrix[3] == {"msgtype": "m.text", "body": "[CCAT] <!channel> & @all\n\ntext ```"}
    assert slack[3] == {"text": "[CCAT] &lt;!channel&gt; &amp; @all\n\ntext ```"}
    assert mattermost[3] == {"text": "```\n[CCAT] <!channel> & @\u200ball\n\ntext '''\n```"}
    assert (plain[3]["subject"], plain[3]["body"]) == ("[CCAT] <!channel> & @all", "text ```")
    assert plain[2]["Idempotency-Key"] == plain[3]["id"]
    assert {headers["Authorization"] for _, _, headers, _ in hook.calls} == {"Bearer a-token"}


def test_a_receiver_that_fails_is_held_back_and_its_address_told_to_nobody(
    hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hook.status, hook.answer = 503, b"no service at /hooks/very-secret \x1b[0m"
    channel = webhook()
    OutgoingMessageFactory.create(channel=channel, address="")
    assert sending.send_waiting(channel) == 0
    said = channel_now(channel).error_message
    assert said == "The receiver fails: HTTP 503: no service at /*** [0m"
    message = OutgoingMessage.objects.get()
    assert message.error_message == said
    assert "very-secret" not in caplog.text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "CCATDC_WEBHOOK_OPERATORS_URL is not set"),
        ("http://127.0.0.1:9/very-secret", "ConnectError"),
        ("ftp://127.0.0.1/very-secret", "UnsupportedProtocol"),
        ("http://127.0.0.1:very-secret/", "InvalidURL"),
    ],
)
def test_an_address_that_leads_nowhere_is_the_channels_fault(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCATDC_WEBHOOK_OPERATORS_URL", url)
    channel = webhook()
    OutgoingMessageFactory.create(channel=channel, address="")
    assert sending.send_waiting(channel) == 0
    assert said in channel_now(channel).error_message
    assert "very-secret" not in channel_now(channel).error_message


def test_a_silent_receiver_is_left_after_a_time(silent_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCATDC_WEBHOOK_OPERATORS_URL", f"http://127.0.0.1:{silent_port}/")
    channel = webhook()
    OutgoingMessageFactory.create(channel=channel, address="")
    assert sending.send_waiting(channel) == 0
    assert "ReadTimeout" in channel_now(channel).error_message


def test_a_document_that_is_refused_is_the_messages_fault(hook: Hook) -> None:
    hook.status, hook.answer = 400, b"invalid_payload"
    channel = webhook(ChannelKind.SLACK)
    OutgoingMessageFactory.create(channel=channel, address="")
    assert sending.send_waiting(channel) == 0
    message = OutgoingMessage.objects.get()
    assert "invalid_payload" in message.error_message
    assert message.attempts == 1
    assert channel_now(channel).failures == 0


def test_a_redirect_is_not_followed(hook: Hook) -> None:
    hook.status = 302
    channel = webhook()
    OutgoingMessageFactory.create(channel=channel, address="")
    assert sending.send_waiting(channel) == 0
    assert len(hook.calls) == 1
    assert "HTTP 302" in channel_now(channel).error_message


def test_old_messages_are_removed_and_waiting_ones_never() -> None:
    long_ago = timezone.now() - timedelta(days=31)
    OutgoingMessageFactory.create(sent_at=long_ago)
    OutgoingMessageFactory.create(given_up_at=long_ago)
    kept = [OutgoingMessageFactory.create(sent_at=timezone.now()), OutgoingMessageFactory.create(created_at=long_ago)]
    assert sending.forget_old_messages() == 2
    assert set(OutgoingMessage.objects.all()) == set(kept)
