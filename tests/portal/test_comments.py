"""Comments and shift notes, and the audit log that names and links what its entries are about."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import SystemLog, record
from tests.factories.datamgmt import ArchiveLocationFactory, BufferLocationFactory, RawDataPackageFactory
from tests.factories.planning import ObsUnitFactory
from tests.portal.conftest import logged_in, person
from tests.portal.test_bulk_actions import act

pytestmark = pytest.mark.django_db
LOG = "/portal/accounts/systemlog/"


def say(client: Client, text: str, about: Any = None, **more: str) -> Any:
    """Post the form of a page."""
    thing = {"kind": about._meta.label_lower, "key": str(about.pk)} if about is not None else {}
    return client.post(reverse("admin:comment"), {"text": text, **thing, **more})


def page_of(client: Client, row: Any, page: str = "change") -> str:
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.pk])
    return client.get(address).content.decode()


def test_a_comment_stands_on_the_page_and_in_the_history_of_its_thing(operator: Client) -> None:
    package, other = RawDataPackageFactory.create(), RawDataPackageFactory.create()

    answer = say(operator, " Reads <slowly>. ", package, next=LOG)

    assert answer["Location"] == LOG
    for page in ("change", "history"):
        assert "Reads &lt;slowly&gt;." in page_of(operator, package, page)
        assert "Reads" not in page_of(operator, other, page)
    (entry,) = SystemLog.objects.said_by_people()
    assert entry.user is not None
    assert entry.user.username == "admin"


def test_a_comment_on_a_kind_is_one_on_the_thing(operator: Client) -> None:
    buffer = BufferLocationFactory.create()

    say(operator, "Fan is loud.", buffer)

    assert (
        "Fan is loud." in operator.get(reverse("admin:datamgmt_datalocation_change", args=[buffer.pk])).content.decode()
    )


def test_a_shift_note_is_about_nothing_and_found_in_the_log(operator: Client) -> None:
    record("operations", "Acknowledged something.")

    say(operator, "Quiet night.", next="https://elsewhere.example/")

    shown = operator.get(LOG, {"said": "people"}).content.decode()
    assert "Quiet night." in shown
    assert "Write a shift note" in shown
    assert "Acknowledged something." not in shown


@pytest.mark.parametrize("text", ["", "  ", "x" * 2001, "\0"])
def test_nothing_and_too_much_are_refused(operator: Client, text: str) -> None:
    answer = say(operator, text, next="https://elsewhere.example/")

    assert answer["Location"] == "/portal/"
    assert [message.level_tag for message in get_messages(answer.wsgi_request)] == ["error"]
    assert not SystemLog.objects.exists()


def test_who_may_not_see_a_thing_says_nothing_about_it(operator: Client) -> None:
    package = RawDataPackageFactory.create()
    scientist = logged_in(person("viewer"))

    assert say(scientist, "Mine!", package).status_code == 403
    assert operator.get(reverse("admin:comment")).status_code == 405
    for kind in ("datamgmt.rawdatapackage", "accounts.permission", "no", "no.model"):
        assert operator.post(reverse("admin:comment"), {"text": "x", "kind": kind, "key": "0"}).status_code == 404
    assert Client().post(reverse("admin:comment"), {"text": "x"}).status_code == 302
    assert not SystemLog.objects.exists()


def test_the_log_names_and_links_what_it_is_about_and_is_narrowed_by_kind(operator: Client) -> None:
    archive, package = ArchiveLocationFactory.create(), RawDataPackageFactory.create(name="orion_1")
    units = [ObsUnitFactory.create(name=f"unit_{n}", state="active") for n in range(5)]
    record("locations", "Checked.", about=archive)
    record("packages", "Sent again.", about=package)
    act(operator, "planning.ObsUnit", "hold_selected", units, confirmed="1")
    SystemLog.objects.create(
        component="old", message="Of a model that is no more.", object_type="gone.x", object_id="1"
    )

    with CaptureQueriesContext(connection) as queries:
        shown = operator.get(LOG).content.decode()
    narrowed = operator.get(LOG, {"kind": "datamgmt.datalocation"}).content.decode()

    assert f'href="{reverse("admin:datamgmt_rawdatapackage_change", args=[package.pk])}">orion_1</a>' in shown
    assert f'href="{reverse("admin:datamgmt_datalocation_change", args=[archive.pk])}"' in shown
    assert "unit_0</a>, " in shown
    assert "</a> and 2 more" in shown
    assert "Checked." in narrowed
    assert "Sent again." not in narrowed
    assert "Sent again." not in operator.get(LOG, {"kind": "nothing"}).content.decode()
    assert len(queries) <= 16
