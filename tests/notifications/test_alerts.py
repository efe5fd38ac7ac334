"""Conditions become alerts, and each rule is told of each alert once, and once of its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ccatdc.notification_loop import SEVERITIES
from ccatdc.portal.attention.conditions import CONDITIONS, look
from notifications import conditions
from notifications.conditions import Condition, forget_old_alerts, record_conditions
from notifications.models import Alert, NotificationRule, OutgoingMessage, Severity
from notifications.queueing import BODY_LENGTH, queue_message
from notifications.telling import acknowledge, silence, tell
from tests.factories.accounts import UserFactory
from tests.factories.notifications import AlertFactory, NotificationChannelFactory, NotificationRuleFactory

pytestmark = pytest.mark.django_db
BUFFER = Condition(
    "Locations buffer", "Locations", Severity.CRITICAL, "ccat_buffer", "The marker is missing.", url="/x"
)
BACKUP = Condition("Backups", "Backups", Severity.WARNING, "The database", "No backup.")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is gone is resolved at the next look."""
    monkeypatch.setattr(conditions, "RESOLVED_AFTER", timedelta())


def subjects() -> list[str]:
    """Of what was written, in order."""
    return list(OutgoingMessage.objects.order_by("created_at", "pk").values_list("subject", flat=True))


def told(*seen: Condition) -> list[str]:
    """Look, tell, and what was written by that."""
    before = set(OutgoingMessage.objects.values_list("pk", flat=True))
    record_conditions(seen)
    tell()
    return list(OutgoingMessage.objects.exclude(pk__in=before).values_list("subject", flat=True))


def shift(**columns: timedelta) -> None:
    """All alerts were seen so much earlier."""
    for alert in Alert.objects.all():
        Alert.objects.filter(pk=alert.pk).update(**{name: getattr(alert, name) - by for name, by in columns.items()})


# Alerts


def test_an_alert_begins_goes_on_and_ends_with_its_condition() -> None:
    record_conditions([BUFFER, BACKUP])
    record_conditions([BUFFER])
    assert {alert.what: alert.is_open for alert in Alert.objects.all()} == {"ccat_buffer": True, "The database": False}
    record_conditions([BUFFER, BACKUP])
    assert Alert.objects.filter(key="Backups").count() == 2, "the next time is another alert"


def test_what_comes_and_goes_is_not_resolved_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "RESOLVED_AFTER", timedelta(seconds=45))
    for seen in ([BUFFER], [], [BUFFER], []):
        record_conditions(seen)
    assert Alert.objects.get().is_open
    shift(last_seen=timedelta(seconds=45))
    record_conditions([])
    assert not Alert.objects.get().is_open


def test_what_is_not_named_among_many_is_not_taken_for_gone() -> None:
    record_conditions([BUFFER])
    many = Condition("Locations all", "Locations", Severity.CRITICAL, "many", count=30)
    record_conditions([many], not_all_of={"Locations"})
    assert Alert.objects.open().count() == 2
    record_conditions([BUFFER])
    assert Alert.objects.open().get().what == "ccat_buffer"


def test_old_alerts_are_forgotten_and_open_ones_never() -> None:
    long_ago = timezone.now() - timedelta(days=91)
    AlertFactory.create(resolved_at=long_ago).raised_to.add(NotificationRuleFactory.create())
    kept = AlertFactory.create(first_seen=long_ago)
    forget_old_alerts()
    assert list(Alert.objects.all()) == [kept]


# Rules


def test_a_rule_is_told_once_and_once_of_the_end() -> None:
    NotificationRuleFactory.create()
    assert told(BUFFER) == ["[CCAT] Critical: Locations: ccat_buffer"]
    assert told(BUFFER) == []
    assert told() == ["[CCAT] Resolved: Locations: ccat_buffer"]
    assert told() == []
    text = OutgoingMessage.objects.earliest("created_at").body
    assert "The marker is missing." in text
    assert "/x" in text


def test_what_is_new_at_once_is_one_message() -> None:
    NotificationRuleFactory.create()
    assert told(BUFFER, BACKUP) == ["[CCAT] Critical: 2 new"]


def test_a_rule_is_told_from_its_severity_on() -> None:
    NotificationRuleFactory.create(least_severity=Severity.CRITICAL)
    assert told(BACKUP) == []
    assert told() == [], "nobody was told that it began"
    assert told(BUFFER) != []


def test_what_is_switched_off_is_told_nothing() -> None:
    NotificationRuleFactory.create(active=False)
    NotificationRuleFactory.create(channel__active=False)
    assert told(BUFFER) == []


def test_a_digest_collects_also_what_is_over() -> None:
    rule = NotificationRuleFactory.create(digest_minutes=60)
    NotificationRule.objects.update(last_told_at=timezone.now() - timedelta(hours=3))
    assert told(BUFFER, BACKUP) == []
    assert told(BUFFER) == []
    shift(first_seen=timedelta(minutes=61))
    assert told(BUFFER) == ["[CCAT] Critical: 1 new, 1 resolved"]
    assert told(BUFFER) == []
    assert rule.channel is not None
    body = OutgoingMessage.objects.get().body
    assert body.index("CRITICAL  Locations") < body.index("RESOLVED  Backups")


def test_what_nobody_acknowledges_is_escalated() -> None:
    NotificationRuleFactory.create(after_minutes=30)
    assert told(BUFFER, BACKUP) == []
    acknowledge(Alert.objects.get(what="The database"), UserFactory.create())
    shift(first_seen=timedelta(minutes=31))
    assert told(BUFFER, BACKUP) == ["[CCAT] Critical: Locations: ccat_buffer, not acknowledged for 30 min"]
    assert told(BUFFER, BACKUP) == []
    assert told() == ["[CCAT] Resolved: Locations: ccat_buffer"]


def test_an_acknowledgement_names_the_first_who_gave_it() -> None:
    alert, first, second = AlertFactory.create(), UserFactory.create(), UserFactory.create()
    for user in (first, second):
        acknowledge(alert, user)
    alert.refresh_from_db()
    assert alert.acknowledged_by == first


def test_what_is_silenced_is_told_when_the_silence_ends() -> None:
    record_conditions([BUFFER])
    silence(Alert.objects.get(), timedelta(hours=1))
    NotificationRuleFactory.create()
    assert told(BUFFER) == []
    shift(silenced_until=timedelta(hours=2))
    assert told(BUFFER) == ["[CCAT] Critical: Locations: ccat_buffer"]


def test_a_silence_is_about_the_cause_also_when_it_comes_again() -> None:
    record_conditions([BUFFER])
    silence(Alert.objects.get(), timedelta(hours=1))
    NotificationRuleFactory.create()
    assert told() == []
    assert told(BUFFER) == []
    assert Alert.objects.open().get().is_silenced


def test_a_message_names_some_and_counts_the_others() -> None:
    NotificationRuleFactory.create()
    many = [Condition(f"k{n}", "Locations", Severity.WARNING, f"place {n}", "x" * 5000) for n in range(100)]
    assert told(*many) == ["[CCAT] Warning: 100 new"]
    body = OutgoingMessage.objects.get().body
    assert "And 80 more." in body
    assert len(body) <= BODY_LENGTH
    assert body.endswith("/portal/notifications/alert/")


def test_a_text_that_is_too_long_is_cut() -> None:
    queue_message(NotificationChannelFactory.create(), "Long", "x" * 50_000)
    body = OutgoingMessage.objects.get().body
    assert (len(body), body[-6:]) == (BODY_LENGTH, " [...]")


# Persons


def of_person(**fields: Any) -> NotificationRule:
    rule: NotificationRule = NotificationRuleFactory.create(channel=None, user=UserFactory.create(**fields))
    return rule


def test_a_person_is_mailed_what_they_chose() -> None:
    of_person(username="vera", permissions=["read:observations"])
    assert told(BUFFER) != []
    message = OutgoingMessage.objects.get()
    assert message.address == "vera@example.org"
    assert "/accounts/me/notifications/" in message.body


@pytest.mark.parametrize(
    "person",
    [
        {"permissions": ["read:observations"], "sees_all": False},
        {"permissions": ["read:observations"], "email": ""},
        {"permissions": ["read:observations"], "is_active": False},
        {},
    ],
)
def test_who_may_not_see_the_first_page_is_told_nothing(person: dict[str, Any]) -> None:
    of_person(**person)
    assert told(BUFFER) == []


def test_every_kind_that_has_a_severity_is_a_kind_of_the_first_page() -> None:
    kinds = {condition(look()).title for condition in CONDITIONS}
    assert set(SEVERITIES) <= kinds
