"""Migrations: none is missing, every app has one line of them, and they can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.recorder import MigrationRecorder

#: Our apps with tables, in an order in which each may be taken back before those that it rests on.
APPS = ("transfer", "datamgmt", "planning", "accounts", "observatory")


@pytest.fixture(scope="module")
def loader() -> MigrationLoader:
    """All migrations as files have them, without a database."""
    return MigrationLoader(None)


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    output = StringIO()
    call_command("makemigrations", "--check", "--dry-run", stdout=output)
    assert output.getvalue().strip() == "No changes detected"


def test_every_app_with_models_has_migrations(loader: MigrationLoader) -> None:
    ours = {app for app in APPS if list(apps.get_app_config(app).get_models())}
    assert ours == set(APPS)
    assert ours <= loader.migrated_apps


@pytest.mark.parametrize("app", APPS)
def test_the_history_of_an_app_is_one_line(loader: MigrationLoader, app: str) -> None:
    own = {key for key in loader.graph.nodes if key[0] == app}
    assert len(loader.graph.leaf_nodes(app)) == 1
    successors = {key: [child for child in loader.graph.node_map[key].children if child.key in own] for key in own}
    assert all(len(children) <= 1 for children in successors.values()), successors
    names = sorted(name for _, name in own)
    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(own) + 1)]


def operations(loader: MigrationLoader) -> Iterator[tuple[str, Operation]]:
    """Every step of our migrations, with the name of its migration."""
    for (app, name), migration in loader.disk_migrations.items():
        if app in APPS:
            for operation in migration.operations:
                yield f"{app}.{name}", operation


def test_every_step_can_be_taken_back(loader: MigrationLoader) -> None:
    one_way = [f"{name}: {step}" for name, step in operations(loader) if not step.reversible]
    assert one_way == []


@pytest.mark.django_db(transaction=True)
def test_all_migrations_can_be_taken_back_and_made_again() -> None:
    made = set(connection.introspection.table_names())
    every = [model for app in APPS for model in apps.get_app_config(app).get_models()]
    tables = {model._meta.db_table for model in every if not model._meta.proxy}
    try:
        for app in APPS:
            call_command("migrate", app, "zero", verbosity=0)
        left = set(connection.introspection.table_names())
        assert not tables & left
        recorded = {app for app, _ in MigrationRecorder(connection).applied_migrations()}
        assert not recorded & set(APPS)
    finally:
        call_command("migrate", verbosity=0)
    assert set(connection.introspection.table_names()) == made
