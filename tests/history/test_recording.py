"""History sees every way in which rows change, and keeps no secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, models, transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import ApiToken, Change, Role, User
from datamgmt.models import DataLocation
from observatory.models import Instrument
from planning.models import FixedSource, ObsUnit, Source
from tests.factories.accounts import ApiTokenFactory, PermissionFactory, RoleFactory, UserFactory
from tests.factories.datamgmt import BufferLocationFactory
from tests.factories.observatory import InstrumentFactory, InstrumentModuleFactory, LineFactory
from tests.factories.planning import FixedSourceFactory, ObsUnitFactory

pytestmark = pytest.mark.django_db


def kept(obj: models.Model) -> list[tuple[str, Any]]:
    """What history has about a thing since it was made, oldest first."""
    rows = Change.objects.about(obj).order_by("id")
    return [(row.action, row.changes) for row in rows if row.action != "added"]


def by_sql(statement: str, *values: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)


def by_save(instrument: Instrument) -> None:
    instrument.description = "new"
    instrument.save()


def by_bulk_update(instrument: Instrument) -> None:
    instrument.description = "new"
    Instrument.objects.bulk_update([instrument], ["description"])


WAYS: dict[str, Callable[[Instrument], object]] = {
    "save": by_save,
    "update": lambda _: Instrument.objects.update(description="new"),
    "bulk_update": by_bulk_update,
    "raw SQL": lambda _: by_sql("UPDATE instrument SET description = 'new'"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_change_is_seen_however_it_is_made(way: str) -> None:
    instrument = InstrumentFactory.create(description="old")

    WAYS[way](instrument)

    assert kept(instrument) == [("changed", {"description": ["old", "new"]})]


def test_what_comes_is_kept_with_all_that_it_says() -> None:
    instrument = InstrumentFactory.create(description="camera")

    change = Change.objects.about(instrument).get()

    assert (change.action, change.object_name) == ("added", "Prime-Cam")
    assert change.changes["description"] == "camera"
    assert change.changes["telescope_id"] == instrument.telescope_id


def test_rows_made_in_bulk_are_kept_one_by_one() -> None:
    telescope = InstrumentFactory.create().telescope
    Instrument.objects.bulk_create(
        Instrument(name=name, short_name=name, telescope=telescope, instrument_type="camera") for name in ("one", "two")
    )

    names = Change.objects.filter(action="added", object_type="observatory.instrument")
    assert list(names.order_by("object_name").values_list("object_name", flat=True)) == ["Prime-Cam", "one", "two"]


def test_rows_that_are_copied_in_are_kept() -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY observatory (name, short_name, description, url) FROM STDIN") as copy,
    ):
        copy.write_row(("Cerro", "cerro", "", ""))

    assert Change.objects.get(object_name="Cerro").action == "added"


def test_a_change_of_many_rows_says_of_each_what_it_was() -> None:
    units = [ObsUnitFactory.create(name=name, priority=n) for n, name in enumerate("ab")]

    ObsUnit.objects.update(priority=F("priority") + 5)

    assert [kept(unit) for unit in units] == [[("changed", {"priority": [n, n + 5]})] for n in range(2)]


def test_a_statement_that_changes_nothing_leaves_nothing() -> None:
    instrument = InstrumentFactory.create()

    instrument.save()
    Instrument.objects.update(name=F("name"))

    assert kept(instrument) == []


def test_what_goes_is_kept_with_all_that_it_said() -> None:
    line = LineFactory.create()
    key, name = line.pk, line.name

    line.delete()

    change = Change.objects.filter(object_type="observatory.line", object_id=str(key)).latest("id")
    assert (change.action, change.object_name, change.changes["name"]) == ("deleted", name, name)


def test_what_is_taken_back_leaves_nothing() -> None:
    instrument = InstrumentFactory.create()

    with transaction.atomic():
        Instrument.objects.update(description="never")
        transaction.set_rollback(True)

    assert kept(instrument) == []


def test_a_kind_has_one_history_for_both_of_its_tables() -> None:
    source = FixedSourceFactory.create()

    source.name, source.ra_deg = "Orion BN", 84.0
    source.save()
    FixedSource.objects.update(vlsr_km_s=9)

    assert kept(source) == [
        ("changed", {"name": ["Orion-KL", "Orion BN"]}),
        ("changed", {"ra_deg": [83.809, 84.0]}),
        ("changed", {"vlsr_km_s": [None, 9]}),
    ]
    assert kept(Source.objects.non_polymorphic().get()) == kept(source)
    last = Change.objects.about(source).latest("id")
    assert (last.object_name, last.table_name) == ("Orion BN", "fixed_source")


def test_links_are_kept_as_changes_of_what_has_them() -> None:
    line = LineFactory.create()
    modules = [InstrumentModuleFactory.create(short_name=s, name=s) for s in ("m1", "m2")]
    keys = [module.pk for module in modules]

    line.instrument_modules.set(modules)
    line.instrument_modules.remove(modules[0])

    assert kept(line) == [
        ("changed", {"instrument_modules": [None, keys]}),
        ("changed", {"instrument_modules": [keys[:1], None]}),
    ]
    assert Change.objects.about(line).latest("id").object_name == line.name


def test_links_that_raw_sql_moves_go_here_and_come_there() -> None:
    one, two = LineFactory.create(name="one"), LineFactory.create(name="two")
    module = InstrumentModuleFactory.create()
    one.instrument_modules.add(module)

    by_sql("UPDATE line_instrument_module SET line_id = %s", two.pk)

    assert kept(one)[-1] == ("changed", {"instrument_modules": [[module.pk], None]})
    assert kept(two) == [("changed", {"instrument_modules": [None, [module.pk]]})]


def test_rights_that_a_role_gets_and_roles_that_a_person_gets_are_kept() -> None:
    role, user = RoleFactory.create(), UserFactory.create()
    permission = PermissionFactory.create()

    role.permissions.add(permission)
    user.roles.add(role)

    assert kept(role) == [("changed", {"permissions": [None, [permission.pk]]})]
    assert kept(user) == [("changed", {"roles": [None, [role.pk]]})]


# What is not kept


def test_what_machines_write_all_day_is_not_kept() -> None:
    now = timezone.now()
    token, location = ApiTokenFactory.create(), BufferLocationFactory.create()
    ObsUnitFactory.create()

    ApiToken.objects.update(last_used_at=now)
    User.objects.update(last_login=now)
    DataLocation.objects.non_polymorphic().update(
        used_bytes=1, capacity_bytes=2, checked_at=now, check_error="gone", registered_at=now
    )
    ObsUnit.objects.update(updated_at=now)

    assert kept(token) == kept(location) == []
    assert not Change.objects.filter(table_name="user", changes__has_key="last_login").exists()
    assert not Change.objects.filter(table_name="obs_unit", action="changed").exists()


def test_what_changes_beside_it_is_kept_without_it() -> None:
    location = BufferLocationFactory.create(active=True)

    DataLocation.objects.non_polymorphic().update(used_bytes=1, active=False)

    assert kept(location) == [("changed", {"active": [True, False]})]


def test_a_new_password_is_kept_as_a_fact_without_the_password() -> None:
    user = UserFactory.create()

    user.set_password("another-horse-battery")
    user.save()

    assert kept(user) == [("changed", {"password": None})]


def test_no_hash_of_a_password_or_token_is_ever_kept() -> None:
    user = UserFactory.create()
    token, secret = ApiToken.issue(user=user, name="camera", scopes=[])
    token.token_hash = "0" * 64
    token.save()
    user.set_password("another-horse-battery")
    user.save()
    ApiToken.objects.all().delete()
    user.delete()

    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(concat(changes, context, object_name), ' ') FROM change_history")
        everything = str(cursor.fetchone()[0])

    assert "camera" in everything
    for word in ("pbkdf2", "md5$", "argon2", token.token_hash, token.token_prefix, secret[7:15]):
        assert word not in everything
    assert '"token_hash": null' in everything


# Written once


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: Change.objects.update(object_name="somebody else"),
        lambda: Change.objects.all().delete(),
        lambda: by_sql("UPDATE change_history SET user_id = 1"),
        lambda: by_sql("DELETE FROM change_history"),
    ],
    ids=["update", "delete", "SQL update", "SQL delete"],
)
def test_history_is_neither_changed_nor_deleted(attempt: Callable[[], object]) -> None:
    RoleFactory.create()
    before = list(Change.objects.values_list("id", "object_name"))

    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
        attempt()

    assert before
    assert list(Change.objects.values_list("id", "object_name")) == before


def test_a_role_is_told_from_an_account_with_its_key() -> None:
    role = RoleFactory.create()
    user = UserFactory.create(pk=role.pk)

    Role.objects.update(description="changed")

    assert kept(user) == []
    assert [row.object_type for row in Change.objects.outside_accounts()] == []
