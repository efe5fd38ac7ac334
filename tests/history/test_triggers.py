"""Everything that people edit keeps a history; the triggers follow from the code."""

from __future__ import annotations

from typing import Any

import pgtrigger
import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import call_command
from django.db import connection

from accounts.models import Change
from ccatdc.audited_models import install, tracked_links, tracked_tables
from ccatdc.common.admin.base import ReadOnlyAdmin
from ccatdc.settings.program import program_name
from observatory.models import Observatory

OUR_APPS = ("observatory", "accounts", "notifications", "planning", "datamgmt", "transfer")
TRACKED: set[Any] = {tracked.model for tracked in tracked_tables()}
TRACKED |= {link.model for link in tracked_links()}
EDITED = sorted(
    (
        model
        for model, page in admin.site._registry.items()
        if model._meta.app_label in OUR_APPS and not isinstance(page, ReadOnlyAdmin)
    ),
    key=lambda model: model._meta.label,
)
#: What the flow writes by the thousand: its rows are a record already.
FACTS = (
    "planning.ExecutedObsUnit",
    "datamgmt.RawDataFile",
    "datamgmt.RawDataPackage",
    "datamgmt.DataTransferPackage",
    "datamgmt.PhysicalCopy",
    "transfer.Operation",
    "transfer.ServiceHeartbeat",
    "transfer.RoundRobinCursor",
    "transfer.WorkTotal",
    "transfer.LocationUsage",
    "accounts.SystemLog",
)


def label(model: Any) -> str:
    return str(model._meta.label)


def installed() -> set[tuple[str, str]]:
    """(table, trigger) of the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            r"SELECT c.relname, tgname FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid "
            r"WHERE tgname LIKE 'pgtrigger\_%'"
        )
        return set(cursor.fetchall())


def declared() -> set[tuple[str, str]]:
    return {(model._meta.db_table, trigger.get_pgid(model)) for model, trigger in pgtrigger.registered()}


@pytest.mark.parametrize("model", EDITED, ids=label)
def test_what_the_portal_lets_people_edit_keeps_a_history(model: Any) -> None:
    assert model in TRACKED


@pytest.mark.parametrize("name", FACTS)
def test_facts_keep_none(name: str) -> None:
    assert apps.get_model(name) not in TRACKED


def test_links_of_edited_things_keep_a_history() -> None:
    links = {(label(link.owner.model), link.field) for link in tracked_links()}

    assert links >= {
        ("accounts.Role", "permissions"),
        ("accounts.User", "roles"),
        ("observatory.Line", "instrument_modules"),
        ("planning.ObservingProgram", "instruments"),
        ("planning.ObsUnit", "instrument_module_configurations"),
    }


@pytest.mark.django_db
def test_every_trigger_is_there_and_no_other() -> None:
    assert installed() == declared()


@pytest.mark.django_db
def test_a_trigger_that_is_lost_is_made_again_and_a_strange_one_goes() -> None:
    with connection.cursor() as cursor:
        _, name = next((table, name) for table, name in installed() if table == "observatory")
        cursor.execute(f'DROP TRIGGER "{name}" ON observatory')
        cursor.execute(
            "CREATE FUNCTION pgtrigger_strange() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
        )
        cursor.execute(
            "CREATE TRIGGER pgtrigger_strange AFTER INSERT ON raw_data_file EXECUTE FUNCTION pgtrigger_strange()"
        )

    install("default")

    assert installed() == declared()


@pytest.mark.django_db
def test_an_older_version_of_a_trigger_is_replaced() -> None:
    with connection.cursor() as cursor:
        _, name = next(
            (table, name) for table, name in installed() if table == "observatory" and "history_insert" in name
        )
        cursor.execute(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
        )
        cursor.execute(f"COMMENT ON TRIGGER {name} ON observatory IS 'older'")

    call_command("migrate", verbosity=0)
    Observatory.objects.create(name="Cerro", short_name="cerro")

    assert Change.objects.filter(object_name="Cerro").exists()


@pytest.mark.django_db
def test_nothing_is_done_when_nothing_is_to_be_done(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(3):  # a look-up between savepoint and release
        install("default")


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["manage.py", "load_reference", "folder"], "ccatdc load_reference"),
        (["/srv/ccatdc/manage.py", "run_managers"], "ccatdc run_managers"),
        (["manage.py"], "ccatdc"),
        (["gunicorn", "ccatdc.wsgi"], "ccatdc"),
        ([], "ccatdc"),
    ],
)
def test_a_command_bears_its_name_in_the_database(argv: list[str], name: str) -> None:
    assert program_name(argv) == name
