"""Guessing passwords and tokens is slow, and a stranger keeps nobody out."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts import log_in
from accounts.addresses import UNKNOWN, client_address
from accounts.attempts import FailedAttempt, account_key
from accounts.log_in import COOKIE, TooManyFailuresError
from accounts.models import SystemLog, User
from tests.factories.accounts import PASSWORD, ApiTokenFactory, UserFactory
from tests.portal.conftest import logged_in, person

pytestmark = pytest.mark.django_db

PAGE = "/accounts/login/"


@pytest.fixture(autouse=True)
def few(settings: Any) -> None:
    settings.LIMITS = replace(
        settings.LIMITS,
        failures_per_account=3,
        failures_per_address=5,
        bad_tokens_per_address=3,
    )


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
    def test_after_too_many_failures_not_even_the_right_password_is_looked_at(
        self, octavia: User
    ) -> None:
        client = browser()
        assert fail(client, "octavia", 3).status_code == 200
        answer = attempt(client, "octavia", PASSWORD)
        assert answer.status_code == 429
        assert 890 <= int(answer["Retry-After"]) <= 900
        assert "Try again in 15 minutes" in answer.content.decode()
        assert not is_in(client)

    def test_from_many_addresses_it_is_as_slow(self, octavia: User) -> None:
        for number in range(3):
            fail(browser(f"198.51.100.{number}"), "octavia", 1)
        assert attempt(browser("198.51.100.9"), "Octavia", PASSWORD).status_code == 429

    def test_time_lets_them_in_again_however_often_it_was_tried_meanwhile(
        self, octavia: User
    ) -> None:
        fail(browser(), "octavia", 12)
        assert FailedAttempt.objects.count() == 3
        FailedAttempt.objects.update(at=timezone.now() - timedelta(seconds=901))
        client = browser()
        attempt(client, "octavia", PASSWORD)
        assert is_in(client)

    def test_a_stranger_does_not_keep_out_who_logged_in_with_this_browser_before(
        self, octavia: User
    ) -> None:
        own = browser()
        attempt(own, "octavia", PASSWORD)
        own.post("/accounts/logout/")
        fail(browser("203.0.113.5"), "octavia", 9)
        assert attempt(browser("203.0.113.6"), "octavia", PASSWORD).status_code == 429
        fail(own, "octavia", 2)
        attempt(own, "octavia", PASSWORD)
        assert is_in(own)

    def test_a_known_browser_may_not_guess_without_end_either(self, octavia: User) -> None:
        own = browser()
        attempt(own, "octavia", PASSWORD)
        own.post("/accounts/logout/")
        fail(own, "octavia", 3)
        assert attempt(own, "octavia", PASSWORD).status_code == 429

    @pytest.mark.parametrize("cookie", ["nonsense", "eyJ1c2VyIjoxfQ:x:y", ""])
    def test_a_forged_cookie_is_no_known_browser(self, octavia: User, cookie: str) -> None:
        fail(browser(), "octavia", 3)
        client = browser("203.0.113.7")
        client.cookies[COOKIE] = cookie
        assert attempt(client, "octavia", PASSWORD).status_code == 429

    def test_ones_cookie_opens_no_other_account(self, octavia: User) -> None:
        UserFactory.create(username="mallory")
        client = browser()
        attempt(client, "mallory", PASSWORD)
        client.post("/accounts/logout/")
        fail(browser("203.0.113.8"), "octavia", 3)
        assert attempt(client, "octavia", PASSWORD).status_code == 429

    def test_success_forgets_the_typing_errors_before_it(self, octavia: User) -> None:
        for _ in range(3):
            client = browser()
            fail(client, "octavia", 2)
            attempt(client, "octavia", PASSWORD)
            assert is_in(client)
        assert not FailedAttempt.objects.exists()


class TestAddress:
    def test_one_address_may_not_try_account_after_account(self, octavia: User) -> None:
        for number in range(5):
            fail(browser(), f"user{number}", 1)
        assert attempt(browser(), "octavia", PASSWORD).status_code == 429
        other = browser("203.0.113.9")
        attempt(other, "octavia", PASSWORD)
        assert is_in(other)

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
        settings.LIMITS = replace(settings.LIMITS, proxies=proxies)
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
        FailedAttempt.objects.all().delete()
        return found

    def test_a_name_that_does_not_exist_is_answered_like_one_that_does(self, octavia: User) -> None:
        UserFactory.create(username="dormant", is_active=False)
        nobody = User.objects.create_user("nobody")  # without a password, as from GitHub
        known = self.answers("octavia")
        assert [status for status, _ in known] == [200, 200, 200, 429, 429]
        for username in ("ghost", "dormant", nobody.username):
            assert self.answers(username) == known

    def test_and_costs_the_same_work(
        self, octavia: User, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
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
    def test_the_diary_says_it_once_and_names_accounts_that_exist(self, octavia: User) -> None:
        fail(browser(), "octavia", 6)
        fail(browser("203.0.113.4"), "hunter2-typed-as-a-name", 6)
        lines = list(SystemLog.objects.filter(component="log-in").order_by("pk"))
        assert len(lines) == 2
        assert "the account octavia" in lines[0].message
        assert "198.51.100.1" in lines[0].message
        assert all("hunter2" not in f"{line.message} {line.context}" for line in lines)
        assert not FailedAttempt.objects.filter(account__contains="hunter2").exists()

    def test_rows_are_gone_after_a_day(self, octavia: User) -> None:
        fail(browser(), "octavia", 2)
        FailedAttempt.objects.update(at=timezone.now() - timedelta(days=1, seconds=1))
        fail(browser(), "octavia", 1)
        assert FailedAttempt.objects.count() == 1


class TestLettingIn:
    def test_an_operator_lets_an_account_in(self, octavia: User) -> None:
        fail(browser(), "octavia", 3)
        FailedAttempt.objects.create(address="203.0.113.2", account=account_key("other"))
        logged_in(person("admin")).post(
            reverse("admin:accounts_user_changelist"),
            {"action": "let_in_selected", "_selected_action": [str(octavia.pk)]},
        )
        client = browser()
        attempt(client, "octavia", PASSWORD)
        assert is_in(client)
        assert FailedAttempt.objects.count() == 1
        assert SystemLog.objects.filter(message__contains="Forgot the failed log-ins").exists()

    def test_an_operator_lets_an_address_in(self, octavia: User) -> None:
        fail(browser(), "octavia", 3)
        row = FailedAttempt.objects.all()[0]
        page = reverse("admin:accounts_failedattempt_changelist")
        body = {"action": "forget_selected", "_selected_action": [str(row.pk)], "confirmed": "1"}
        operator = logged_in(person("admin"))
        assert "198.51.100.1" in operator.get(page).content.decode()
        operator.post(page, body)
        assert not FailedAttempt.objects.exists()
        assert logged_in(person("observer")).get(page).status_code == 403

    @pytest.mark.parametrize("whom", ["--user=Octavia", "--address=198.51.100.1"])
    def test_a_command_does_it_too(self, octavia: User, whom: str) -> None:
        fail(browser(), "octavia", 3)
        out = StringIO()
        call_command("let_in", whom, stdout=out)
        assert "Forgot 3 failed attempts" in out.getvalue()
        assert not FailedAttempt.objects.exists()

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
        assert FailedAttempt.objects.count() == 3

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

    def test_a_new_password_ends_the_sessions_elsewhere_and_not_this_one(
        self, octavia: User
    ) -> None:
        here, elsewhere = browser(), browser()
        for client in (here, elsewhere):
            attempt(client, "octavia", PASSWORD)
            assert client.get("/").status_code == 200
        new = "a-better-one-by-far"
        body = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
        here.post("/accounts/password_change/", body)
        assert here.get("/").status_code == 200
        assert elsewhere.get("/").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_many_at_once_do_not_get_more_tries(octavia: User) -> None:
    start, outcomes = threading.Barrier(8), []

    def one() -> None:
        request = RequestFactory().post(PAGE, REMOTE_ADDR="198.51.100.1")
        start.wait()
        try:
            log_in.begin(request, "octavia")
            outcomes.append("looked at")
        except TooManyFailuresError:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 8
    assert outcomes.count("looked at") <= 3
