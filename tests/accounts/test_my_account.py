"""*My account*: own tokens within own rights, own sessions, and what is refused with whom to ask."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts import my_account, sessions
from accounts.auth import uses
from accounts.models import ApiToken, SystemLog, User, UserSession
from tests.factories.accounts import PASSWORD, ApiTokenFactory, RoleFactory, UserFactory, UserSessionFactory
from tests.factories.observatory import InstrumentFactory
from tests.portal.conftest import person

pytestmark = pytest.mark.django_db

PAGE = "/accounts/me/"
TOKENS = "/accounts/me/tokens/"
END = "/accounts/me/sessions/end/"


@pytest.fixture
def viewer() -> User:
    return person("viewer", staff=False)


@pytest.fixture
def client(viewer: User) -> Client:
    return log_in(viewer)


def log_in(user: User, address: str = "198.51.100.1", program: str = "Firefox") -> Client:
    client = Client(REMOTE_ADDR=address, headers={"user-agent": program})
    client.post("/accounts/login/", {"username": user.username, "password": PASSWORD})
    return client


def body(**changed: Any) -> dict[str, Any]:
    given = {"name": "notebook", "scopes": ["read:observations"], "days": "30", "password": PASSWORD}
    return {**given, **changed}


def page(client: Client) -> str:
    return client.get(PAGE).content.decode()


def ask(secret: str, address: str = "203.0.113.4") -> int:
    client = Client(REMOTE_ADDR=address, headers={"authorization": f"Bearer {secret}"})
    return client.get("/api/instruments/").status_code


class TestTokens:
    def test_a_token_is_made_shown_once_and_good(self, client: Client, viewer: User) -> None:
        made = client.post(TOKENS, body()).content.decode()
        (secret,) = re.findall(r"<code>(ccatdc_[\w-]{30,})</code>", made)
        assert ask(secret) == 200
        token = viewer.api_tokens.get()
        assert token.scopes == ["read:observations"]
        assert token.expires_at is not None
        assert timedelta(days=29) < token.expires_at - timezone.now() < timedelta(days=31)
        assert secret not in page(client)
        assert "from 203.0.113.4, about 1 requests" in page(client)
        assert SystemLog.objects.get(component="tokens").user == viewer

    def test_it_is_bound_to_an_instrument(self, client: Client, viewer: User) -> None:
        instrument = InstrumentFactory.create()
        client.post(TOKENS, body(instrument=str(instrument.pk)))
        assert viewer.api_tokens.get().instrument == instrument

    @pytest.mark.parametrize(
        "wrong",
        [
            {"scopes": ["manage:users"]},
            {"scopes": ["read:observations", "write:observations"]},
            {"scopes": []},
            {"name": ""},
            {"name": "x" * 129},
            {"name": "two\nlines"},
            {"days": "0"},
            {"days": "367"},
            {"password": "wrong"},
            {"instrument": "999999"},
        ],
        ids=str,
    )
    def test_what_is_wrong_makes_none(self, client: Client, wrong: dict[str, Any]) -> None:
        answer = client.post(TOKENS, body(**wrong))
        assert answer.status_code == 400
        assert not ApiToken.objects.exists()

    def test_a_name_is_used_once(self, client: Client, viewer: User) -> None:
        ApiTokenFactory.create(user=viewer, name="notebook")
        assert "You have a token of this name" in client.post(TOKENS, body()).content.decode()

    def test_there_is_an_end_to_their_number(
        self, client: Client, viewer: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(my_account, "MOST_TOKENS", 1)
        old = ApiTokenFactory.create(user=viewer)
        assert client.post(TOKENS, body()).status_code == 400
        client.post(f"{TOKENS}{old.pk}/revoke/")
        assert client.post(TOKENS, body()).status_code == 200

    def test_guessing_the_password_here_is_counted_like_log_ins(self, client: Client, settings: Any) -> None:
        settings.AXES_FAILURE_LIMIT = 3
        for _ in range(3):
            client.post(TOKENS, body(password="wrong"))
        answer = client.post(TOKENS, body())
        assert answer.status_code in (400, 429)
        assert not ApiToken.objects.exists()

    def test_who_has_no_password_needs_none(self, viewer: User, client: Client) -> None:
        viewer.set_unusable_password()
        viewer.save()
        client.force_login(viewer)
        assert client.post(TOKENS, body(password="")).status_code == 200
        assert viewer.api_tokens.exists()

    def test_own_ones_are_revoked(self, client: Client, viewer: User) -> None:
        token: Any = ApiTokenFactory.create(user=viewer, scopes=["read:observations"])
        assert ask(token.secret) == 200
        client.post(f"{TOKENS}{token.pk}/revoke/")
        assert ask(token.secret) == 401
        client.post(f"{TOKENS}{token.pk}/revoke/")
        assert SystemLog.objects.filter(component="tokens").count() == 1

    def test_those_of_others_are_not_there(self, client: Client) -> None:
        foreign: Any = ApiTokenFactory.create(name="foreign one")
        assert "foreign one" not in page(client)
        assert client.post(f"{TOKENS}{foreign.pk}/revoke/").status_code == 404
        assert ask(foreign.secret) == 200

    def test_a_gateway_makes_none(self, client: Client, settings: Any) -> None:
        settings.SITE_ROLE = "gateway"
        client.post(TOKENS, body())
        assert not ApiToken.objects.exists()
        assert "Make a token" not in page(client)


class TestSessions:
    def test_each_is_shown_with_its_last_use(self, client: Client, viewer: User) -> None:
        log_in(viewer, address="203.0.113.9", program="a telephone")
        shown = page(client)
        assert "203.0.113.9" in shown
        assert "a telephone" in shown
        assert shown.count("this one") == 1

    def test_requests_are_counted_and_written_now_and_then(
        self, client: Client, viewer: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(3):
            client.get("/")
        monkeypatch.setattr(uses, "RESOLUTION_SECONDS", 0.0)
        client.get("/")
        (known,) = sessions.sessions_of(viewer, client.session.session_key)
        assert known.use is not None
        # The log-in, three within its minute, and the last.
        assert known.use.count == 5
        assert known.is_this

    def test_one_elsewhere_is_ended(self, client: Client, viewer: User) -> None:
        elsewhere = log_in(viewer)
        (name,) = re.findall(r'name="session" value="(\w+)"', page(client))
        client.post(END, {"session": name})
        assert elsewhere.get("/accounts/me/").status_code == 302
        assert client.get("/accounts/me/").status_code == 200

    def test_all_others_are_ended(self, client: Client, viewer: User) -> None:
        others = [log_in(viewer), log_in(viewer)]
        client.post(END)
        assert [other.get("/accounts/me/").status_code for other in others] == [302, 302]
        assert client.get("/accounts/me/").status_code == 200

    def test_nobody_ends_those_of_others(self, client: Client) -> None:
        foreign = UserSessionFactory.create()
        client.post(END)
        client.post(END, {"session": sessions._name(foreign)})
        assert UserSession.objects.filter(pk=foreign.pk).exists()

    def test_their_keys_are_on_no_page(self, client: Client, viewer: User) -> None:
        log_in(viewer)
        assert not any(row.session_key in page(client) for row in UserSession.objects.of(viewer))

    def test_one_that_has_ended_is_not_shown(self, client: Client, viewer: User) -> None:
        UserSessionFactory.create(user=viewer, expire_date=timezone.now() - timedelta(seconds=1))
        assert len(sessions.sessions_of(viewer, None)) == 1

    def test_the_cookie_of_a_browser_is_the_row(self, client: Client, viewer: User) -> None:
        assert UserSession.objects.get(user=viewer).pk == client.cookies[settings.SESSION_COOKIE_NAME].value


class TestRefusals:
    def test_a_page_says_which_roles_may_and_whom_to_ask(self) -> None:
        boss = person("admin")
        boss.full_name = "Paul Atreides"
        boss.save()
        nobody = log_in(UserFactory.create())
        refused = nobody.get("/staging/")
        assert refused.status_code == 403
        text = refused.content.decode()
        assert "read:observations" in text
        assert "viewer" in text
        assert "Paul Atreides" in text

    def test_the_portal_says_whom_to_ask(self, client: Client) -> None:
        UserFactory.create(username="leto", permissions=["manage:users"])
        assert "leto" in client.get("/portal/", follow=True).content.decode()

    def test_own_rights_are_listed_with_who_has_the_others(self, client: Client) -> None:
        RoleFactory.create(name="archivists", permissions=["write:transfers"])
        shown = page(client)
        assert re.search(r"no; roles with it: [\w, ]*archivists", shown)
        assert "yes" in shown

    def test_who_is_not_logged_in_is_asked_to(self) -> None:
        assert Client().get(PAGE).status_code == 302
        assert Client().post(TOKENS, body()).status_code == 302
