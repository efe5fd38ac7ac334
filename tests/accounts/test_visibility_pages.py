"""No page shows an outsider anything of a foreign program: those of scientists, and the portal for staff who see some."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import User
from datamgmt.models import RawDataPackage
from planning.models import ObservingProgram
from tests.accounts.foreign import Foreign, scientist
from tests.factories.accounts import UserFactory
from tests.portal.conftest import logged_in, one_of_each  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(one_of_each: None) -> Foreign:  # noqa: F811
    return Foreign.of_everything()


class TestScientistsPages:
    def test_lists_choices_and_buttons_show_nothing_foreign(self, world: Foreign) -> None:
        client = logged_in(scientist())
        page = reverse("staging:packages")
        found = [str(pk) for pk in RawDataPackage.objects.values_list("pk", flat=True)]
        program = ObservingProgram.objects.values_list("pk", flat=True)[0]
        search = reverse("observations:search")
        searches = (search, f"{search}?text=a", f"{search}?format=json", reverse("vo_observations"))
        for address in (page, f"{page}?text=a", f"{page}?program={program}", "/", *searches):
            assert world.found_in(b"".join(client.get(address))) == []
        for ticks in ({"do": "all"}, {"do": "review", "package": found, "shown": found}):
            answer = client.post(page, ticks, follow=True)
            assert world.found_in(answer.content) == []
        assert client.get(reverse("staging:job", args=[1])).status_code == 404

    def test_a_member_finds_it_there(self, world: Foreign) -> None:
        user = scientist()
        for program in ObservingProgram.objects.all():
            program.members.add(user)
        assert world.found_in(logged_in(user).get(reverse("staging:packages")).content)


def told_in(answers: list[Any], world: Foreign) -> set[str]:
    """Where something was given away. An id that was asked for is repeated by the answer that it is not there."""
    texts = frozenset(text for text in world.texts if not _is_key(text))
    return {answer.request["PATH_INFO"] for answer in answers if Foreign(texts).found_in(answer.content)}


def _is_key(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def pages(client: Client) -> list[Any]:
    """Every list, page, history and list of suggestions of the portal, as this person gets it."""
    found = [client.get(reverse("admin:index"), follow=True), client.get(reverse("admin:overview"))]
    for model, page in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(client.get(reverse(f"{name}_changelist")))
        keys: Any = model._default_manager.order_by("pk").values_list("pk", flat=True)[:3]
        for key in keys:
            found.append(client.get(reverse(f"{name}_change", args=[key]), follow=True))
            found.append(client.get(reverse(f"{name}_history", args=[key]), follow=True))
        fields = [*page.autocomplete_fields, *page.list_filter]
        for field in [each for each in fields if isinstance(each, str) and "__" not in each]:
            query: dict[str, Any] = {
                "app_label": model._meta.app_label,
                "model_name": model._meta.model_name,
                "field_name": field,
            }
            found.append(client.get(reverse("admin:autocomplete"), query))
    return found


class TestPortal:
    def test_staff_who_see_some_programs_find_no_other_in_it(self, world: Foreign) -> None:
        answers = pages(logged_in(scientist(is_staff=True)))
        assert told_in(answers, world) == set()
        assert sum(answer.status_code == 200 for answer in answers) > 20

    def test_the_same_pages_tell_it_to_who_sees_all(self, world: Foreign) -> None:
        overseer = UserFactory.create(permissions=["read:observations"], is_staff=True)
        answers = pages(logged_in(overseer))
        assert len(told_in(answers, world)) > 20

    def test_a_member_sees_plans_and_files_of_the_program(self, world: Foreign) -> None:
        user = scientist(is_staff=True)
        for program in ObservingProgram.objects.all():
            program.members.add(user)
        client = logged_in(user)
        for name in ("planning_obsunit", "planning_executedobsunit", "datamgmt_rawdatafile"):
            assert world.found_in(client.get(reverse(f"admin:{name}_changelist")).content), name
        assert client.get(reverse("admin:transfer_operation_changelist")).status_code == 403
        assert "Your programs" in client.get(reverse("admin:index")).content.decode()


class TestMembersInThePortal:
    def change(self, user: User, member: User) -> ObservingProgram:
        program = ObservingProgram.objects.create(name="Deep Survey", short_name="DSS")
        logged_in(user).post(
            reverse("admin:planning_observingprogram_change", args=[program.pk]),
            {
                "name": "Deep Survey",
                "short_name": "DSS",
                "proprietary_days": "0",
                "memberships-TOTAL_FORMS": "1",
                "memberships-INITIAL_FORMS": "0",
                "memberships-0-observing_program": str(program.pk),
                "memberships-0-user": str(member.pk),
                "sub_programs-TOTAL_FORMS": "0",
                "sub_programs-INITIAL_FORMS": "0",
                "obs_units-TOTAL_FORMS": "0",
                "obs_units-INITIAL_FORMS": "0",
            },
        )
        program.refresh_from_db()
        return program

    def test_who_manages_users_decides_who_is_in(self) -> None:
        manager = UserFactory.create(
            permissions=["read:observations", "write:observations", "manage:users"], is_staff=True
        )
        member = UserFactory.create()
        program = self.change(manager, member)
        assert list(program.members.all()) == [member]
        assert program.proprietary_days == 0

    def test_who_files_does_not_open_a_program_to_anybody(self) -> None:
        observer = UserFactory.create(permissions=["read:observations", "write:observations"], is_staff=True)
        program = self.change(observer, UserFactory.create())
        assert not program.members.exists()
        assert program.proprietary_days is None
