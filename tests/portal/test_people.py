"""Pages of people and tokens: nobody gets more than they have, and a secret is shown once."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import ApiToken, Role, SystemLog, User
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.factories.observatory import InstrumentFactory
from tests.portal.conftest import logged_in

ADD_TOKEN = reverse("admin:accounts_apitoken_add")


def token_form(user: User, **more: Any) -> dict[str, Any]:
    return {
        "user": user.pk,
        "name": "primecam",
        "scopes": ["write:observations", "read:observations"],
        "expires_at_0": "",
        "expires_at_1": "",
        **more,
    }


def test_a_new_token_shows_its_secret_once_and_opens_doors(operator: Client) -> None:
    owner = UserFactory.create(permissions=["read:observations", "write:observations"])
    instrument = InstrumentFactory.create()

    shown = operator.post(ADD_TOKEN, token_form(owner, instrument=instrument.pk), follow=True)

    token = ApiToken.objects.get()
    content = shown.content.decode()
    secret = content.split('<code class="secret">')[1].split("</code>")[0]
    assert ApiToken.objects.usable().for_secret(secret).get() == token
    assert (token.user, token.instrument) == (owner, instrument)
    assert set(token.scopes) == {"read:observations", "write:observations"}
    again = operator.get(reverse("admin:accounts_apitoken_changelist")).content.decode()
    assert secret not in again
    assert secret not in str(list(SystemLog.objects.values()))
    assert SystemLog.objects.filter(object_type="accounts.apitoken", user__username="admin").exists()


def test_a_token_that_was_made_keeps_its_owner_and_its_rights(operator: Client) -> None:
    token = ApiTokenFactory.create(scopes=["read:observations"])
    other = UserFactory.create()
    before = token.token_hash

    operator.post(
        reverse("admin:accounts_apitoken_change", args=[token.pk]),
        token_form(other, name="renamed", scopes=["manage:users"]),
    )

    token.refresh_from_db()
    assert token.name == "renamed"
    assert token.user != other
    assert token.scopes == ["read:observations"]
    assert token.token_hash == before


def test_a_scope_that_does_not_exist_is_refused(operator: Client) -> None:
    response = operator.post(ADD_TOKEN, token_form(UserFactory.create(), scopes=["rule:world"]))

    assert response.status_code == 200
    assert not ApiToken.objects.exists()


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("root", "root@example.org", "correct-horse-battery")


def test_who_manages_users_cannot_take_over_a_superuser(operator: Client, superuser: User) -> None:
    page = reverse("admin:accounts_user_change", args=[superuser.pk])
    password = reverse("admin:auth_user_password_change", args=[superuser.pk])
    new = {"password1": "taken-over-now-1", "password2": "taken-over-now-1"}

    assert operator.post(page, {"username": "mine"}).status_code == 403
    assert operator.post(password, new).status_code == 403
    operator.post(ADD_TOKEN, token_form(superuser))

    superuser.refresh_from_db()
    assert superuser.check_password("correct-horse-battery")
    assert not ApiToken.objects.exists()


def test_only_a_superuser_makes_superusers(operator: Client, superuser: User) -> None:
    user = UserFactory.create()
    page = reverse("admin:accounts_user_change", args=[user.pk])
    role = Role.objects.get(name="observer")
    form = {"username": user.username, "is_active": "on", "is_superuser": "on", "roles": [role.pk]}

    operator.post(page, form)
    user.refresh_from_db()
    assert list(user.roles.all()) == [role]
    assert not user.is_superuser

    logged_in(superuser).post(page, form)
    user.refresh_from_db()
    assert user.is_superuser


def test_accounts_are_switched_off_and_never_deleted(operator: Client) -> None:
    user = UserFactory.create()

    operator.post(reverse("admin:accounts_user_delete", args=[user.pk]), {"post": "yes"})

    assert User.objects.filter(pk=user.pk).exists()


def test_a_change_is_in_the_history_of_what_was_changed(operator: Client) -> None:
    instrument = InstrumentFactory.create()
    address = reverse("admin:observatory_instrument_change", args=[instrument.pk])
    form = {
        "telescope": instrument.telescope_id,
        "name": "Prime-Cam, new name",
        "short_name": instrument.short_name,
        "available": "on",
        "instrument_type": instrument.instrument_type,
        "description": "",
        # Its modules stand on the same page.
        "modules-TOTAL_FORMS": "0",
        "modules-INITIAL_FORMS": "0",
    }

    saved = operator.post(address, form)

    assert saved.status_code == 302
    history = reverse("admin:observatory_instrument_history", args=[instrument.pk])
    content = operator.get(history).content.decode()
    assert "Changed instrument Prime-Cam, new name: Name." in content
    assert "admin" in content


@pytest.mark.parametrize("name", ["two\nlines", "a\x1b[31mterminal", "next\u2028line"])
def test_a_text_of_one_line_has_no_control_characters(operator: Client, name: str) -> None:
    answer = operator.post("/portal/accounts/role/add/", {"name": name, "description": "x"})
    assert answer.status_code == 200
    assert "Give one line of text" in answer.content.decode()


@pytest.mark.parametrize("key", ["abc", "[]", "2026-13-45", "9" * 400, "' OR 1=1", "1.5", "%00"])
def test_a_chosen_key_that_is_none_is_no_fault_of_ours(operator: Client, key: str) -> None:
    assert operator.get(f"/portal/planning/obsmode/add/?instrument={key}").status_code in (200, 400)
    assert operator.post("/portal/planning/obsmode/add/", {"instrument": key}).status_code in (200, 400)
    assert operator.get(f"/portal/accounts/role/add/?permissions={key},1").status_code in (200, 400)
