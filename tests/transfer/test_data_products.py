"""Data products from filing to the archive, and back: packaged by run, archived, deleted, staged, rebuilt."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection

from accounts.models import User
from ccatdc.dev.s3server import S3Server
from datamgmt.filing.product_rows import read_product_reports
from datamgmt.filing.products import register_products
from datamgmt.filing.runs import RunEnd, RunReport, finish_run, start_run
from datamgmt.models import (
    DataProduct,
    DiskDataLocation,
    LocationType,
    PhysicalCopy,
    ProcessingRun,
    RawDataFile,
    RawDataPackage,
    RunStatus,
)
from datamgmt.rebuilding.catalogue import rebuild
from datamgmt.states import PackageState, PhysicalCopyStatus
from planning.models import ExecutedObsUnit
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import ReductionSoftwareFactory
from tests.flow import Flow, members_of
from transfer.staging.requests import request_staging

ARCHIVED = ("package", "bundle", "transfer", "unpack", "archive")
BEGIN = datetime.fromisoformat("2026-05-02T06:00:00+00:00")
MAP = "orion/science/map.fits"
PLOT = "orion/plots/map.png"


@pytest.fixture
def flow(transactional_db: None, tmp_path: Path, s3_server: S3Server) -> Flow:
    return Flow(tmp_path, s3_server, ("ccat-test-access", "ccat-test-secret"))


@pytest.fixture
def results(flow: Flow) -> DiskDataLocation:
    """Where runs write what is to be archived: beside the PROCESSING location, at the site of the archive."""
    return flow.disk(flow.cologne, "ramses_results", LocationType.SOURCE)


@pytest.fixture
def scientist(transactional_db: None) -> User:
    ReductionSoftwareFactory.create()
    return UserFactory.create(is_superuser=True)


def begun(user: User, **inputs: Any) -> ProcessingRun:
    report = RunReport(id=uuid4(), name="Orion-KL", software="map-maker", version="1.0.0", start_time=BEGIN, **inputs)
    return start_run(report, user=user)[0]


def made(run: ProcessingRun, results: DiskDataLocation, files: dict[str, bytes], user: User) -> list[DataProduct]:
    """Write files and file each as a product."""
    rows = []
    for path, content in files.items():
        target = Path(results.path) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        file = {"id": str(uuid4()), "source_location": results.full_name, "relative_path": path, "size": len(content)}
        kind = "plot" if "/plots/" in path else "science"
        product = {"id": str(uuid4()), "processing_run": str(run.pk), "name": path, "kind": kind, "files": [file]}
        rows.append(product)
    return register_products(read_product_reports(rows), user=user).products


def over(run: ProcessingRun, user: User) -> None:
    finish_run(run.pk, RunEnd(RunStatus.COMPLETED, BEGIN + timedelta(hours=1), exit_code=0), user=user)


def reduced(flow: Flow, results: DiskDataLocation, user: User) -> tuple[ExecutedObsUnit, ProcessingRun]:
    """An archived observation, and a completed run that made a map and a plot of it."""
    execution = flow.observe({"run1/a": b"raw"})
    flow.run(*ARCHIVED)
    raw = RawDataPackage.objects.get()
    run = begun(user, input_packages=(raw.name,), input_observations=(execution.pk,))
    made(run, results, {MAP: b"map", PLOT: b"plot"}, user)
    over(run, user)
    return execution, run


class TestFlow:
    def test_products_are_archived_deleted_and_staged_as_raw_data(
        self, flow: Flow, results: DiskDataLocation, scientist: User
    ) -> None:
        _, run = reduced(flow, results, scientist)
        flow.run(*ARCHIVED)
        package = run.raw_data_packages.get()
        assert package.state == PackageState.ARCHIVED
        assert package.name.startswith("GEco_primecam_map-maker_20260502T060000_")
        copy = PhysicalCopy.objects.of_package(package.pk).at(flow.archive).get()
        assert f"/2026/05/02/{run.pk}/" in copy.key
        assert members_of(flow.object_path(flow.archive, copy.key)) == {MAP: b"map", PLOT: b"plot"}
        sidecar = json.loads(flow.object_path(flow.archive, copy.key.removesuffix(".tar") + ".json").read_bytes())
        assert sidecar["processing_run"]["input_packages"] == [
            str(pk) for pk in run.input_packages.values_list("pk", flat=True)
        ]
        assert {row["name"] for row in sidecar["related"]["data_product"]} == {MAP, PLOT}

        flow.run("delete")
        assert not (Path(results.path) / MAP).exists()
        states = PhysicalCopy.objects.filter(raw_data_file__data_product__isnull=False)
        assert set(states.values_list("status", flat=True)) == {PhysicalCopyStatus.DELETED}

        job = request_staging(scientist, [package.pk], flow.processing)
        flow.run("stage")
        assert (Path(flow.processing.path) / job.folder_key / package.name / MAP).read_bytes() == b"map"

    def test_nothing_is_packaged_before_the_run_is_over(
        self, flow: Flow, results: DiskDataLocation, scientist: User
    ) -> None:
        execution = flow.observe({"run1/a": b"raw"}, finish=False)
        run = begun(scientist, input_observations=(execution.pk,), instrument="primecam", module="f280")
        made(run, results, {MAP: b"map"}, scientist)
        assert flow.plan("package") == 0
        over(run, scientist)
        assert flow.plan("package") == 1

    def test_a_file_that_changed_after_it_was_filed_is_set_aside(
        self, flow: Flow, results: DiskDataLocation, scientist: User
    ) -> None:
        execution = flow.observe({"run1/a": b"raw"})
        run = begun(scientist, input_observations=(execution.pk,), instrument="primecam", module="f280")
        made(run, results, {MAP: b"map", PLOT: b"plot"}, scientist)
        (Path(results.path) / MAP).write_bytes(b"another map")
        over(run, scientist)
        flow.run("package")
        assert list(RawDataFile.objects.set_aside().values_list("relative_path", flat=True)) == [MAP]
        assert list(run.raw_data_packages.get().raw_data_files.values_list("relative_path", flat=True)) == [PLOT]

    def test_what_is_filed_after_it_was_packaged_comes_in_a_further_package(
        self, flow: Flow, results: DiskDataLocation, scientist: User
    ) -> None:
        execution = flow.observe({"run1/a": b"raw"}, finish=False)
        run = begun(scientist, input_observations=(execution.pk,), instrument="primecam", module="f280")
        made(run, results, {MAP: b"map", PLOT: b"plot"}, scientist)
        over(run, scientist)
        flow.run("package")
        made(run, results, {"orion/logs/late.log": b"log"}, scientist)
        flow.run("package")
        assert list(run.raw_data_packages.order_by("name").values_list("is_late", "file_count")) == [
            (False, 2),
            (True, 1),
        ]

    def test_products_and_their_lineage_come_back_from_the_sidecars_alone(
        self, flow: Flow, results: DiskDataLocation, scientist: User
    ) -> None:
        execution, first = reduced(flow, results, scientist)
        again = begun(scientist, input_products=tuple(first.data_products.values_list("pk", flat=True)))
        (other,) = made(again, results, {"orion2/science/map.fits": b"better"}, scientist)
        DataProduct.objects.filter(pk=other.pk).update(name=MAP, version=2)
        DataProduct.objects.order_by().link_versions()
        over(again, scientist)
        flow.run(*ARCHIVED)
        before = _lineage()
        with connection.cursor() as cursor:
            cursor.execute(
                "TRUNCATE raw_data_package, raw_data_file, processing_run, data_product, reduction_software,"
                " executed_obs_unit CASCADE"
            )
        rebuilt = rebuild(flow.archive)
        assert (rebuilt.packages, rebuilt.files, rebuilt.problems) == (3, 4, [])
        assert _lineage() == before
        assert DataProduct.objects.get(name=MAP, version=1).superseded_by_id == other.pk
        assert RawDataFile.objects.filter(data_product=other.pk).count() == 1
        assert ProcessingRun.objects.get(pk=first.pk).input_observations.get().pk == execution.pk


def _lineage() -> dict[UUID, tuple[Any, ...]]:
    """What each run read and made, and with which software."""
    return {
        run.pk: (
            str(run.software_version),
            set(run.input_packages.values_list("pk", flat=True)),
            set(run.input_observations.values_list("pk", flat=True)),
            set(run.input_products.values_list("pk", flat=True)),
            set(run.data_products.values_list("pk", "name", "version")),
        )
        for run in ProcessingRun.objects.for_listing()
    }
