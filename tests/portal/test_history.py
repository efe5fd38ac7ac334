"""History in the portal: who changed which field of what, from what to what, and how. Read only."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import models
from django.test import Client
from django.urls import reverse

from accounts.history import entries_of
from accounts.models import Change, Role
from ccatdc.common.units import NOTHING
from datamgmt.models import DataLocation
from planning.models import ObsUnit, Source
from tests.factories.accounts import PermissionFactory, UserFactory
from tests.factories.datamgmt import BufferLocationFactory, RawDataPackageFactory
from tests.factories.observatory import InstrumentModuleFactory
from tests.factories.planning import FixedSourceFactory, ObsUnitFactory
from tests.portal.conftest import logged_in, person

pytestmark = pytest.mark.django_db
LIST = "/portal/accounts/change/"


def fields_of_last(obj: models.Model) -> list[tuple[str, str, str, str]]:
    entry = entries_of(Change.objects.about(obj), together=True)[0]
    return [(f.name, f.before, f.after, f.words) for f in entry.fields]


def history_page(client: Client, obj: Any) -> str:
    url = reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_history", args=[obj.pk])
    return client.get(url).content.decode()


def words_of(content: str) -> str:
    return " ".join(content.split())


def test_the_page_of_a_thing_says_who_changed_what_and_how(operator: Client) -> None:
    module = InstrumentModuleFactory.create()
    url = reverse("admin:observatory_instrumentmodule_change", args=[module.pk])
    form = {"instrument": module.instrument_id, "name": "Renamed", "short_name": module.short_name}
    assert operator.post(url, form).status_code == 302

    content = words_of(history_page(operator, module))

    assert "in the portal" in content
    assert f"<del>{module.name}</del> → <ins>Renamed</ins>" in content
    assert '<td data-label="Who">admin</td>' in content
    # The audit log stands below it.
    assert f"Changed module {module.instrument} Renamed" in content


def test_values_are_shown_as_people_know_them() -> None:
    unit = ObsUnitFactory.create(state="active", priority=5)
    other = FixedSourceFactory.create(name="M51")

    ObsUnit.objects.update(state="on_hold", source=other, max_pwv_mm=0.8)

    assert fields_of_last(unit) == [
        ("Maximum PWV [mm]", "nothing", "0.8", ""),
        ("Source", "Orion-KL", "M51", ""),
        ("State", "Active", "On hold", ""),
    ]


def test_what_is_gone_is_still_named() -> None:
    unit = ObsUnitFactory.create()
    other = FixedSourceFactory.create(name="M51")
    ObsUnit.objects.update(source=other)
    ObsUnit.objects.update(source=Source.objects.get(name="Orion-KL"))
    other.delete()

    assert fields_of_last(unit) == [("Source", "M51", "Orion-KL", "")]


def test_rights_are_named_and_passwords_are_not_told() -> None:
    user = UserFactory.create(username="kim")
    role = Role.objects.get(name="viewer")
    user.roles.add(role)
    assert fields_of_last(user) == [("Roles", "", "", "with viewer")]
    user.roles.remove(role)
    assert fields_of_last(user) == [("Roles", "", "", "without viewer")]

    user.set_password("another-horse-battery")
    user.save()
    assert fields_of_last(user) == [("Password", "", "", "changed; its value is not kept")]


def test_both_tables_of_a_kind_are_one_entry_on_its_page() -> None:
    source = FixedSourceFactory.create()
    before = len(entries_of(Change.objects.about(source), together=True))

    source.name, source.ra_deg = "Orion BN", 84.0
    source.save()

    entries = entries_of(Change.objects.about(source), together=True)
    assert (before, len(entries)) == (1, 2)
    assert {f.name for f in entries[0].fields} == {"Name", "RA [degrees]"}


def test_yes_and_no_are_words_and_empty_is_nothing() -> None:
    location = BufferLocationFactory.create(active=True, retention_days=None)

    DataLocation.objects.non_polymorphic().update(active=False, retention_days=3)

    assert fields_of_last(location) == [("Active", "yes", "no", ""), ("Retention [days]", "nothing", "3", "")]


def test_a_column_that_is_no_more_is_shown_by_its_name() -> None:
    change = Change(
        table_name="obs_unit",
        object_type="planning.obsunit",
        object_id="1",
        action="changed",
        changes={"mood": ["good", "bad"]},
        context={},
        user=None,
    )

    (entry,) = entries_of([change])

    assert [(f.name, f.before, f.after) for f in entry.fields] == [("mood", "good", "bad")]
    assert entry.who == entry.how == NOTHING


def test_facts_have_a_diary_and_no_changes(operator: Client) -> None:
    content = history_page(operator, RawDataPackageFactory.create())

    assert "<h2>Audit log</h2>" in content
    assert "<h2>Changes</h2>" not in content


# The list of all


def test_the_list_is_searched_and_narrowed(operator: Client) -> None:
    ObsUnitFactory.create(name="Orion daisy")
    BufferLocationFactory.create()

    found = operator.get(LIST, {"q": "orion d"}).content.decode()
    narrowed = operator.get(LIST, {"kind": "datamgmt.datalocation"}).content.decode()
    by_command = operator.get(LIST, {"how": "command", "action__exact": "added"}).content.decode()

    assert "Orion daisy" in found
    assert "Buffer" not in found
    assert "Orion daisy" not in narrowed
    assert "Orion daisy" in by_command
    assert operator.get(LIST, {"how": "portal"}).content.decode().count("Orion daisy") == 0


def test_the_list_needs_as_many_queries_for_many_rows_as_for_few(
    operator: Client, django_assert_max_num_queries: Any
) -> None:
    for n in range(20):
        ObsUnitFactory.create(name=f"u{n}", source=FixedSourceFactory.create(name=f"s{n}"))
    ObsUnit.objects.update(priority=1)

    with django_assert_max_num_queries(12):
        assert operator.get(LIST).status_code == 200


def test_accounts_are_the_business_of_who_manages_them() -> None:
    UserFactory.create(username="secretive")
    RawDataPackageFactory.create()
    everything = logged_in(person("admin")).get(LIST).content.decode()
    rest = logged_in(person("observer")).get(LIST).content.decode()

    assert "secretive" in everything
    assert "secretive" not in rest
    assert "Orion-KL" in rest
    assert "accounts.user" not in rest


def test_who_sees_some_programs_only_sees_no_history_of_all() -> None:
    narrow = UserFactory.create(is_staff=True, permissions=["read:observations"], sees_all=False)

    assert logged_in(narrow).get(LIST).status_code == 403


def test_nobody_edits_history(operator: Client) -> None:
    PermissionFactory.create(codename="read:something")
    change = Change.objects.latest("id")
    page = reverse("admin:accounts_change_change", args=[change.pk])

    assert operator.get(page).status_code == 200
    assert operator.post(page, {"object_name": "x"}).status_code == 403
    assert operator.post(reverse("admin:accounts_change_delete", args=[change.pk])).status_code == 403
    assert operator.get(reverse("admin:accounts_change_add")).status_code == 403
