"""A new password by mail."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts import pages
from accounts.models import SystemLog, User
from tests.factories.accounts import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

PAGE = "/accounts/password_reset/"
NEW = "a-better-one-by-far"


@pytest.fixture(autouse=True)
def portal(settings: Any) -> None:
    cache.clear()
    settings.PORTAL_URL = "https://data.example.org"


@pytest.fixture
def octavia() -> User:
    return UserFactory.create(username="octavia", email="octavia@example.org")


def ask(address: str, client: Client | None = None) -> Any:
    answer = (client or Client()).post(PAGE, {"email": address})
    pages._sender.submit(lambda: None).result(timeout=10)
    return answer


def link() -> str:
    (sent,) = mail.outbox
    (found,) = re.findall(r"https://data\.example\.org(/accounts/reset/\S+)", str(sent.body))
    return str(found)


def test_the_link_of_the_mail_sets_a_new_password_once(octavia: User) -> None:
    old = Client()
    old.post("/accounts/login/", {"username": "octavia", "password": PASSWORD})
    assert ask("octavia@example.org").status_code == 302
    assert mail.outbox[0].to == ["octavia@example.org"]
    client = Client()
    form = client.get(link(), follow=True)
    set_it = form.redirect_chain[-1][0]
    client.post(set_it, {"new_password1": NEW, "new_password2": NEW})
    octavia.refresh_from_db()
    assert octavia.check_password(NEW)
    assert old.get("/accounts/me/").status_code == 302
    assert SystemLog.objects.get(component="log-in").user == octavia
    assert "used or too old" in Client().get(link(), follow=True).content.decode()


def test_it_is_not_told_whether_an_address_is_known(octavia: User) -> None:
    known, unknown = ask(octavia.email), ask("nobody@example.org")
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("switched_off", [True, False])
def test_who_is_off_or_has_no_password_gets_no_mail(octavia: User, switched_off: bool) -> None:
    if switched_off:
        octavia.is_active = False
    else:
        octavia.set_unusable_password()
    octavia.save()
    ask(octavia.email)
    assert mail.outbox == []


def test_nobody_fills_a_mailbox(octavia: User, settings: Any) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "log_in": "2/900"}
    client = Client(REMOTE_ADDR="203.0.113.5")
    assert [ask(octavia.email, client).status_code for _ in range(3)] == [302, 302, 429]
    assert len(mail.outbox) == 2


def test_without_a_mail_server_there_is_no_link(settings: Any) -> None:
    assert "Forgot your password?" in Client().get("/accounts/login/").content.decode()
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert "Forgot your password?" not in Client().get("/accounts/login/").content.decode()
    assert Client().get(PAGE).status_code == 404


def test_a_mail_server_that_refuses_breaks_no_page(octavia: User, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    assert ask(octavia.email).status_code == 302
