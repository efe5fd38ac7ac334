"""What each role of the database may do, and that no role gets past history."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, transaction
from psycopg.errors import InsufficientPrivilege, RaiseException

from accounts.models import Change, SystemLog
from ccatdc.database_roles.granting import (
    OWNER,
    ROLES,
    TAP,
    TAP_VIEWS,
    create_database_roles,
    rights,
    role_name,
    tables,
)
from tests.factories.accounts import ApiTokenFactory, SystemLogFactory, UserFactory
from tests.factories.datamgmt import BufferLocationFactory
from tests.roles import as_role

pytestmark = pytest.mark.django_db

EVERY = pytest.mark.parametrize("role", ROLES)


def may(role: str, table: str, verb: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege(%s, %s, %s)", [role_name(role), f'public."{table}"', verb])
        (answer,) = cursor.fetchone()
    return bool(answer)


def is_refused(role: str, statement: str) -> bool:
    """Whether the role may not do this."""
    with as_role(role), pytest.raises(Exception, match=r"permission denied|must be owner") as caught:
        execute(statement)
    return isinstance(caught.value.__cause__, InsufficientPrivilege)


def execute(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_every_table_has_its_rights() -> None:
    missing = tables() - rights().keys()
    assert missing == set()


@EVERY
def test_no_role_may_do_what_only_the_owner_does(role: str) -> None:
    for table in tables():
        for verb in ("TRUNCATE", "TRIGGER", "REFERENCES"):
            assert not may(role, table, verb), (table, verb)


@pytest.mark.parametrize("role", [OWNER, *ROLES])
def test_no_role_is_more_than_it_is(role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,"
            " (SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid AND m.roleid <> %s::regrole)"
            " FROM pg_roles r WHERE rolname = %s",
            [role_name(TAP), role_name(role)],
        )
        # Of TAP's role, which reads less than they do, those are members that run queries.
        assert cursor.fetchone() == (False, False, False, False, False, 0)


def test_the_role_of_queries_sees_its_views_only() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v', 'm', 'S') AND CASE relkind"
            " WHEN 'S' THEN has_sequence_privilege(%(tap)s, oid, 'USAGE, SELECT, UPDATE')"
            " ELSE has_table_privilege(%(tap)s, oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') OR"
            " has_any_column_privilege(%(tap)s, oid, 'SELECT, INSERT, UPDATE') END",
            {"tap": role_name(TAP)},
        )
        assert cursor.fetchone() == (sorted(TAP_VIEWS),)
        cursor.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [role_name(TAP)])
        assert cursor.fetchone() == (False,)


def test_the_reader_changes_nothing() -> None:
    for table in tables():
        assert not any(may("reader", table, verb) for verb in ("INSERT", "UPDATE", "DELETE")), table
    BufferLocationFactory.create()
    with as_role("reader"), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM data_location")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize("role", ["managers", "worker", "reader"])
@pytest.mark.parametrize(
    "secret",
    [
        'password FROM "user"',
        "token_hash FROM api_token",
        "session_data FROM user_session",
        "username FROM axes_accessattempt",
    ],
)
def test_secrets_are_read_by_the_web_only(role: str, secret: str) -> None:
    UserFactory.create()
    ApiTokenFactory.create()
    assert is_refused(role, f"SELECT {secret}")


@pytest.mark.parametrize("role", ["managers", "worker"])
@pytest.mark.parametrize(
    "change",
    [
        'UPDATE "user" SET is_superuser = true',
        "UPDATE user_role SET role_id = 1",
        "INSERT INTO permission (codename, description) VALUES ('a:b', '')",
        "DELETE FROM observing_program",
        "UPDATE site SET active = false",
    ],
)
def test_who_moves_bytes_changes_neither_people_nor_plans(role: str, change: str) -> None:
    assert is_refused(role, change)


@EVERY
@pytest.mark.parametrize(
    "attempt",
    [
        "INSERT INTO change_history (action, object_type, object_id, object_name, table_name, changes)"
        " VALUES ('added', 'a', '1', 'a', 'a', '{}')",
        "UPDATE change_history SET changes = '{}'",
        "DELETE FROM change_history",
        "TRUNCATE change_history",
        "UPDATE system_log SET message = ''",
        "DELETE FROM system_log",
        "TRUNCATE system_log",
        "ALTER TABLE data_location DISABLE TRIGGER ALL",
        "DROP TABLE change_history",
        "SET session_replication_role = replica",
        "CREATE TEMP TABLE change_history (id int)",
        "CREATE TABLE public.mine (id int)",
    ],
)
def test_nobody_gets_past_history(role: str, attempt: str) -> None:
    assert is_refused(role, attempt)


def test_what_a_role_changes_is_in_history_all_the_same() -> None:
    location: Any = BufferLocationFactory.create()
    before = Change.objects.count()
    with as_role("web"), connection.cursor() as cursor:
        cursor.execute("UPDATE data_location SET priority = priority + 1 WHERE id = %s", [location.pk])
    assert Change.objects.count() == before + 1


@pytest.mark.parametrize("change", ["UPDATE system_log SET message = ''", "DELETE FROM system_log"])
def test_the_audit_log_is_not_even_changed_by_its_owner(change: str) -> None:
    SystemLogFactory.create(message="who did what")
    with as_role(OWNER), pytest.raises(Exception, match="append_only") as caught:
        execute(change)
    assert isinstance(caught.value.__cause__, RaiseException)
    assert SystemLog.objects.get().message == "who did what"


def test_what_was_given_besides_is_taken_back() -> None:
    execute("GRANT ALL ON change_history TO ccatdc_reader")
    assert may("reader", "change_history", "DELETE")
    call_command("create_database_roles")
    assert not may("reader", "change_history", "DELETE")


def test_new_tables_are_the_owners_and_closed() -> None:
    execute("CREATE TABLE new_one (id int)")
    create_database_roles()
    assert may(OWNER, "new_one", "TRUNCATE")
    assert not any(may(role, "new_one", "SELECT") for role in ROLES)


@pytest.mark.django_db(transaction=True)
def test_a_role_logs_in_and_becomes_no_other() -> None:
    given = urlsplit(os.environ["DATABASE_URL"])
    if given.hostname:
        pytest.skip("a server that asks for passwords")
    name = quote(str(connection.settings_dict["NAME"]))
    url = f"postgres://ccatdc_worker@/{name}?{given.query}"
    with psycopg.connect(url, autocommit=True) as link:
        assert link.execute("SELECT current_user").fetchone() == ("ccatdc_worker",)
        for other in ("ccatdc_owner", "ccatdc_web"):
            with pytest.raises(InsufficientPrivilege):
                link.execute(f"SET ROLE {other}")
