"""Every list of the portal as CSV: the rows that it shows, to whom it shows them, safe in a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ccatdc.common.csv_lines import csv_line
from datamgmt.models import RawDataPackage
from planning.models import ExecutedObsUnit, Source
from tests.factories.datamgmt import RawDataFileFactory, RawDataPackageFactory
from tests.factories.planning import FixedSourceFactory
from tests.portal.conftest import logged_in, person
from tests.portal.test_pages import MODELS, address


def table(client: Client, model: type, **query: str) -> list[dict[str, str]]:
    """The rows of a list's file."""
    response = client.get(address(model, "csv"), query)
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(response.getvalue().decode())))


def test_every_list_is_a_file_too(operator: Client, one_of_each: None) -> None:
    request = operator.get(address(RawDataPackage, "changelist")).wsgi_request
    for model in MODELS:
        rows = table(operator, model)
        assert len(rows) == admin.site.get_model_admin(model).get_queryset(request).count(), model
    for model in (RawDataPackage, Source):
        page = operator.get(address(model, "changelist"), {"p": "1", "q": "orion"}).content.decode()
        assert f'href="{address(model, "csv")}?q=orion"' in page


def test_the_file_has_what_the_list_is_narrowed_to_with_exact_values(operator: Client, db: None) -> None:
    package = RawDataPackageFactory.create(name="wanted_1", archived=True)
    RawDataPackageFactory.create(name="wanted_2")
    RawDataPackageFactory.create(name="other", archived=True)

    (row,) = table(operator, RawDataPackage, q="wanted", state__exact="archived", o="1")

    assert row["id"] == str(package.pk)
    assert row["Name"] == "wanted_1"
    assert row["State"] == "Archived"
    assert row["Size (bytes)"] == "10240"
    assert row["Created at"] == package.created_at.isoformat().replace("+00:00", "Z")


def test_rows_cost_no_query_each(operator: Client, db: None) -> None:
    FixedSourceFactory.create(name="first")
    files = RawDataFileFactory.create_batch(3)
    table(operator, type(files[0]))
    with CaptureQueriesContext(connection) as few:
        table(operator, type(files[0]))
    RawDataFileFactory.create_batch(5)
    with CaptureQueriesContext(connection) as many:
        table(operator, type(files[0]))

    assert len(many) == len(few)


def test_a_file_ends_at_its_limit_and_its_name_says_so(
    operator: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("exports", "base"):
        monkeypatch.setattr(f"ccatdc.common.admin.{module}.MAX_ROWS", 2)
    for number in range(2):
        RawDataPackageFactory.create(name=f"package_{number}")
    assert "first" not in operator.get(address(RawDataPackage, "csv"))["Content-Disposition"]

    RawDataPackageFactory.create(name="package_2")

    assert len(table(operator, RawDataPackage)) == 2
    assert "rawdatapackage_first_2.csv" in operator.get(address(RawDataPackage, "csv"))["Content-Disposition"]


def test_a_person_gets_the_rows_that_they_may_see(one_of_each: None) -> None:
    member = logged_in(person("viewer"))

    executions = table(member, ExecutedObsUnit)
    assert len(executions) < ExecutedObsUnit.objects.count()
    assert member.get(address(RawDataPackage, "csv")).status_code == 403
    users = next(model for model in MODELS if model._meta.label == "accounts.User")
    assert member.get(address(users, "csv")).status_code == 403
    assert Client().get(address(Source, "csv")).status_code == 302


def test_a_filter_that_is_none_leads_back_to_the_list(operator: Client, db: None) -> None:
    assert operator.get(address(RawDataPackage, "csv"), {"size__exact": "x"}).status_code == 302
    assert operator.get(address(RawDataPackage, "csv"), {"source_location__site__name": "x"}).status_code == 400


def test_no_cell_is_a_formula(operator: Client, db: None) -> None:
    FixedSourceFactory.create(name='=HYPERLINK("http://x")', description="@SUM(1)")

    (row,) = table(operator, Source)

    assert row["Name"].startswith("'=")
    assert row["Description"] == "'@SUM(1)"
    assert csv_line(["-1", -1, "a,b", "\tx"]) == "'-1,-1,\"a,b\",'\tx\r\n"
