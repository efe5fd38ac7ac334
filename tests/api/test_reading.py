"""Reading executions and files: where is my file?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from ccatdc.common.states import Status
from datamgmt.states import PhysicalCopyStatus
from tests.api.conftest import ApiClient, problem
from tests.api.reading import queries_of
from tests.factories.datamgmt import (
    BufferLocationFactory,
    RawDataFileFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    TapeDataLocationFactory,
    archive_package,
)
from tests.factories.planning import ExecutedObsUnitFactory
from tests.factories.transfer import LocationCheckFactory

pytestmark = pytest.mark.django_db


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
        early, late = (ExecutedObsUnitFactory.create(start_time=start + timedelta(microseconds=n)) for n in range(2))
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
                raw_data_package=package, data_location=BufferLocationFactory.create(name=f"buffer_{number}")
            )
        assert queries_of(viewer_api, address) <= few + 1

    def test_an_unknown_one_is_404(self, viewer_api: ApiClient) -> None:
        problem(viewer_api.get(f"/api/raw_data_files/{uuid4()}"), 404, "request.not_found")


def test_one_operation_is_shown(viewer_api: ApiClient) -> None:
    check = LocationCheckFactory.create(completed=True)
    answer = viewer_api.get(f"/api/transfer/operations/{check.pk}").json()
    assert answer["operation_type"] == "monitoring"
    assert answer["status"] == Status.COMPLETED
    assert answer["waits_for"] == ""
