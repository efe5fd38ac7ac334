"""No page of the portal asks for each row: eight rows need as many queries as two, and fewer than twenty."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.auth import uses
from tests.portal.test_pages import EDITED, MODELS, address, label
from tests.portal.worlds import World

MOST = 20
#: Pages that tell a whole story: of a package, of what works on it, of why a copy is kept. Bounded, but more.
STORIES = {
    "datamgmt.DataTransferPackage": 45,
    "datamgmt.PhysicalCopy": 30,
    "datamgmt.RawDataFile": 25,
    "datamgmt.RawDataPackage": 45,
    "transfer.DataTransfer": 30,
}
#: A person that is chosen in a row of another's page is named by a query of its own; such a page shows 20 rows at a time.
NAMED_ONE_BY_ONE = {"planning.ObservingProgram row": 6}


def asked(client: Client, url: str) -> list[str]:
    """What a page asks the database, in order."""
    with CaptureQueriesContext(connection) as queries:
        response = client.get(url)
    assert response.status_code == 200, (url, response.status_code)
    return [query["sql"] for query in queries]


def pages() -> dict[str, tuple[str, int]]:
    """By name: address, and how many queries it may need. Rows: the first of each model."""
    found: dict[str, tuple[str, int]] = {}
    for model in MODELS:
        found[f"{label(model)} list"] = (address(model, "changelist"), MOST)
        row = model._default_manager.order_by("pk").first()
        if row is not None:
            most = STORIES.get(label(model), MOST)
            found[f"{label(model)} row"] = (address(model, "change", row.pk), most)
        if model in EDITED:
            found[f"{label(model)} add"] = (address(model, "add"), MOST)
    return found


def counted(client: Client, chosen: dict[str, tuple[str, int]]) -> dict[str, list[str]]:
    return {name: asked(client, url) for name, (url, _) in chosen.items()}


@pytest.mark.django_db
def test_eight_rows_need_as_many_queries_as_two(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uses, "RESOLUTION_SECONDS", 3600.0)  # the use of the session is noted once
    first = World(0)
    World(1, first)
    chosen = pages()
    # What is asked once in a process is no matter of rows.
    ContentType.objects.get_for_models(*apps.get_models(), for_concrete_models=False)
    asked(operator, "/portal/")
    few = counted(operator, chosen)
    for n in range(2, 8):
        World(n, first)

    many = counted(operator, chosen)

    grown = {
        name: (len(few[name]), len(many[name]), _repeated(many[name]))
        for name in chosen
        if len(many[name]) > len(few[name]) + NAMED_ONE_BY_ONE.get(name, 0)
    }
    assert grown == {}
    over = {
        name: len(many[name])
        for name, (_, most) in chosen.items()
        if len(many[name]) > most + NAMED_ONE_BY_ONE.get(name, 0)
    }
    assert over == {}


def _repeated(queries: list[str]) -> str:
    """The statement that was asked most often, for whoever has to mend it."""
    beginnings = [query[:160] for query in queries]
    return max(beginnings, key=beginnings.count)
