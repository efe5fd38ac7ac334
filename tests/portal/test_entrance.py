"""Who comes in, and who is told why not."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories.accounts import PASSWORD, UserFactory
from tests.portal.conftest import logged_in, person

pytestmark = pytest.mark.django_db


def test_a_stranger_is_asked_to_log_in_and_arrives_where_he_wanted() -> None:
    user = person("admin")
    client = Client()

    asked = client.get("/portal/", follow=True)
    assert asked.redirect_chain[-1][0].startswith("/accounts/login/?next=/portal/")
    arrived = client.post(asked.redirect_chain[-1][0], {"username": user.username, "password": PASSWORD})

    assert arrived.headers["Location"] == "/portal/"


def test_a_wrong_password_stays_outside() -> None:
    person("admin")

    response = Client().post("/accounts/login/", {"username": "admin", "password": "no"})

    assert response.status_code == 200
    assert "correct username and password" in response.content.decode()


def test_who_is_not_staff_is_told_so_instead_of_asked_again() -> None:
    client = logged_in(person("viewer", staff=False))

    response = client.get("/portal/", follow=True)

    assert response.status_code == 403
    assert "The portal is for operators" in response.content.decode()


def test_staff_without_a_role_may_enter_and_sees_nothing() -> None:
    client = logged_in(UserFactory.create(is_staff=True))

    response = client.get("/portal/")

    assert response.status_code == 403
    assert "no role of yours" in response.content.decode()
    assert client.get(reverse("admin:overview")).status_code == 403
    assert client.get(reverse("admin:transfer_operation_changelist")).status_code == 403


def test_an_account_that_is_switched_off_is_out_at_once() -> None:
    user = person("admin")
    client = logged_in(user)
    assert client.get("/portal/").status_code == 200

    user.is_active = False
    user.save()

    assert client.get("/portal/").status_code == 302


def test_the_sidebar_shows_what_the_person_may_see() -> None:
    users = reverse("admin:accounts_user_changelist")

    assert users in logged_in(person("admin")).get("/portal/").content.decode()
    assert users not in logged_in(person("viewer")).get("/portal/").content.decode()


def test_one_logs_out_and_changes_ones_password() -> None:
    client = logged_in(person("viewer", staff=False))

    changed = client.post(
        "/accounts/password_change/",
        {"old_password": PASSWORD, "new_password1": "a-better-one-by-far", "new_password2": "a-better-one-by-far"},
        follow=True,
    )
    assert "Your password is changed" in changed.content.decode()
    client.post("/accounts/logout/")

    assert client.get("/accounts/me/").status_code == 302
    client.post("/accounts/login/", {"username": "viewer", "password": "a-better-one-by-far"})
    assert client.get("/accounts/me/").status_code == 200


def test_a_wrong_address_is_a_page_of_ours() -> None:
    response = logged_in(person("viewer")).get("/nothing/here/")

    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()
