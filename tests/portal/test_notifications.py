"""Channels, rules and messages in the portal: what is refused, and who reads what."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from notifications.models import NotificationChannel, NotificationRule, OutgoingMessage
from tests.factories.accounts import UserFactory
from tests.factories.notifications import (
    AlertFactory,
    NotificationChannelFactory,
    NotificationRuleFactory,
    OutgoingMessageFactory,
)

CHANNEL = "admin:notifications_notificationchannel_add"
MAIL = {"name": "Operators", "kind": "email", "addresses": "a@example.org\nb@example.org", "credential_key": ""}
HOOK = {"name": "Chat", "kind": "slack", "addresses": "", "credential_key": "CHAT"}


@pytest.mark.parametrize("given", [MAIL, HOOK], ids=["mail", "hook"])
def test_a_channel_is_added(operator: Client, given: dict[str, str]) -> None:
    assert operator.post(reverse(CHANNEL), {**given, "active": "on"}).status_code == 302
    assert NotificationChannel.objects.get().name == given["name"]


@pytest.mark.parametrize(
    "wrong",
    [
        {**MAIL, "addresses": ""},
        {**MAIL, "addresses": "a@example.org, nobody"},
        {**MAIL, "addresses": "\n".join(f"a{n}@example.org" for n in range(51))},
        {**MAIL, "credential_key": "CHAT"},
        {**HOOK, "credential_key": ""},
        {**HOOK, "credential_key": "chat?"},
        {**HOOK, "addresses": "a@example.org"},
        {**HOOK, "kind": "pigeon"},
        {**HOOK, "name": "E-mail to persons"},
    ],
)
def test_a_channel_that_cannot_be_is_refused(operator: Client, wrong: dict[str, str]) -> None:
    assert operator.post(reverse(CHANNEL), {**wrong, "active": "on"}).status_code == 200
    assert not NotificationChannel.objects.exists()


def test_a_rule_is_added_for_a_channel_and_not_for_persons(operator: Client) -> None:
    page = reverse("admin:notifications_notificationrule_add")
    body: dict[str, Any] = {"least_severity": 2, "after_minutes": 0, "digest_minutes": 0, "active": "on"}
    persons = NotificationChannelFactory.create(kind="personal", addresses="")
    for channel in ("", persons.pk):
        assert operator.post(page, {**body, "channel": channel}).status_code == 200
    assert not NotificationRule.objects.exists()
    assert operator.post(page, {**body, "channel": NotificationChannelFactory.create().pk}).status_code == 302


def test_texts_and_addresses_are_for_who_may_operate(operator: Client, viewer: Client) -> None:
    message: OutgoingMessage = OutgoingMessageFactory.create()
    for name, args in (("changelist", []), ("change", [message.pk])):
        page = reverse(f"admin:notifications_outgoingmessage_{name}", args=args)
        assert message.address in operator.get(page).content.decode()
        seen = viewer.get(page).content.decode()
        assert message.subject in seen
        assert message.address not in seen


def test_a_rule_that_told_something_is_deleted(operator: Client) -> None:
    rule = NotificationRuleFactory.create()
    alert = AlertFactory.create()
    alert.raised_to.add(rule)
    page = reverse("admin:notifications_notificationrule_delete", args=[rule.pk])
    assert operator.post(page, {"post": "yes"}).status_code == 302
    assert not NotificationRule.objects.exists()
    assert not alert.raised_to.exists()


@pytest.mark.parametrize("state", ["open", "unseen", "resolved", "waiting", "refused", "sent", "nonsense"])
def test_lists_are_narrowed_by_state(operator: Client, state: str) -> None:
    open_alert, over = AlertFactory.create(what="still so"), AlertFactory.create(what="is over", resolved_at=now())
    waits = OutgoingMessageFactory.create(subject="not yet", attempts=3)
    OutgoingMessageFactory.create(subject="has left", sent_at=now())
    alerts = operator.get(reverse("admin:notifications_alert_changelist"), {"state": state}).content.decode()
    messages = operator.get(reverse("admin:notifications_outgoingmessage_changelist"), {"state": state})
    assert (open_alert.what in alerts) == (state != "resolved")
    assert (over.what in alerts) == (state not in ("open", "unseen"))
    assert (waits.subject in messages.content.decode()) == (state != "sent")
    assert ("has left" in messages.content.decode()) == (state not in ("waiting", "refused"))


def test_a_persons_own_rule_names_the_person(operator: Client) -> None:
    rule = NotificationRuleFactory.create(channel=None, user=UserFactory.create(username="vera"))
    page = reverse("admin:notifications_notificationrule_change", args=[rule.pk])
    assert "vera, by own choice" in operator.get(page).content.decode()
    body = {"least_severity": 3, "after_minutes": 0, "digest_minutes": 0, "active": "on"}
    assert operator.post(page, body).status_code == 302
    rule.refresh_from_db()
    assert (rule.least_severity, str(rule.user)) == (3, "vera")
