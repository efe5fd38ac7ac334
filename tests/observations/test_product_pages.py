"""The pages of data products and runs: who sees them, what they say of lineage, and the warning about bad data."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.test import Client

from accounts.models import User
from datamgmt.models import DataProduct, ProcessingRun, RawDataFile, RawDataPackage
from planning.models import ExecutionQuality
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import (
    DataProductFactory,
    ProcessingRunFactory,
    ProductFileFactory,
    PublicationFactory,
    RawDataFileFactory,
    RawDataPackageFactory,
    archive_package,
)
from tests.factories.planning import ExecutedObsUnitFactory, ProgramMembershipFactory

pytestmark = pytest.mark.django_db


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def somebody(**fields: object) -> User:
    user: User = UserFactory.create(permissions=["read:observations", "stage:data"], sees_all=False, **fields)
    return user


@dataclass
class World:
    """An observation, a map of it, a catalogue made from the map; who is in the program and who is not."""

    raw: RawDataPackage
    file: RawDataFile
    run: ProcessingRun
    product: DataProduct
    derived: DataProduct
    member: Client
    stranger: Client


@pytest.fixture
def world() -> World:
    execution = ExecutedObsUnitFactory.create(finished=True)
    raw = RawDataPackageFactory.create(archived=True, executed_obs_unit=execution)
    run = ProcessingRunFactory.create(completed=True, packages=[raw], configuration={"pixel_arcsec": 12.5})
    run.input_observations.add(execution)
    product = DataProductFactory.create(processing_run=run, name="orion/map.fits", quality_metrics={"rms_mjy": 1.25})
    package = RawDataPackageFactory.create(archived=True, executed_obs_unit=None, processing_run=run)
    archive_package(package)
    ProductFileFactory.create(data_product=product, raw_data_package=package)
    PublicationFactory.create().data_products.add(product)
    second = ProcessingRunFactory.create(completed=True, name="Sources of Orion-KL")
    second.input_products.add(product)
    return World(
        raw=raw,
        file=RawDataFileFactory.create(raw_data_package=raw, executed_obs_unit=execution),
        run=run,
        product=product,
        derived=DataProductFactory.create(processing_run=second, name="orion/sources.fits"),
        member=browser(ProgramMembershipFactory.create(user=somebody()).user),
        stranger=browser(somebody(username="stranger")),
    )


def test_a_product_tells_what_it_was_made_of_and_what_was_made_from_it(world: World) -> None:
    text = world.member.get(f"/products/{world.product.pk}/").content.decode()
    assert world.raw.name in text
    assert f"/observations/{world.raw.executed_obs_unit_id}/" in text
    assert f"/products/runs/{world.run.pk}/" in text
    assert f"/products/{world.derived.pk}/" in text
    assert all(each in text for each in ("rms_mjy", "10.3847/1538-4365/ac9838", "Stage this product"))
    assert "Rests on bad data" not in text


def test_a_run_tells_what_it_read_and_made(world: World) -> None:
    text = world.member.get(f"/products/runs/{world.run.pk}/").content.decode()
    assert all(each in text for each in ("pixel_arcsec", world.raw.name, "orion/map.fits", "Sources of Orion-KL"))


def test_the_observation_lists_what_was_made_of_it(world: World) -> None:
    text = world.member.get(f"/observations/{world.raw.executed_obs_unit_id}/").content.decode()
    assert f"/products/{world.product.pk}/" in text


def test_all_that_rests_on_a_bad_file_warns(world: World) -> None:
    RawDataFile.objects.filter(pk=world.file.pk).update(quality=ExecutionQuality.BAD, quality_comment="a glitch")
    for place in (
        f"/products/{world.product.pk}/",
        f"/products/{world.derived.pk}/",
        f"/products/runs/{world.run.pk}/",
    ):
        text = world.member.get(place).content.decode()
        assert "judged bad after it was made" in text
        assert "a glitch" in text
    for place in ("/products/", f"/observations/{world.raw.executed_obs_unit_id}/"):
        assert "Rests on bad data" in world.member.get(place).content.decode()


def test_strangers_see_what_is_released_and_no_names_of_what_is_not(world: World) -> None:
    places = [f"/products/{world.product.pk}/", f"/products/runs/{world.run.pk}/"]
    assert [world.stranger.get(place).status_code for place in places] == [404, 404]
    assert "orion/map.fits" not in world.stranger.get("/products/").content.decode()
    DataProduct.objects.filter(pk=world.product.pk).update(release="public")
    text = world.stranger.get(places[0]).content.decode()
    assert "one that you may not see" in text
    assert world.raw.name not in text
    assert "orion/sources.fits" not in text
    assert "orion/map.fits" in world.stranger.get("/products/").content.decode()


def test_the_search_shows_the_newest_version_unless_asked_for_all(world: World) -> None:
    newer = DataProductFactory.create(processing_run=world.run, name="orion/map.fits", version=2)
    DataProduct.objects.order_by().link_versions()
    assert f"/products/{world.product.pk}/" not in world.member.get("/products/").content.decode()
    text = world.member.get("/products/", {"versions": "all", "name": "map"}).content.decode()
    assert f"/products/{world.product.pk}/" in text
    assert f"/products/{newer.pk}/" in text
    assert f"/products/{world.derived.pk}/" not in text
    assert world.member.get("/products/", {"kind": "nonsense"}).status_code == 400


def test_its_packages_are_chosen_for_staging(world: World) -> None:
    answer = world.member.post(f"/products/{world.product.pk}/stage/")
    assert (answer.status_code, answer["Location"]) == (302, "/staging/request/")
    assert str(world.product.files.get().raw_data_package) in world.member.get("/staging/request/").content.decode()
