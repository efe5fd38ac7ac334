"""Every page of the portal: it opens, for everybody who may see it, in a bounded number of queries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Change, SystemLog, UserSession
from ccatdc.common.admin.base import ReadOnlyAdmin
from ccatdc.portal.navigation import GROUPS
from tests.factories.transfer import StagingFactory
from transfer.engine.worker.logs import log_name_of

#: Those of the main site; the gateway's pages are tried in tests/gateway/test_portal.py.
OUR_APPS = ("observatory", "accounts", "notifications", "planning", "datamgmt", "transfer")
#: A page asks for its rows, its filters and the person; never for each row.
LIST_QUERIES = 16
#: The page of one row also follows its relations, a package's page its whole history.
ROW_QUERIES = 45


def page_models() -> list[type[Any]]:
    """The models that have a page, in a fixed order."""
    models = [model for model in admin.site._registry if model._meta.app_label in OUR_APPS]
    return sorted(models, key=lambda model: model._meta.label)


def label(model: type[Any]) -> str:
    return str(model._meta.label)


def address(model: type[Any], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


MODELS = page_models()
FACTS = [m for m in MODELS if isinstance(admin.site._registry[m], ReadOnlyAdmin)]
EDITED = [m for m in MODELS if m not in FACTS]
SEARCHED = [m for m in MODELS if admin.site._registry[m].search_fields]


def test_every_model_has_a_page() -> None:
    models = [model for app in OUR_APPS for model in apps.get_app_config(app).get_models()]

    # The kinds of copies are views of one table, whose page shows them all.
    # Sessions are shown to whom they belong (accounts/my_account.py).
    missing = [m for m in models if not m._meta.proxy and m not in admin.site._registry and m is not UserSession]

    assert missing == []


def test_the_sidebar_leads_to_pages_that_exist() -> None:
    listed = {model.lower() for _, _, entries in GROUPS for _, model in entries}
    pages = {model._meta.label_lower for model in page_models()}

    assert listed <= pages
    # What is not in the sidebar is a kind of something that is.
    for missing in pages - listed:
        parents = apps.get_model(missing)._meta.get_parent_list()
        assert any(parent._meta.label_lower in listed for parent in parents), missing


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_a_list_opens_in_a_bounded_number_of_queries(operator: Client, one_of_each: None, model: type[Any]) -> None:
    with CaptureQueriesContext(connection) as queries:
        response = operator.get(address(model, "changelist"))

    assert response.status_code == 200
    assert "delete_selected" not in response.content.decode()
    assert len(queries) <= LIST_QUERIES, [q["sql"][:150] for q in queries]


@pytest.mark.parametrize("model", SEARCHED, ids=label)
def test_a_search_for_words_and_for_ids_opens(operator: Client, one_of_each: None, model: type[Any]) -> None:
    for term in ("orion", "12", "6b1d0f5e-7a3c-4b0e-9f2f-0c7d8a1b2c3d", "storage.no_space", "a b"):
        assert operator.get(address(model, "changelist"), {"q": term}).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_the_page_of_a_row_opens_in_a_bounded_number_of_queries(
    operator: Client, one_of_each: None, model: type[Any]
) -> None:
    row = model._default_manager.first()
    assert row is not None, f"one_of_each makes no {label(model)}"

    with CaptureQueriesContext(connection) as queries:
        response = operator.get(address(model, "change", row.pk))

    assert response.status_code == 200
    assert len(queries) <= ROW_QUERIES, [q["sql"][:150] for q in queries]
    assert operator.get(address(model, "history", row.pk)).status_code == 200


@pytest.mark.parametrize("model", FACTS, ids=label)
def test_facts_are_neither_added_nor_changed_nor_deleted(operator: Client, one_of_each: None, model: type[Any]) -> None:
    row = model._default_manager.first()

    assert operator.get(address(model, "add")).status_code == 403
    assert operator.post(address(model, "change", row.pk), {"name": "x"}).status_code == 403
    assert operator.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", EDITED, ids=label)
def test_a_form_to_add_opens(operator: Client, model: type[Any]) -> None:
    assert operator.get(address(model, "add")).status_code == 200


@pytest.mark.parametrize("model", EDITED, ids=label)
def test_an_empty_form_is_told_what_lacks(operator: Client, model: type[Any]) -> None:
    assert operator.post(address(model, "add"), {}).status_code == 200


@pytest.mark.parametrize(
    "parent",
    [
        "planning.Source",
        "planning.ObservationConfiguration",
        "observatory.InstrumentModuleConfiguration",
        "datamgmt.DataLocation",
    ],
)
def test_the_kind_is_chosen_when_a_polymorphic_thing_is_added(operator: Client, one_of_each: None, parent: str) -> None:
    parent_model = apps.get_model(parent)
    kinds = parent_model.__subclasses__()
    choice = operator.get(address(parent_model, "add")).content.decode()

    for kind in kinds:
        kind_id = ContentType.objects.get_for_model(kind, for_concrete_model=False).pk
        assert f'value="{kind_id}"' in choice
        form = operator.get(address(parent_model, "add"), {"ct_id": kind_id})
        assert form.status_code == 200
        own = [f.name for f in kind._meta.local_fields if not f.name.endswith("_ptr")]
        assert any(f'name="{name}"' in form.content.decode() for name in own)


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_a_viewer_sees_lists_and_no_buttons(viewer: Client, one_of_each: None, model: type[Any]) -> None:
    response = viewer.get(address(model, "changelist"))

    if model._meta.app_label == "accounts" and model not in (SystemLog, Change):
        assert response.status_code == 403
        return
    assert response.status_code == 200
    assert 'name="action"' not in response.content.decode()
    assert viewer.get(address(model, "add")).status_code == 403


def test_a_list_counts_no_further_than_its_bound(
    operator: Client, one_of_each: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccatdc.common.admin.paging.COUNTED_ROWS", 3)
    operations = apps.get_model("transfer.Operation")
    assert operations.objects.count() > 3

    content = operator.get(address(operations, "changelist")).content.decode()

    assert "3 operations" in " ".join(content.split())


def test_nothing_of_the_libraries_has_a_page() -> None:
    ours = (*OUR_APPS, "gateway")
    foreign = [m._meta.label for m in admin.site._registry if m._meta.app_label not in ours]

    assert foreign == []


def test_the_log_of_an_operation_is_read_in_the_portal(viewer: Client, settings: Any, tmp_path: Path) -> None:
    settings.STORAGES = {**settings.STORAGES, "logs": {**settings.STORAGES["logs"], "OPTIONS": {"location": tmp_path}}}
    operation = StagingFactory.create(claims=2, log_path="operations/0/1-1.log")
    page = reverse("admin:transfer_staging_log", args=[operation.pk])
    assert page in viewer.get(reverse("admin:transfer_operation_change", args=[operation.pk])).content.decode()
    assert "There is no log" in viewer.get(page).content.decode()

    (tmp_path / "operations" / "0").mkdir(parents=True)
    (tmp_path / "operations" / "0" / "1-1.log").write_text("<script>half-way</script>")
    assert "&lt;script&gt;half-way" in viewer.get(page).content.decode()
    earlier = tmp_path / log_name_of(operation.pk, 1)
    earlier.parent.mkdir(parents=True, exist_ok=True)
    earlier.write_text("Traceback of the first claim")
    assert "Traceback of the first claim" in viewer.get(page, {"claim": "1"}).content.decode()
    for claim in ("2", "3", "-1", "x"):
        assert "half-way" in viewer.get(page, {"claim": claim}).content.decode()
    assert Client().get(page).status_code == 302
