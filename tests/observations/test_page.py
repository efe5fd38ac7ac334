"""The page of one observation."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from datamgmt.models import RawDataFile
from planning.models import ExecutedObsUnit
from tests.accounts.foreign import scientist
from tests.factories.accounts import UserFactory
from tests.portal.conftest import logged_in

pytestmark = pytest.mark.django_db


def page(row: ExecutedObsUnit) -> str:
    return reverse("observations:observation", args=[row.pk])


def test_it_tells_what_is_known(client: Client, orion: ExecutedObsUnit) -> None:
    text = client.get(page(orion)).content.decode()
    for told in (
        "M42",
        "0.40 mm",
        "calm &lt;all night&gt;",
        "orion_pack_1",
        "blake3:",
        "17500/one.g3",
        "Everybody, since",
    ):
        assert told in text
    archive = orion.raw_data_packages.get().copies.non_polymorphic().get().data_location.full_name
    assert archive in text
    assert f"observation {orion.pk}" in text
    assert "/portal/" not in text


def test_staff_get_a_link_to_the_portal(orion: ExecutedObsUnit) -> None:
    staff = UserFactory.create(permissions=["read:observations"], is_staff=True)
    text = logged_in(staff).get(page(orion)).content.decode()
    assert reverse("admin:planning_executedobsunit_change", args=[orion.pk]) in text
    assert "Stage this observation" not in text


def test_the_picture_of_its_elevation_can_be_fetched(client: Client, orion: ExecutedObsUnit) -> None:
    text = client.get(page(orion)).content.decode()
    address = text.split('src="/api/')[1].split('"')[0].replace("&amp;", "&")
    answer = client.get(f"/api/{address}")
    assert answer.status_code == 200
    assert answer.content.startswith(b"<svg")
    assert "evening=2026-05-01" in address


def test_files_come_in_pages(client: Client, orion: ExecutedObsUnit) -> None:
    one = RawDataFile.objects.get()
    copies = [
        RawDataFile(
            relative_path=f"17500/{number:03}.g3",
            name=f"{number:03}.g3",
            size=1,
            executed_obs_unit=orion,
            instrument_module=one.instrument_module,
            source_location=one.source_location,
        )
        for number in range(60)
    ]
    RawDataFile.objects.bulk_create(copies)
    assert "17500/059.g3" not in client.get(page(orion)).content.decode()
    assert "17500/059.g3" in client.get(page(orion), {"files-page": 2}).content.decode()


def test_its_packages_are_chosen_for_staging(client: Client, orion: ExecutedObsUnit) -> None:
    answer = client.post(reverse("observations:stage", args=[orion.pk]), follow=True)
    assert answer.request["PATH_INFO"] == reverse("staging:request")
    assert "orion_pack_1" in answer.content.decode()


def test_what_is_not_archived_has_no_button(client: Client, center: ExecutedObsUnit) -> None:
    text = client.get(page(center)).content.decode()
    assert "Stage this observation" not in text
    assert "It has no package yet" in text
    assert "CO(4-3)" in text


def test_a_foreign_observation_does_not_exist(center: ExecutedObsUnit) -> None:
    browser = logged_in(scientist())
    assert browser.get(page(center)).status_code == 404
    assert browser.post(reverse("observations:stage", args=[center.pk])).status_code == 404
    assert browser.post(reverse("observations:stage", args=[center.pk])).content.decode().count("center map") == 0


def test_others_see_what_is_public(orion: ExecutedObsUnit) -> None:
    assert logged_in(scientist()).get(page(orion)).status_code == 200
