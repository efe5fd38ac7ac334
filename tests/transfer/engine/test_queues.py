"""Names of queues follow the seeds' convention and matrix."""

from __future__ import annotations

import pytest

from ccatdc.common.errors import ConfigurationError, NotFoundError
from datamgmt.models import LocationType
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    BufferLocationFactory,
    ProcessingLocationFactory,
    SiteFactory,
    SourceLocationFactory,
)
from transfer.engine.queue import all_queues, location_named, queue_name, queues_for
from transfer.pipeline import OperationType

pytestmark = pytest.mark.django_db

#: The seeds' operation-location matrix, word for word, the scrub of stage 90 the inventory of stage 95 and runs on the cluster.
MATRIX = {
    LocationType.SOURCE: ["raw_data_package_creation", "deletion", "monitoring", "inventory"],
    LocationType.BUFFER: [
        "data_transfer_package_creation",
        "data_transfer",
        "data_transfer_unpacking",
        "deletion",
        "monitoring",
        "verification",
        "inventory",
    ],
    LocationType.LONG_TERM_ARCHIVE: ["long_term_archive_transfer", "monitoring", "verification", "inventory"],
    LocationType.PROCESSING: [
        "staging",
        "run_submission",
        "run_following",
        "run_collection",
        "deletion",
        "monitoring",
        "inventory",
    ],
}


@pytest.mark.parametrize(
    ("site", "name", "operation_type", "queue"),
    [
        (
            "ccat",
            "telescope_computer",
            OperationType.RAW_DATA_PACKAGE_CREATION,
            "ccat_telescope_computer_raw_data_package_creation",
        ),
        ("cologne", "buffer", OperationType.DATA_TRANSFER, "cologne_buffer_data_transfer"),
        ("ramses", "processing", OperationType.STAGING, "ramses_processing_staging"),
    ],
)
def test_names_are_those_of_the_seeds(site: str, name: str, operation_type: str, queue: str) -> None:
    location = BufferLocationFactory.create(site=SiteFactory.create(short_name=site), name=name)
    assert queue_name(location, operation_type) == queue


@pytest.mark.parametrize(
    ("factory", "location_type"),
    [
        (SourceLocationFactory, LocationType.SOURCE),
        (BufferLocationFactory, LocationType.BUFFER),
        (ArchiveLocationFactory, LocationType.LONG_TERM_ARCHIVE),
        (ProcessingLocationFactory, LocationType.PROCESSING),
    ],
)
def test_each_type_of_location_has_the_queues_of_the_matrix(
    factory: type[BufferLocationFactory], location_type: LocationType
) -> None:
    location = factory.create()
    expected = [f"{location.full_name}_{operation}" for operation in MATRIX[location_type]]
    assert queues_for(location) == expected


def test_only_active_locations_at_active_sites_are_listed() -> None:
    here = BufferLocationFactory.create()
    BufferLocationFactory.create(name="spare_buffer", active=False)
    closed = SiteFactory.create(short_name="bonn", active=False)
    BufferLocationFactory.create(site=closed)
    assert {location.full_name for location, _ in all_queues()} == {here.full_name}


def test_the_longest_queue_name_fits_into_django_q() -> None:
    location = BufferLocationFactory.create(site=SiteFactory.create(short_name="s" * 31), name="n" * 31)
    location.full_clean()
    assert max(map(len, (queue_name(location, kind) for kind in OperationType))) <= 100


def test_an_unknown_location_is_answered_with_those_that_exist() -> None:
    BufferLocationFactory.create()
    with pytest.raises(NotFoundError, match="There are: ccat_output_buffer"):
        location_named("ccat_output")
    with pytest.raises(NotFoundError, match=r"no location 'ccat_output_buffer '"):
        location_named("ccat_output_buffer ")


def test_a_name_that_two_locations_share_is_refused() -> None:
    BufferLocationFactory.create(site=SiteFactory.create(short_name="ccat"), name="north_buffer")
    BufferLocationFactory.create(site=SiteFactory.create(short_name="ccat_north"), name="buffer")
    with pytest.raises(ConfigurationError, match="means 2 locations"):
        location_named("ccat_north_buffer")
