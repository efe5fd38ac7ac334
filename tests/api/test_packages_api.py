"""Reading packages: filters, pages, copies and operations, bounded queries."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from datamgmt.models import RawDataPackage
from tests.api.conftest import ApiClient, problem
from tests.api.reading import PACKAGES, names_in, queries_of
from tests.factories.datamgmt import (
    DataTransferPackageFactory,
    RawDataFileFactory,
    RawDataPackageFactory,
    SourceLocationFactory,
    archive_package,
)
from tests.factories.observatory import DataStreamFactory, InstrumentFactory, InstrumentModuleFactory
from tests.factories.planning import ExecutedObsUnitFactory, FixedSourceFactory, ObservingProgramFactory, ObsUnitFactory
from tests.factories.transfer import DataTransferFactory, LongTermArchiveTransferFactory, RawDataPackageCreationFactory

pytestmark = pytest.mark.django_db


class TestPackages:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"state": "archived"}, ["archived"]),
            ({"state": "waiting"}, ["waiting"]),
            ({"status": "completed"}, ["archived"]),
            ({"program": "GEco"}, ["archived"]),
            ({"program": "WFS"}, ["waiting"]),
            ({"program": "geco"}, []),
            ({"source": "NGC 253"}, ["waiting"]),
            ({"instrument": "chai"}, ["waiting"]),
            ({"module": "f280"}, ["archived"]),
            ({"instrument": "chai", "module": "f280"}, []),
            ({"date": "2026-05-01"}, ["archived"]),
            ({"date_from": "2026-05-02", "date_to": "2026-05-02"}, ["waiting"]),
            ({"date_to": "9999-12-31"}, ["waiting", "archived"]),
            ({"date_from": "0001-01-01"}, ["waiting", "archived"]),
            ({"late": "true"}, ["waiting"]),
        ],
    )
    def test_filters(self, viewer_api: ApiClient, query: dict[str, str], found: list[str]) -> None:
        RawDataPackageFactory.create(name="archived", archived=True)
        unit = ObsUnitFactory.create(
            observing_program=ObservingProgramFactory.create(short_name="WFS"),
            source=FixedSourceFactory.create(name="NGC 253"),
        )
        RawDataPackageFactory.create(
            name="waiting",
            executed_obs_unit=ExecutedObsUnitFactory.create(obs_unit=unit, start_time=datetime(2026, 5, 2, tzinfo=UTC)),
            instrument_module=InstrumentModuleFactory.create(
                instrument=InstrumentFactory.create(short_name="chai"), short_name="lfa"
            ),
            is_late=True,
        )
        assert names_in(viewer_api.get(PACKAGES, **query)) == found

    @pytest.mark.parametrize(
        ("query", "is_found"),
        [
            ({"date": "2026-05-01"}, True),
            ({"date": "2026-05-02"}, True),
            ({"date": "2026-05-03"}, False),
            ({"date_from": "2026-05-02"}, True),
            ({"date_from": "2026-05-03"}, False),
            ({"date_to": "2026-05-01"}, True),
            ({"date_to": "2026-04-30"}, False),
        ],
    )
    def test_packages_of_data_streams_by_the_days_of_their_data(
        self, viewer_api: ApiClient, query: dict[str, str], is_found: bool
    ) -> None:
        stream = DataStreamFactory.create()
        package = RawDataPackageFactory.create(
            executed_obs_unit=None,
            data_stream=stream,
            instrument_module=stream.instrument_module,
            start_time=datetime(2026, 5, 1, 23, 30, tzinfo=UTC),
            end_time=datetime(2026, 5, 2, 0, 30, tzinfo=UTC),
        )
        assert names_in(viewer_api.get(PACKAGES, **query)) == [package.name] * is_found

    def test_by_execution(self, viewer_api: ApiClient) -> None:
        package, _ = (RawDataPackageFactory.create() for _ in range(2))
        query = {"execution": package.executed_obs_unit_id}
        assert names_in(viewer_api.get(PACKAGES, **query)) == [package.name]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"state": "lost"}, "state"),
            ({"execution": "7"}, "execution"),
            ({"date": "yesterday"}, "date"),
            ({"program": "a\x00"}, "program"),
            ({"stat": "archived"}, "stat"),
            ({"page": "2"}, "page"),
        ],
    )
    def test_a_parameter_that_makes_no_sense_is_refused(
        self, viewer_api: ApiClient, query: dict[str, str], field: str
    ) -> None:
        answer = problem(viewer_api.get(PACKAGES, **query), 400, "request.invalid")
        assert [error["field"] for error in answer["errors"]] == [field]

    def test_pages_follow_each_other_without_gaps(self, viewer_api: ApiClient) -> None:
        packages = [RawDataPackageFactory.create() for _ in range(7)]
        moment = packages[0].created_at
        RawDataPackage.objects.update(created_at=moment)  # ties must not lose rows either
        seen: list[str] = []
        address: str | None = f"{PACKAGES}?page_size=2"
        while address:
            page = viewer_api.http.get(address).json()
            seen += [row["id"] for row in page["results"]]
            parts = urlsplit(page["next"] or "")
            address = f"{parts.path}?{parts.query}" if page["next"] else None
        assert sorted(seen) == sorted(str(package.pk) for package in packages)

    @pytest.mark.parametrize(
        "cursor", ["x", "cD1nYXJiYWdl", "cD0lMDA", "bz05OTk5OTk5OTk5OTk5OTk5OTk5", "\x00", "====", "ü"]
    )
    @pytest.mark.parametrize("address", [PACKAGES, "/api/sources/", "files"])
    def test_a_cursor_that_is_not_ours_is_refused(self, viewer_api: ApiClient, address: str, cursor: str) -> None:
        if address == "files":
            package = RawDataPackageFactory.create()
            RawDataFileFactory.create(raw_data_package=package)
            address = f"{PACKAGES}{package.pk}/files/"
        answer = problem(viewer_api.get(address, cursor=cursor), 400, "request.invalid")
        assert [error["field"] for error in answer["errors"]] == ["cursor"]

    def test_many_packages_take_as_many_queries_as_one(self, viewer_api: ApiClient) -> None:
        RawDataPackageFactory.create()
        few = queries_of(viewer_api, PACKAGES)
        for number in range(10):
            RawDataPackageFactory.create(
                instrument_module=InstrumentModuleFactory.create(short_name=f"m{number}"),
                source_location=SourceLocationFactory.create(name=f"source_{number}"),
            )
        assert queries_of(viewer_api, PACKAGES) <= few

    def test_one_package_has_copies_and_operations(self, viewer_api: ApiClient) -> None:
        package = RawDataPackageFactory.create(archived=True)
        archive_package(package)
        creation = RawDataPackageCreationFactory.create(raw_data_package=package, completed=True)
        bundle = DataTransferPackageFactory.create(packages=[package], built=True)
        transfer = DataTransferFactory.create(data_transfer_package=bundle, completed=True)
        failed = LongTermArchiveTransferFactory.create(raw_data_package=package, failed=True)
        RawDataPackageCreationFactory.create()

        answer = viewer_api.get(f"{PACKAGES}{package.pk}/").json()

        assert answer["name"] == package.name
        assert [copy["location"] for copy in answer["copies"]] == ["cologne_long_term_archive"]
        assert [operation["id"] for operation in answer["operations"]] == [failed.pk, transfer.pk, creation.pk]
        assert answer["operations"][0]["error_code"] == "storage.key_missing"
        assert answer["operations"][0]["operation_type"] == "long_term_archive_transfer"
        assert answer["files"] == f"{PACKAGES}{package.pk}/files/"

    def test_an_open_operation_says_what_it_waits_for(self, viewer_api: ApiClient) -> None:
        creation = RawDataPackageCreationFactory.create()
        address = f"{PACKAGES}{creation.raw_data_package_id}/"
        (operation,) = viewer_api.get(address).json()["operations"]
        assert operation["waits_for"] == "No worker runs for ccat_primecam_raw_data."

    def test_many_operations_take_as_many_queries_as_one(self, viewer_api: ApiClient) -> None:
        package = RawDataPackageFactory.create(built=True)
        address = f"{PACKAGES}{package.pk}/"
        archive_package(package)
        RawDataPackageCreationFactory.create(raw_data_package=package)
        few = queries_of(viewer_api, address)
        for _ in range(10):
            LongTermArchiveTransferFactory.create(raw_data_package=package, failed=True)
        assert queries_of(viewer_api, address) <= few

    def test_its_files_are_listed_by_path(self, viewer_api: ApiClient) -> None:
        package = RawDataPackageFactory.create()
        for path in ("b", "a/c", "a/b"):
            RawDataFileFactory.create(raw_data_package=package, relative_path=path)
        RawDataFileFactory.create(relative_path="other")
        answer = viewer_api.get(f"{PACKAGES}{package.pk}/files/").json()
        assert [row["relative_path"] for row in answer["results"]] == ["a/b", "a/c", "b"]

    def test_files_of_an_unknown_package_are_404(self, viewer_api: ApiClient) -> None:
        problem(viewer_api.get(f"{PACKAGES}{uuid4()}/files/"), 404, "request.not_found")
