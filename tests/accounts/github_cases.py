"""Log-in by GitHub, against a GitHub on loopback. Run by test_github.py, with settings and a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.contrib import admin
from django.test import Client

from accounts.models import Role, SystemLog, User
from tests.accounts.fake_github import FakeGitHub, fake_github
from tests.factories.accounts import PASSWORD, ApiTokenFactory, UserFactory

pytestmark = pytest.mark.django_db

assert settings.GITHUB is not None
ADDRESS = settings.GITHUB.url
LOG_IN = "/accounts/login/"
START = "/accounts/github/login/"
CALLBACK = "/accounts/github/login/callback/"


@pytest.fixture(scope="session")
def server() -> Iterator[FakeGitHub]:
    with fake_github(urlsplit(ADDRESS).port or 0) as running:
        yield running


@pytest.fixture
def github(server: FakeGitHub) -> FakeGitHub:
    server.reset()
    return server


def go(client: Client, **changed: str) -> Any:
    """Press the button, say yes at GitHub, and come back; ``changed`` is what comes back otherwise."""
    there = client.post(START)
    assert there.status_code == 302
    target = urlsplit(there["Location"])
    assert f"{target.scheme}://{target.netloc}" == ADDRESS
    asked = {name: values[0] for name, values in parse_qs(target.query).items()}
    assert asked["scope"] == "read:org"
    assert asked["client_id"] == "the-client"
    assert asked["code_challenge"]
    back = {"code": "the-code", "state": asked["state"], **changed}
    return client.get(CALLBACK, {k: v for k, v in back.items() if v}, follow=True)


def logged_in_as(client: Client) -> str:
    key = client.session.get("_auth_user_id")
    return User.objects.get(pk=key).username if key else ""


def roles_of(username: str) -> set[str]:
    return set(User.objects.get(username=username).roles.values_list("name", flat=True))


class TestMember:
    def test_somebody_new_becomes_a_viewer(self, github: FakeGitHub) -> None:
        client = Client()
        answer = go(client)
        assert answer.status_code == 200
        assert logged_in_as(client) == "octavia"
        user = User.objects.get(username="octavia")
        assert (user.full_name, user.is_staff, user.has_usable_password()) == ("Octavia E.", False, False)
        assert roles_of("octavia") == {"viewer"}
        assert SystemLog.objects.filter(component="log-in", object_id=str(user.pk)).exists()

    def test_the_second_time_it_is_the_same_account(self, github: FakeGitHub) -> None:
        go(Client())
        github.person["login"] = "renamed"
        client = Client()
        go(client)
        assert logged_in_as(client) == "octavia"
        assert User.objects.count() == 1

    def test_an_account_with_the_same_name_and_address_is_not_taken_over(self, github: FakeGitHub) -> None:
        victim = UserFactory.create(username="octavia", email="octavia@example.org", is_superuser=True)
        client = Client()
        go(client)
        assert logged_in_as(client) not in {"", "octavia"}
        victim.refresh_from_db()
        assert victim.is_superuser
        newcomer = User.objects.get(username=logged_in_as(client))
        assert not newcomer.is_superuser
        assert roles_of(newcomer.username) == {"viewer"}

    def test_an_account_that_is_switched_off_stays_out(self, github: FakeGitHub) -> None:
        go(Client())
        User.objects.update(is_active=False)
        client = Client()
        assert "switched off" in go(client).content.decode()
        assert logged_in_as(client) == ""


class TestTeams:
    def test_teams_give_roles_and_take_them_away_again(self, github: FakeGitHub) -> None:
        github.teams = ["elsewhere/admins", "ccatobs/operators", "ccatobs/unknown"]
        go(Client())
        assert roles_of("octavia") == {"observer"}
        github.teams = ["CCATobs/Admins"]
        go(Client())
        assert roles_of("octavia") == {"admin"}
        github.teams = []
        go(Client())
        assert roles_of("octavia") == {"viewer"}

    def test_a_team_on_a_later_page_counts(self, github: FakeGitHub) -> None:
        github.teams = [*(f"elsewhere/team{n}" for n in range(130)), "ccatobs/operators"]
        go(Client())
        assert roles_of("octavia") == {"observer"}

    def test_roles_that_an_operator_gave_stay(self, github: FakeGitHub) -> None:
        go(Client())
        User.objects.get().roles.add(Role.objects.get(name="service"))
        github.teams = ["ccatobs/operators"]
        go(Client())
        assert roles_of("octavia") == {"viewer", "service", "observer"}


class TestStrangers:
    @pytest.mark.parametrize("state", [None, "pending"])
    def test_who_is_no_member_is_told_so_and_gets_no_account(self, github: FakeGitHub, state: str | None) -> None:
        github.state = state
        client = Client()
        assert "octavia is no member of ccatobs" in go(client).content.decode()
        assert logged_in_as(client) == ""
        assert not User.objects.exists()

    def test_who_left_has_no_rights_any_more_not_even_by_token(self, github: FakeGitHub) -> None:
        github.teams = ["ccatobs/operators"]
        go(Client())
        user = User.objects.get()
        User.objects.update(is_staff=True, is_superuser=True)
        token = ApiTokenFactory.create(user=user)
        with_token = Client(headers={"authorization": f"Bearer {token.secret}"})  # type: ignore[attr-defined]
        assert with_token.get("/api/instruments/").status_code == 200

        github.state = None
        client = Client()
        go(client)

        user.refresh_from_db()
        assert (logged_in_as(client), user.is_staff, user.is_superuser) == ("", False, False)
        assert roles_of("octavia") == set()
        assert with_token.get("/api/instruments/").status_code == 403

    def test_who_comes_back_begins_anew(self, github: FakeGitHub) -> None:
        go(Client())
        github.state = None
        go(Client())
        github.state = "active"
        client = Client()
        go(client)
        assert logged_in_as(client) == "octavia"
        assert roles_of("octavia") == {"viewer"}


class TestOutOfOrder:
    @pytest.mark.parametrize(
        ("part", "status"),
        [("memberships", 500), ("memberships", 403), ("teams", 502), ("/api/v3/user", 503), ("access_token", 500)],
    )
    def test_without_an_answer_nobody_comes_in_and_passwords_work(
        self, github: FakeGitHub, part: str, status: int
    ) -> None:
        UserFactory.create(username="local")
        github.status = {part: status}
        client = Client()
        page = go(client).content.decode()
        assert "You can log in with a password." in page
        assert logged_in_as(client) == ""
        client.post(LOG_IN, {"username": "local", "password": PASSWORD})
        assert logged_in_as(client) == "local"

    def test_a_forged_or_old_state_is_refused(self, github: FakeGitHub) -> None:
        client = Client()
        assert "did not succeed" in go(client, state="forged").content.decode()
        assert logged_in_as(client) == ""
        assert (
            "did not succeed"
            in Client().get(CALLBACK, {"code": "the-code", "state": "x"}, follow=True).content.decode()
        )
        assert github.asked == []

    def test_who_says_no_at_github_is_back_at_the_page(self, github: FakeGitHub) -> None:
        client = Client()
        page = go(client, code="", error="access_denied")
        assert "did not succeed" in page.content.decode()
        assert logged_in_as(client) == ""

    def test_a_wrong_code_is_refused(self, github: FakeGitHub) -> None:
        client = Client()
        assert "did not succeed" in go(client, code="another").content.decode()
        assert logged_in_as(client) == ""


class TestSurface:
    def test_a_link_starts_nothing_and_the_page_has_the_button(self, github: FakeGitHub) -> None:
        client = Client()
        assert client.get(START).status_code == 405
        page = client.get(LOG_IN)
        assert "Log in with GitHub" in page.content.decode()
        assert ADDRESS in page["Content-Security-Policy"]

    def test_the_session_has_a_new_key(self, github: FakeGitHub) -> None:
        client = Client()
        client.get(LOG_IN)
        client.post(START)
        before = client.session.session_key
        go(client)
        assert client.session.session_key != before

    def test_the_librarys_other_pages_and_tables_are_closed(self, github: FakeGitHub) -> None:
        for path in ("signup/", "email/", "password/reset/", "3rdparty/", "social/signup/"):
            assert Client().get(f"/accounts/{path}").status_code == 404
        theirs = {"account", "socialaccount"}
        assert not [m for m in admin.site._registry if m._meta.app_label in theirs]

    def test_no_token_of_github_is_kept(self, github: FakeGitHub) -> None:
        from allauth.socialaccount.models import SocialToken

        go(Client())
        assert not SocialToken.objects.exists()
