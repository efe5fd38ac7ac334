"""Gives the roles of the database their rights: all of rights.yaml, and nothing else.

Each kind of process has a role of its own, so that a worker's host that is taken over reaches what a worker needs. The
tables belong to the owner, which no service uses. History is written by the triggers as the owner: nobody else may write
it, and the triggers of the log refuse changes even to the owner. docs/decisions/021-database-roles.md
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from django.apps import apps
from django.db import connection, transaction
from psycopg import sql

PREFIX: Final = "ccatdc"
OWNER: Final = "owner"
#: The roles of processes, and of people who only look.
ROLES: Final = ("web", "managers", "worker", "gateway", "reader")
#: As this one queries of astronomers run (transfer/tap): nobody logs in as it, and it sees these views only.
TAP: Final = "tap"
TAP_VIEWS: Final = ("tap_obscore", "tap_observations", "tap_sources", "tap_programs")
#: Who runs such queries.
TAP_USERS: Final = ("web", "managers")
_RIGHTS: Final = Path(__file__).with_name("rights.yaml")
_VERBS: Final = {"I": "INSERT", "U": "UPDATE", "D": "DELETE"}
#: Tables of libraries and of Django itself that are no model.
_NO_MODEL: Final = ("django_migrations",)


@cache
def rights() -> dict[str, dict[str, Any]]:
    """What rights.yaml says, by table."""
    said: dict[str, dict[str, Any]] = yaml.safe_load(_RIGHTS.read_text(encoding="utf-8"))
    return said


def tables() -> set[str]:
    """Every table that the installed apps have."""
    models = apps.get_models(include_auto_created=True)
    return {model._meta.db_table for model in models if model._meta.managed} | set(_NO_MODEL)


def role_name(role: str) -> str:
    """How PostgreSQL knows a role."""
    return f"{PREFIX}_{role}"


def create_database_roles() -> None:
    """Make the roles that are missing, and give each exactly its rights. Needs a superuser, or the owner of everything
    who may make roles. Idempotent.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        for role in (OWNER, *ROLES):
            cursor.execute(_make_role(role_name(role)))
        cursor.execute(_own_everything())
        cursor.execute(_make_role(role_name(TAP), "NOLOGIN"))
        for statement in [*_close(), *_grants(), *_tap()]:
            cursor.execute(statement)
        cursor.execute(_history_by_its_owner())


def renew_after_migrate(**sent: Any) -> None:
    """New tables and triggers get their rights with the migration that makes them, where there are roles. A flush is none."""
    if "plan" not in sent:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role_name(OWNER)])
        has_roles = cursor.fetchone() is not None
    if has_roles:
        create_database_roles()


def _make_role(name: str, how: str = "LOGIN") -> sql.Composable:
    # Another session may make it at the same time: roles belong to the server, not to the database.
    return sql.SQL(
        "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = {text}) THEN CREATE ROLE {name} {how}; END IF;"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    ).format(text=name, name=sql.Identifier(name), how=sql.SQL(how))


def _own_everything() -> sql.Composable:
    return sql.SQL(
        "DO $$ DECLARE each record; BEGIN"
        " FOR each IN SELECT c.oid::regclass AS name FROM pg_class c"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')"
        " AND c.relowner <> {owner}::regrole"
        " LOOP EXECUTE format('ALTER TABLE %s OWNER TO {name}', each.name); END LOOP;"
        " FOR each IN SELECT p.oid::regprocedure AS name FROM pg_proc p"
        " WHERE p.pronamespace = 'public'::regnamespace AND p.proowner <> {owner}::regrole"
        " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
        " LOOP EXECUTE format('ALTER FUNCTION %s OWNER TO {name}', each.name); END LOOP;"
        " EXECUTE 'ALTER SCHEMA public OWNER TO {name}'; END $$"
    ).format(owner=role_name(OWNER), name=sql.Identifier(role_name(OWNER)))


def _close() -> Iterable[sql.Composable]:
    """Nothing for anybody, to begin with."""
    everybody = sql.SQL(", ").join(sql.Identifier(role_name(role)) for role in ROLES)
    yield sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC, {}").format(everybody)
    yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {}").format(everybody)
    yield sql.SQL("REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, {}").format(everybody)
    yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(everybody)
    database = sql.Identifier(connection.settings_dict["NAME"])
    yield sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}").format(database, everybody)
    owner = sql.Identifier(role_name(OWNER))
    yield sql.SQL("GRANT CONNECT ON DATABASE {} TO {}, {}").format(database, owner, everybody)
    yield sql.SQL("GRANT CREATE, TEMPORARY ON DATABASE {} TO {}").format(database, owner)


def _grants() -> Iterable[sql.Composable]:
    known = connection.introspection.table_names()
    for table, said in rights().items():
        # GitHub's tables are there where it is used.
        if table not in known:
            continue
        hidden = set(said.get("hidden", ()))
        for role in ROLES:
            name = sql.Identifier(role_name(role))
            verbs = [_VERBS[letter] for letter in said.get(role, "")]
            if verbs:
                listed = sql.SQL(", ").join(sql.SQL(verb) for verb in verbs)
                yield sql.SQL("GRANT {} ON {} TO {}").format(listed, sql.Identifier(table), name)
            if role in said.get("takes_keys", ()):
                yield sql.SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(sql.Identifier(f"{table}_id_seq"), name)
            yield from _reading(table, name, set() if role in said.get("shown_to", ("web",)) else hidden)


def _reading(table: str, role: sql.Identifier, hidden: set[str]) -> Iterable[sql.Composable]:
    if not hidden:
        yield sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(table), role)
        return
    columns = sorted(_columns(table) - hidden)
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    yield sql.SQL("GRANT SELECT ({}) ON {} TO {}").format(listed, sql.Identifier(table), role)


def _tap() -> Iterable[sql.Composable]:
    name = sql.Identifier(role_name(TAP))
    yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(name)
    yield sql.SQL("REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {}").format(name)
    yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name)
    with connection.cursor() as cursor:
        known = {row.name for row in connection.introspection.get_table_list(cursor) if row.type == "v"}
    for view in sorted(known & set(TAP_VIEWS)):
        yield sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(view), name)
    users = sql.SQL(", ").join(sql.Identifier(role_name(user)) for user in TAP_USERS)
    yield sql.SQL("GRANT {} TO {}").format(name, users)
    # Only a superuser can give this away: without it such a query has no limit on disk but its time.
    yield sql.SQL(
        "DO $$ BEGIN IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN"
        " GRANT SET ON PARAMETER temp_file_limit TO {}; END IF; END $$"
    ).format(users)


def _columns(table: str) -> set[str]:
    with connection.cursor() as cursor:
        return {column.name for column in connection.introspection.get_table_description(cursor, table)}


def _history_by_its_owner() -> sql.Composable:
    return sql.SQL(
        "DO $$ DECLARE each record; BEGIN"
        " FOR each IN SELECT p.oid::regprocedure AS name FROM pg_proc p"
        " WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'pgtrigger_history_%'"
        " LOOP EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = public, pg_temp', each.name);"
        " END LOOP; END $$"
    )
