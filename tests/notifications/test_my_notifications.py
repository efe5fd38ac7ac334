"""What a person chose to be told, on their own page."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from ccatdc.portal.attention.conditions import look
from ccatdc.portal.attention.notifications import notifications
from notifications.models import NotificationRule, Severity
from tests.factories.accounts import UserFactory
from tests.portal.conftest import logged_in

pytestmark = pytest.mark.django_db
PAGE = "/accounts/me/notifications/"


def test_the_page_keeps_what_is_chosen_as_the_persons_rule() -> None:
    user = UserFactory.create(permissions=["read:observations"])
    client = logged_in(user)
    assert PAGE in client.get(reverse("my_account")).content.decode()
    assert user.email in client.get(PAGE).content.decode()
    for severity, digest, active in (("3", "60", True), ("", "0", False), ("1", "0", True)):
        assert client.post(PAGE, {"least_severity": severity, "digest_minutes": digest}).status_code == 302
        rule = NotificationRule.objects.get(user=user)
        assert (rule.active, rule.digest_minutes) == (active, int(digest))
    assert rule.least_severity == Severity.INFORMATION
    missed = [line.why for line in notifications(look()).lines]
    assert missed == ["It never ran: nobody is told of anything. Start: manage.py run_notifications"]
    assert 'value="1" selected' in client.get(PAGE).content.decode()


@pytest.mark.parametrize("wrong", [{"least_severity": "9", "digest_minutes": "0"}, {"digest_minutes": "7"}, {}])
def test_what_is_no_choice_is_refused(wrong: dict[str, str]) -> None:
    client = logged_in(UserFactory.create(permissions=["read:observations"]))
    assert client.post(PAGE, wrong).status_code == 400
    assert not NotificationRule.objects.exists()


def test_who_sees_some_programs_only_is_told_so() -> None:
    client = logged_in(UserFactory.create(permissions=["read:observations"], sees_all=False))
    assert '<form method="post" class="panel' not in client.get(PAGE).content.decode()


def test_nobody_comes_in_without_a_log_in() -> None:
    assert Client().get(PAGE).status_code == 302
