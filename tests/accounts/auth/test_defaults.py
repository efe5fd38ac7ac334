"""Default roles: there after ``migrate``, completed by an upgrade, and otherwise the operator's."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from accounts.auth.defaults import PERMISSIONS, ROLES, ensure_default_roles
from accounts.models import Permission, Role

pytestmark = pytest.mark.django_db


def rights(role: str) -> set[str]:
    return set(Role.objects.get(name=role).permissions.values_list("codename", flat=True))


def test_they_are_there_after_migrate() -> None:
    assert set(Role.objects.values_list("name", flat=True)) >= set(ROLES)
    assert rights("admin") == set(PERMISSIONS)
    assert rights("observer") == {
        "read:observations",
        "read:all_programs",
        "write:observations",
        "write:products",
        "stage:data",
        "write:transfers",
        "write:schedule",
    }
    assert rights("viewer") == {"read:observations", "stage:data", "write:products"}
    assert rights("service") == {"read:observations", "read:all_programs", "write:observations"}


def test_what_an_operator_took_away_stays_away() -> None:
    viewer = Role.objects.get(name="viewer")
    viewer.permissions.remove(Permission.objects.get(codename="stage:data"))
    call_command("migrate", verbosity=0, stdout=StringIO())
    assert rights("viewer") == {"read:observations", "write:products"}


def test_a_role_that_is_missing_is_made_whole() -> None:
    Role.objects.get(name="service").delete()
    ensure_default_roles()
    assert rights("service") == {"read:observations", "read:all_programs", "write:observations"}


def test_a_permission_that_is_new_reaches_the_roles_that_are_meant_to_have_it() -> None:
    Permission.objects.get(codename="stage:data").delete()
    ensure_default_roles()
    assert "stage:data" in rights("viewer")
    assert "stage:data" in rights("admin")
    assert "stage:data" not in rights("service")


def test_running_it_again_changes_nothing() -> None:
    def state() -> list[tuple[str, set[str]]]:
        return [(role.name, rights(role.name)) for role in Role.objects.all()]

    before = state()
    ensure_default_roles()
    assert state() == before
