"""Every factory makes a row that the database accepts; every model of the flow has one."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from django.apps import apps
from factory.django import DjangoModelFactory

APPS = ("accounts", "observatory", "notifications", "planning", "datamgmt", "transfer")
#: Bases that never exist as themselves.
ABSTRACT = {
    "observatory.InstrumentModuleConfiguration",
    "planning.ObservationConfiguration",
    "planning.Source",
    "datamgmt.DataLocation",
    "datamgmt.PhysicalCopy",
    "transfer.Operation",
}
#: Rows that only the database's own triggers write.
WRITTEN_BY_TRIGGERS = {"accounts.Change"}


def _factories() -> list[Any]:
    found = []
    for app in APPS:
        module = importlib.import_module(f"tests.factories.{app}")
        found += [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, DjangoModelFactory)
            and value.__module__ == module.__name__
            and not value._meta.abstract
        ]
    return found


@pytest.mark.parametrize("factory_class", _factories(), ids=lambda value: value.__name__)
@pytest.mark.django_db
def test_a_factory_makes_a_row_that_the_database_keeps(factory_class: Any) -> None:
    row = factory_class()
    assert type(row)._base_manager.get(pk=row.pk) == row


def test_every_model_has_a_factory() -> None:
    made = {factory_class._meta.model._meta.label for factory_class in _factories()}
    models = {
        model._meta.label
        for app in APPS
        for model in apps.get_app_config(app).get_models()
        if model._meta.label not in ABSTRACT | WRITTEN_BY_TRIGGERS
    }
    assert models - made == set()
