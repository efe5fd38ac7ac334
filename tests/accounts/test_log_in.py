"""Guessing passwords and tokens is slow, and a stranger keeps nobody out."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.addresses import UNKNOWN, client_address
from accounts.models import SystemLog, User
from tests.factories.accounts import PASSWORD, ApiTokenFactory, FailedLogInFactory, UserFactory
from tests.portal.conftest import logged_in, person

pytestmark = pytest.mark.django_db

PAGE = "/accounts/login/"


@pytest.fixture(autouse=True)
def few(settings: Any) -> None:
    cache.clear()
    settings.AXES_FAILURE_LIMIT = 3
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "log_in": "9/900", "token": "3/900"}


@pytest.fixture
def octavia() -> User:
    return UserFactory.create(username="octavia")


def browser(address: str = "198.51.100.1") -> Client:
    return Client(REMOTE_ADDR=address)


def attempt(client: Client, username: str, password: str) -> Any:
    return client.post(PAGE, {"username": username, "password": password})


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def fail(client: Client, username: str, times: int) -> Any:
    for _ in range(times):
        answer = attempt(client, username, "wrong")
    return answer


class TestAccount:
    def test_after_too_many_failures_not_even_the_right_password_is_looked_at(self, octavia: User) -> None:
        client = browser()
        assert fail(client, "octavia", 2).status_code == 200
        assert fail(client, "octavia", 1).status_code == 429
        answer = attempt(client, "Octavia", PASSWORD)
        assert answer.status_code == 429
        assert answer["Retry-After"] == "900"
        assert "Try again in 15 minutes" in answer.content.decode()
        assert not is_in(client)

    def test_a_stranger_elsewhere_keeps_nobody_out(self, octavia: User) -> None:
        fail(browser("203.0.113.5"), "octavia", 9)
        own = browser()
        attempt(own, "octavia", PASSWORD)
        assert is_in(own)

    def test_another_browser_at_the_address_is_no_way_around(self, octavia: User) -> None:
        fail(browser(), "octavia", 3)
        other = Client(REMOTE_ADDR="198.51.100.1", headers={"user-agent": "another"})
        assert attempt(other, "octavia", PASSWORD).status_code == 429

    def test_time_lets_them_in_again_however_often_it_was_tried_meanwhile(self, octavia: User) -> None:
        fail(browser(), "octavia", 6)
        assert AccessAttempt.objects.get().failures_since_start == 3
        AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(seconds=901))
        client = browser()
        attempt(client, "octavia", PASSWORD)
        assert is_in(client)

    def test_success_forgets_the_typing_errors_before_it(self, octavia: User) -> None:
        for _ in range(2):
            client = browser()
            fail(client, "octavia", 2)
            attempt(client, "octavia", PASSWORD)
            assert is_in(client)
        assert not AccessAttempt.objects.exists()

    def test_wrong_old_passwords_count_too(self, octavia: User) -> None:
        client = browser()
        attempt(client, "octavia", PASSWORD)
        new = "a-better-one-by-far"
        body = {"old_password": "wrong", "new_password1": new, "new_password2": new}
        answers = [client.post("/accounts/password_change/", body).status_code for _ in range(3)]
        assert answers == [200, 200, 429]
        right = client.post("/accounts/password_change/", {**body, "old_password": PASSWORD})
        assert right.status_code == 429
        octavia.refresh_from_db()
        assert octavia.check_password(PASSWORD)


class TestAddress:
    def test_one_address_may_not_try_account_after_account(self, octavia: User) -> None:
        for number in range(9):
            fail(browser(), f"user{number}", 1)
        assert attempt(browser(), "octavia", PASSWORD).status_code == 429
        other = browser("203.0.113.9")
        attempt(other, "octavia", PASSWORD)
        assert is_in(other)

    def test_each_process_gives_out_its_part(self, settings: Any, octavia: User) -> None:
        settings.WEB_WORKERS = 3
        for number in range(3):
            assert fail(browser(), f"user{number}", 1).status_code == 200
        assert fail(browser(), "octavia", 1).status_code == 429

    @pytest.mark.parametrize(
        ("proxies", "forwarded", "expected"),
        [
            (0, "203.0.113.1", "198.51.100.1"),
            (1, "203.0.113.1", "203.0.113.1"),
            (1, "1.2.3.4, 203.0.113.1", "203.0.113.1"),
            (2, "1.2.3.4, 203.0.113.1, 10.0.0.1", "203.0.113.1"),
            (2, "203.0.113.1", "203.0.113.1"),
            (1, "", "198.51.100.1"),
            (1, "rubbish", UNKNOWN),
            (1, "::ffff:203.0.113.1", "203.0.113.1"),
        ],
    )
    def test_only_our_own_proxies_are_believed(
        self, settings: Any, proxies: int, forwarded: str, expected: str
    ) -> None:
        settings.PROXIES = proxies
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        request = RequestFactory().get("/", REMOTE_ADDR="198.51.100.1", headers=headers)
        assert client_address(request) == expected


class TestSameForAll:
    def answers(self, username: str) -> list[tuple[int, str]]:
        client = browser()
        found = []
        for _ in range(5):
            answer = attempt(client, username, "wrong")
            text = answer.content.decode().split("<h1>")[1].replace(username, "…")
            found.append((answer.status_code, text))
        AccessAttempt.objects.all().delete()
        cache.clear()
        return found

    def test_a_name_that_does_not_exist_is_answered_like_one_that_does(self, octavia: User) -> None:
        UserFactory.create(username="dormant", is_active=False)
        nobody = User.objects.create_user("nobody")  # without a password, as from GitHub
        known = self.answers("octavia")
        assert [status for status, _ in known] == [200, 200, 429, 429, 429]
        for username in ("ghost", "dormant", nobody.username):
            assert self.answers(username) == known

    def test_and_costs_the_same_work(self, octavia: User, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
        octavia.set_password(PASSWORD)
        octavia.save()
        User.objects.create_user("nobody")
        UserFactory.create(username="dormant", is_active=False, password=octavia.password)
        User.objects.filter(username="dormant").update(password=octavia.password)
        encode, rounds = PBKDF2PasswordHasher.encode, []

        def counted(self: Any, password: str, salt: str, iterations: int | None = None) -> str:
            rounds.append(iterations or self.iterations)
            return str(encode(self, password, salt, iterations))

        monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counted)
        work = {}
        for username in ("octavia", "ghost", "nobody", "dormant"):
            rounds.clear()
            attempt(browser(), username, "wrong")
            work[username] = list(rounds)
        assert len(work["octavia"]) == 1
        assert all(done == work["octavia"] for done in work.values()), work


class TestTrace:
    def test_the_audit_log_says_it_once_and_names_accounts_that_exist(self, octavia: User) -> None:
        fail(browser(), "octavia", 6)
        fail(browser("203.0.113.4"), "hunter2-typed-as-a-name", 6)
        lines = list(SystemLog.objects.filter(component="log-in").order_by("pk"))
        assert len(lines) == 2
        assert "the account octavia" in lines[0].message
        assert "198.51.100.1" in lines[0].message
        assert all("hunter2" not in f"{line.message} {line.context}" for line in lines)
        kept = list(AccessAttempt.objects.values())
        assert len(kept) == 2
        assert "hunter2" not in str(kept)
        assert "password=wrong" not in str(kept)


class TestLettingIn:
    def test_an_operator_lets_an_account_in(self, octavia: User) -> None:
        fail(browser(), "octavia", 3)
        FailedLogInFactory.create(ip_address="203.0.113.2")
        logged_in(person("admin")).post(
            reverse("admin:accounts_user_changelist"),
            {"action": "let_in_selected", "_selected_action": [str(octavia.pk)]},
        )
        client = browser()
        attempt(client, "octavia", PASSWORD)
        assert is_in(client)
        assert AccessAttempt.objects.count() == 1
        assert SystemLog.objects.filter(message__contains="Forgot the failed log-ins").exists()

    def test_an_operator_lets_an_address_in(self, octavia: User) -> None:
        fail(browser(), "octavia", 3)
        row = AccessAttempt.objects.get()
        page = reverse("admin:accounts_failedlogin_changelist")
        body = {"action": "forget_selected", "_selected_action": [str(row.pk)], "confirmed": "1"}
        operator = logged_in(person("admin"))
        assert "198.51.100.1" in operator.get(page).content.decode()
        operator.post(page, body)
        assert not AccessAttempt.objects.exists()
        assert logged_in(person("observer")).get(page).status_code == 403

    @pytest.mark.parametrize("whom", ["--user=Octavia", "--address=198.51.100.1"])
    def test_a_command_does_it_too(self, octavia: User, whom: str) -> None:
        fail(browser(), "octavia", 3)
        out = StringIO()
        call_command("let_in", whom, stdout=out)
        assert "Forgot 1 failed attempts" in out.getvalue()
        assert not AccessAttempt.objects.exists()

    def test_the_command_wants_one_of_both(self) -> None:
        with pytest.raises(CommandError, match="either"):
            call_command("let_in")


class TestTokens:
    def test_too_many_bad_tokens_from_one_address_are_429(self) -> None:
        bad = Client(headers={"authorization": "Bearer ccatdc_guess"})
        for _ in range(3):
            assert bad.get("/api/instruments/").status_code == 401
        answer = bad.get("/api/instruments/")
        assert answer.status_code == 429
        body = answer.json()
        assert (body["code"], body["retryable"]) == ("token.too_many_failures", True)
        assert 1 <= int(answer["Retry-After"]) <= 900

    def test_a_valid_token_from_the_same_address_is_served(self) -> None:
        for _ in range(5):
            Client(headers={"authorization": "Bearer ccatdc_guess"}).get("/api/instruments/")
        secret = ApiTokenFactory.create().secret  # type: ignore[attr-defined]
        good = Client(headers={"authorization": f"Bearer {secret}"})
        assert good.get("/api/instruments/").status_code == 200

    def test_bad_tokens_do_not_lock_the_log_in_page(self, octavia: User) -> None:
        for _ in range(5):
            browser().get("/api/instruments/", headers={"authorization": "Bearer ccatdc_guess"})
        client = browser()
        attempt(client, "octavia", PASSWORD)
        assert is_in(client)


class TestSession:
    def test_logging_in_makes_a_new_session_key_and_log_out_ends_it(self, octavia: User) -> None:
        client = browser()
        client.get(PAGE)
        session = client.session
        session["before"] = True
        session.save()
        client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
        attempt(client, "octavia", PASSWORD)
        assert client.session.session_key != session.session_key
        key = client.session.session_key
        client.post("/accounts/logout/")
        client.cookies[settings.SESSION_COOKIE_NAME] = str(key)
        assert not is_in(client)

    def test_a_new_password_ends_the_sessions_elsewhere_and_not_this_one(self, octavia: User) -> None:
        here, elsewhere = browser(), browser()
        for client in (here, elsewhere):
            attempt(client, "octavia", PASSWORD)
            assert client.get("/accounts/me/").status_code == 200
        new = "a-better-one-by-far"
        body = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
        here.post("/accounts/password_change/", body)
        assert here.get("/accounts/me/").status_code == 200
        assert elsewhere.get("/accounts/me/").status_code == 302
