"""Reading what was filed and planned: shapes, filters, pages, and bounded queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ccatdc.common.states import Status
from datamgmt.models import RawDataPackage
from datamgmt.states import PhysicalCopyStatus
from tests.api.conftest import ApiClient, problem
from tests.factories.datamgmt import (
    BufferLocationFactory,
    DataTransferPackageFactory,
    RawDataFileFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    SourceLocationFactory,
    TapeDataLocationFactory,
    archive_package,
)
from tests.factories.observatory import InstrumentFactory, InstrumentModuleFactory
from tests.factories.planning import (
    ConstantElevationSourceFactory,
    ExecutedObsUnitFactory,
    FixedSourceFactory,
    ObservingProgramFactory,
    ObsUnitFactory,
    SolarSystemObjectFactory,
    SubObservingProgramFactory,
)
from tests.factories.transfer import (
    DataTransferFactory,
    LocationCheckFactory,
    LongTermArchiveTransferFactory,
    RawDataPackageCreationFactory,
)

pytestmark = pytest.mark.django_db

PACKAGES = "/api/raw_data_packages/"


def queries_of(api: ApiClient, address: str, **query: Any) -> int:
    with CaptureQueriesContext(connection) as seen:
        answer = api.get(address, **query)
    assert answer.status_code == 200, answer.content
    return len(seen)


def names_in(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["results"]]


class TestExecution:
    def test_it_counts_files_and_packages(self, viewer_api: ApiClient) -> None:
        execution = ExecutedObsUnitFactory.create(finished=True)
        archived = RawDataPackageFactory.create(executed_obs_unit=execution, archived=True)
        RawDataPackageFactory.create(executed_obs_unit=execution)
        RawDataFileFactory.create(executed_obs_unit=execution, raw_data_package=archived)
        RawDataFileFactory.create(executed_obs_unit=execution, size=7)
        RawDataFileFactory.create()

        answer = viewer_api.get(f"/api/executed_obs_units/{execution.pk}").json()

        assert answer["files"] == {"count": 2, "bytes": 1007, "unpackaged": 1}
        assert answer["packages"] == {"archived": 1, "waiting": 1}
        assert answer["status"] == "completed"

    def test_an_unknown_one_is_404(self, viewer_api: ApiClient) -> None:
        answer = viewer_api.get(f"/api/executed_obs_units/{uuid4()}")
        problem(answer, 404, "request.not_found")

    def test_the_list_has_the_latest_first_and_filters(self, viewer_api: ApiClient) -> None:
        start = datetime(2026, 5, 1, 23, 59, 59, 999999, tzinfo=UTC)
        early, late = (
            ExecutedObsUnitFactory.create(start_time=start + timedelta(microseconds=n))
            for n in range(2)
        )
        address = "/api/executed_obs_units/"

        def found(**query: Any) -> list[str]:
            return [row["id"] for row in viewer_api.get(address, **query).json()["results"]]

        assert found() == [str(late.pk), str(early.pk)]
        assert found(date="2026-05-01") == [str(early.pk)]
        assert found(date_from="2026-05-02") == [str(late.pk)]
        assert found(date_to="2026-05-01") == [str(early.pk)]
        assert found(obs_unit=early.obs_unit_id) == [str(early.pk)]
        assert found(status="completed") == []


class TestFile:
    def test_it_is_at_source_before_it_is_packaged(self, viewer_api: ApiClient) -> None:
        file = RawDataFileFactory.create()
        RawDataFilePhysicalCopyFactory.create(raw_data_file=file)

        answer = viewer_api.get(f"/api/raw_data_files/{file.pk}").json()

        assert answer["package"] is None
        (where,) = answer["copies"]
        assert where["location"] == "ccat_primecam_raw_data"
        assert where["path"] == f"/nonexistent/ccat/primecam_raw_data/{file.relative_path}"
        assert (where["via"], where["member"]) == ("file", "")
        assert (where["status"], where["integrity"]) == ("present", "unverified")

    def test_then_it_is_wherever_its_package_is(self, viewer_api: ApiClient) -> None:
        package = RawDataPackageFactory.create(archived=True)
        file = RawDataFileFactory.create(raw_data_package=package)
        RawDataFilePhysicalCopyFactory.create(raw_data_file=file, status=PhysicalCopyStatus.DELETED)
        archive_package(package)
        RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, staged=True)
        RawDataPackagePhysicalCopyFactory.create(
            raw_data_package=package, data_location=TapeDataLocationFactory.create(mount_path="/t")
        )

        answer = viewer_api.get(f"/api/raw_data_files/{file.pk}").json()

        assert answer["package"]["id"] == str(package.pk)
        assert answer["package"]["state"] == "archived"
        source, archive, staged, tape = answer["copies"]
        assert source["status"] == "deleted"
        assert archive["path"].startswith("s3://cologne-long-term-archive/packages/")
        assert archive["member"] == file.relative_path
        assert staged["path"].startswith("/nonexistent/cologne/ramses_processing/packages/")
        assert staged["path"].endswith(file.relative_path)
        assert staged["member"] == ""
        assert tape["path"].startswith("/t/packages/")

    def test_many_copies_take_as_many_queries_as_one(self, viewer_api: ApiClient) -> None:
        package = RawDataPackageFactory.create(archived=True)
        file = RawDataFileFactory.create(raw_data_package=package)
        RawDataFilePhysicalCopyFactory.create(raw_data_file=file)
        archive_package(package)
        address = f"/api/raw_data_files/{file.pk}"
        few = queries_of(viewer_api, address)
        for number in range(8):
            RawDataPackagePhysicalCopyFactory.create(
                raw_data_package=package,
                data_location=BufferLocationFactory.create(name=f"buffer_{number}"),
            )
        assert queries_of(viewer_api, address) <= few + 1

    def test_an_unknown_one_is_404(self, viewer_api: ApiClient) -> None:
        problem(viewer_api.get(f"/api/raw_data_files/{uuid4()}"), 404, "request.not_found")


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
            executed_obs_unit=ExecutedObsUnitFactory.create(
                obs_unit=unit, start_time=datetime(2026, 5, 2, tzinfo=UTC)
            ),
            instrument_module=InstrumentModuleFactory.create(
                instrument=InstrumentFactory.create(short_name="chai"), short_name="lfa"
            ),
            is_late=True,
        )
        assert names_in(viewer_api.get(PACKAGES, **query)) == found

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
        "cursor",
        ["x", "cD1nYXJiYWdl", "cD0lMDA", "bz05OTk5OTk5OTk5OTk5OTk5OTk5", "\x00", "====", "ü"],
    )
    @pytest.mark.parametrize("address", [PACKAGES, "/api/sources/", "files"])
    def test_a_cursor_that_is_not_ours_is_404(
        self, viewer_api: ApiClient, address: str, cursor: str
    ) -> None:
        if address == "files":
            package = RawDataPackageFactory.create()
            RawDataFileFactory.create(raw_data_package=package)
            address = f"{PACKAGES}{package.pk}/files/"
        answer = viewer_api.get(address, cursor=cursor)
        assert answer.status_code in {200, 404}, answer.content
        if answer.status_code == 404:
            problem(answer, 404, "request.not_found")

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
        assert [operation["id"] for operation in answer["operations"]] == [
            failed.pk,
            transfer.pk,
            creation.pk,
        ]
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


class TestReference:
    def test_instruments_have_their_modules(self, viewer_api: ApiClient) -> None:
        InstrumentModuleFactory.create()
        (row,) = viewer_api.get("/api/instruments/").json()["results"]
        assert row["short_name"] == "primecam"
        assert [module["short_name"] for module in row["modules"]] == ["f280"]
        assert viewer_api.get("/api/instruments/primecam/").json() == row

    def test_programs_have_their_sub_programs(self, viewer_api: ApiClient) -> None:
        program = SubObservingProgramFactory.create().observing_program
        program.instruments.add(InstrumentFactory.create())
        (row,) = viewer_api.get("/api/observing_programs/").json()["results"]
        assert row["short_name"] == "GEco"
        assert row["instruments"] == ["primecam"]
        assert [sub["short_name"] for sub in row["sub_programs"]] == ["GC"]
        assert viewer_api.get(f"/api/observing_programs/{program.pk}/").json() == row

    def test_obs_units_are_found_by_program_and_name(self, viewer_api: ApiClient) -> None:
        unit, _ = ObsUnitFactory.create(name="a"), ObsUnitFactory.create(name="b")
        (row,) = viewer_api.get("/api/obs_units/", program="GEco", name="a").json()["results"]
        assert row["id"] == unit.pk
        assert row["source_name"] == "Orion-KL"
        assert viewer_api.get(f"/api/obs_units/{unit.pk}/").json() == row

    def test_sources_show_what_their_kind_has(self, viewer_api: ApiClient) -> None:
        FixedSourceFactory.create()
        SolarSystemObjectFactory.create()
        ConstantElevationSourceFactory.create()
        fixed, planet, field = viewer_api.get("/api/sources/").json()["results"]
        assert (fixed["type"], fixed["ra_deg"]) == ("fixed_source", 83.809)
        assert (planet["type"], planet["naif_id"]) == ("solar_system_object", 599)
        assert (field["type"], field["elevation_deg"]) == ("constant_elevation_source", 50.0)
        assert viewer_api.get(f"/api/sources/{planet['id']}/").json() == planet
        assert names_in(viewer_api.get("/api/sources/", name="jup")) == ["Jupiter"]
        assert names_in(viewer_api.get("/api/sources/", type="fixed_source")) == ["Orion-KL"]

    def test_locations_show_their_usage(self, viewer_api: ApiClient) -> None:
        location = BufferLocationFactory.create(capacity_bytes=1000, used_bytes=250)
        (row,) = viewer_api.get("/api/data_locations/").json()["results"]
        assert (row["full_name"], row["used_pct"]) == ("ccat_output_buffer", 25.0)
        assert "path" not in row
        assert viewer_api.get(f"/api/data_locations/{location.pk}/").json() == row

    @pytest.mark.parametrize(
        "address",
        [
            "/api/instruments/",
            "/api/observing_programs/",
            "/api/obs_units/",
            "/api/sources/",
            "/api/data_locations/",
            "/api/executed_obs_units/",
        ],
    )
    def test_many_rows_take_as_many_queries_as_few(
        self, viewer_api: ApiClient, address: str
    ) -> None:
        def add(number: int) -> None:
            unit = ObsUnitFactory.create(
                observing_program=ObservingProgramFactory.create(short_name=f"P{number}"),
                source=FixedSourceFactory.create(name=f"S{number}"),
            )
            ExecutedObsUnitFactory.create(obs_unit=unit)
            InstrumentModuleFactory.create(
                instrument=InstrumentFactory.create(short_name=f"i{number}")
            )
            BufferLocationFactory.create(name=f"b{number}")

        add(0)
        viewer_api.get(address)
        few = queries_of(viewer_api, address)
        for number in range(1, 9):
            add(number)
        assert queries_of(viewer_api, address) <= few

    @pytest.mark.parametrize(
        "address", ["obs_units/9223372036854775808/", f"sources/{10**40}/", "data_locations/0/"]
    )
    def test_a_number_that_no_row_has_is_404(self, viewer_api: ApiClient, address: str) -> None:
        problem(viewer_api.get(f"/api/{address}"), 404, "request.not_found")


def test_one_operation_is_shown(viewer_api: ApiClient) -> None:
    check = LocationCheckFactory.create(completed=True)
    answer = viewer_api.get(f"/api/transfer/operations/{check.pk}").json()
    assert answer["operation_type"] == "monitoring"
    assert answer["status"] == Status.COMPLETED
    assert answer["waits_for"] == ""
