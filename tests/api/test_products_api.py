"""Runs and data products over HTTP: filing, what is refused, who sees them, and lineage both ways."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import SystemLog
from datamgmt.filing.product_rows import read_product_reports
from datamgmt.filing.products import register_products
from datamgmt.filing.quality import amend_file_quality, amend_quality, judge_files
from datamgmt.models import DataProduct, ProcessingRun, RawDataFile, RawDataPackage
from notifications.models import OutgoingMessage
from planning.models import ExecutionQuality
from tests.api.conftest import ApiClient, problem
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.factories.datamgmt import (
    BufferLocationFactory,
    DataProductFactory,
    ProcessingRunFactory,
    ProductFileFactory,
    RawDataFileFactory,
    RawDataPackageFactory,
    ReductionSoftwareFactory,
    ResultsLocationFactory,
)
from tests.factories.observatory import DataStreamFactory
from tests.factories.planning import (
    END,
    START,
    ExecutedObsUnitFactory,
    ObservingProgramFactory,
    ProgramMembershipFactory,
)
from tests.transfer.parallel import at_once

pytestmark = pytest.mark.django_db
RUNS, BULK = "/api/processing_runs/", "/api/data_products/bulk"
RIGHTS = ("read:observations", "write:products")
_numbers = count(1)


@pytest.fixture
def member() -> ApiClient:
    """A scientist of Galactic Ecology."""
    user = ProgramMembershipFactory.create(user=UserFactory.create(permissions=RIGHTS, sees_all=False)).user
    return ApiClient(ApiTokenFactory.create(user=user, scopes=list(RIGHTS)))


@pytest.fixture
def stranger() -> ApiClient:
    user = UserFactory.create(permissions=RIGHTS, sees_all=False)
    return ApiClient(ApiTokenFactory.create(user=user, scopes=list(RIGHTS)))


@pytest.fixture
def raw() -> RawDataPackage:
    ReductionSoftwareFactory.create()
    package: RawDataPackage = RawDataPackageFactory.create(archived=True)
    return package


def run_body(*packages: RawDataPackage, **fields: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "name": "Orion-KL, 280 GHz",
        "software": "map-maker",
        "version": "1.0.0",
        "start_time": "2026-05-02T06:00:00Z",
        "configuration": {"pixel_arcsec": 12.5},
        "input_packages": [package.name for package in packages],
        **fields,
    }


def product_body(run: Any, **fields: Any) -> dict[str, Any]:
    number = next(_numbers)
    file = {
        "id": str(uuid4()),
        "source_location": ResultsLocationFactory.create().full_name,
        "relative_path": f"orion/science/map_{number}.fits",
        "size": 2880,
    }
    return {
        "id": str(uuid4()),
        "processing_run": str(run),
        "name": "orion/map.fits",
        "kind": "science",
        "level": "l2",
        "quality_metrics": {"rms_mjy": 1.25, "scans": 12, "flagged": False},
        "files": [file],
        **fields,
    }


class TestRuns:
    def test_a_run_is_filed_once_and_finished_once(self, member: ApiClient, raw: RawDataPackage) -> None:
        execution = ExecutedObsUnitFactory.create(finished=True)
        body = run_body(raw, input_observations=[str(execution.pk)], location="", host="node17")
        del body["location"]
        assert [member.post(RUNS, body).status_code for _ in range(2)] == [201, 200]
        end = {"status": "failed", "end_time": "2026-05-02T07:00:00Z", "exit_code": 137, "message": "out of memory"}
        address = f"{RUNS}{body['id']}"
        assert [member.put(f"{address}/finish", end).status_code for _ in range(2)] == [200, 200]
        shown = member.get(address).json()
        assert shown["input_packages"] == [str(raw.pk)]
        assert shown["input_observations"] == [str(execution.pk)]
        assert (shown["program"], shown["instrument"], shown["module"]) == ("GEco", "primecam", "f280")
        assert (shown["software"], shown["version"], shown["status"]) == ("map-maker", "1.0.0", "failed")
        assert (shown["exit_code"], shown["message"]) == (137, "out of memory")

    def test_another_run_under_its_id_is_refused(self, member: ApiClient, raw: RawDataPackage) -> None:
        body = run_body(raw)
        member.post(RUNS, body)
        said = problem(member.post(RUNS, {**body, "version": "1.0.1"}), 409, "filing.differs")
        assert said["differences"]["version"] == {"stored": "1.0.0", "sent": "1.0.1"}
        end = {"status": "completed", "end_time": "2026-05-02T07:00:00Z"}
        member.put(f"{RUNS}{body['id']}/finish", end)
        problem(member.put(f"{RUNS}{body['id']}/finish", {**end, "status": "failed"}), 409, "filing.differs")

    def test_inputs_that_do_not_exist_or_are_not_theirs_are_refused_alike(
        self, member: ApiClient, raw: RawDataPackage
    ) -> None:
        secret = ObservingProgramFactory.create(short_name="Secret")
        theirs = RawDataPackageFactory.create(archived=True, executed_obs_unit__obs_unit__observing_program=secret)
        product = DataProductFactory.create(processing_run__observing_program=secret)
        for wrong in (
            {"input_packages": [theirs.name]},
            {"input_packages": [str(uuid4())]},
            {"input_observations": [str(theirs.executed_obs_unit_id)]},
            {"input_products": [str(product.pk)]},
        ):
            said = problem(member.post(RUNS, run_body(raw, **wrong)), 400, "product.unknown_input")
            assert "that you may see" in said["detail"]
        assert not ProcessingRun.objects.exclude(pk=product.processing_run_id).exists()

    @pytest.mark.parametrize(
        ("wrong", "status", "code"),
        [
            ({"software": "nobody-knows"}, 400, "product.unknown_software"),
            ({"program": "Nope"}, 400, "product.unknown_program"),
            ({"instrument": "primecam", "module": "nope"}, 400, "product.unknown_module"),
            ({"location": "cologne_nowhere"}, 400, "product.unknown_location"),
            ({"input_packages": []}, 400, "product.unknown_module"),
            ({"start_time": "2099-01-01T00:00:00Z"}, 400, "filing.clock"),
            ({"configuration": {str(n): n for n in range(1001)}}, 400, "request.invalid"),
            ({"input_observations": ["no-uuid"]}, 400, "request.invalid"),
            ({"surprise": 1}, 400, "request.invalid"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, member: ApiClient, raw: RawDataPackage, wrong: dict[str, Any], status: int, code: str
    ) -> None:
        problem(member.post(RUNS, run_body(raw, **wrong)), status, code)
        assert not ProcessingRun.objects.exists()

    def test_a_run_for_a_program_of_others_is_refused(self, stranger: ApiClient, raw: RawDataPackage) -> None:
        ObservingProgramFactory.create(short_name="Open", proprietary_days=0)
        public = RawDataPackageFactory.create(
            archived=True,
            executed_obs_unit__obs_unit__observing_program=ObservingProgramFactory.create(short_name="Open"),
        )
        problem(stranger.post(RUNS, run_body(public)), 403, "product.foreign_program")

    def test_a_run_of_somebody_else_is_neither_shown_nor_finished(
        self, member: ApiClient, stranger: ApiClient, raw: RawDataPackage
    ) -> None:
        body = run_body(raw)
        member.post(RUNS, body)
        assert stranger.get(f"{RUNS}{body['id']}").status_code == 404
        end = {"status": "completed", "end_time": "2026-05-02T07:00:00Z"}
        problem(stranger.put(f"{RUNS}{body['id']}/finish", end), 404, "product.unknown_run")


class TestProducts:
    def test_products_are_filed_once(self, member: ApiClient) -> None:
        rows = [product_body(ProcessingRunFactory.create().pk, name=name) for name in ("a", "b")]
        first, again = member.post(BULK, rows), member.post(BULK, rows)
        assert (first.status_code, again.status_code) == (201, 200)
        assert [first.json()[name] for name in ("created", "unchanged", "files_created")] == [2, 0, 2]
        assert [again.json()[name] for name in ("created", "unchanged", "files_created")] == [0, 2, 0]
        shown = member.get(f"/api/data_products/{rows[0]['id']}").json()
        assert (shown["version"], shown["calib_level"], shown["release"]) == (1, 3, "internal")
        assert [file["relative_path"] for file in shown["files"]] == [rows[0]["files"][0]["relative_path"]]
        file = RawDataFile.objects.get(pk=rows[0]["files"][0]["id"])
        assert (file.executed_obs_unit_id, file.data_stream_id) == (None, None)
        assert file.copies.get().size == 2880

    def test_the_next_of_a_name_is_the_next_version(self, member: ApiClient) -> None:
        runs = [ProcessingRunFactory.create() for _ in range(2)]
        rows = [product_body(run.pk) for run in runs]
        for row in rows:
            member.post(BULK, [row])
        old, new = (DataProduct.objects.get(pk=row["id"]) for row in rows)
        assert (old.version, old.superseded_by, new.version, new.superseded_by) == (1, new, 2, None)
        found = member.get("/api/data_products/", current="true").json()["results"]
        assert [row["id"] for row in found] == [str(new.pk)]

    @pytest.mark.django_db(transaction=True)
    def test_two_that_file_at_once_make_two_versions(self) -> None:
        user = UserFactory.create(is_superuser=True)
        calls = [read_product_reports([product_body(ProcessingRunFactory.create().pk)]) for _ in range(2)]
        at_once(*(partial(register_products, reports, user=user) for reports in calls))
        assert sorted(DataProduct.objects.values_list("version", flat=True)) == [1, 2]
        assert DataProduct.objects.current().count() == 1

    def test_a_version_that_is_taken_is_a_conflict(self, member: ApiClient) -> None:
        run = ProcessingRunFactory.create()
        assert member.post(BULK, [product_body(run.pk, version=3)]).status_code == 201
        said = problem(member.post(BULK, [product_body(run.pk, version=3)]), 409, "filing.differs")
        assert said["errors"][0]["code"] == "product.version_taken"
        assert DataProduct.objects.count() == 1

    def test_a_path_of_another_product_is_a_conflict_and_nothing_is_filed(self, member: ApiClient) -> None:
        run = ProcessingRunFactory.create()
        first = product_body(run.pk)
        member.post(BULK, [first])
        again = product_body(run.pk, files=[{**first["files"][0], "id": str(uuid4())}])
        problem(member.post(BULK, [again]), 409, "filing.differs")
        assert DataProduct.objects.count() == 1

    def test_another_product_under_its_id_is_refused(self, member: ApiClient) -> None:
        body = product_body(ProcessingRunFactory.create().pk)
        member.post(BULK, [body])
        said = problem(member.post(BULK, [{**body, "kind": "plot"}]), 409, "filing.differs")
        assert list(said["errors"][0]["differences"]) == ["kind"]

    @pytest.mark.parametrize(
        ("wrong", "field", "code"),
        [
            ({"kind": "picture"}, "kind", "invalid_choice"),
            ({"level": "l9"}, "level", "invalid_choice"),
            ({"name": " "}, "name", "required"),
            ({"name": "x" * 256}, "name", "max_length"),
            ({"version": 0}, "version", "out_of_range"),
            ({"version": True}, "version", "out_of_range"),
            ({"files": []}, "files", "required"),
            ({"surprise": 1}, "surprise", "unknown_field"),
            ({"quality_metrics": {"a": {"b": 1}}}, "quality_metrics", "invalid"),
            ({"quality_metrics": {str(n): n for n in range(201)}}, "quality_metrics", "too_many_values"),
            ({"quality_metrics": {"x" * 65: 1}}, "quality_metrics", "max_length"),
            ({"quality_metrics": {"a": 10**30}}, "quality_metrics", "out_of_range"),
            ({"processing_run": str(uuid4())}, "processing_run", "product.unknown_run"),
        ],
    )
    def test_each_row_is_answered(self, member: ApiClient, wrong: dict[str, Any], field: str, code: str) -> None:
        rows = [product_body(ProcessingRunFactory.create().pk), product_body(ProcessingRunFactory.create().pk, **wrong)]
        said = problem(member.post(BULK, rows), 400, "filing.invalid_rows")
        assert [(error["index"], error["field"], error["code"]) for error in said["errors"]] == [(1, field, code)]
        assert not DataProduct.objects.exists()

    @pytest.mark.parametrize(
        ("wrong", "field", "code"),
        [
            ({"relative_path": "../../etc/passwd"}, "relative_path", "storage.path_escapes"),
            ({"relative_path": "/etc/passwd"}, "relative_path", "storage.path_escapes"),
            ({"size": -1}, "size", "out_of_range"),
            ({"source_location": "cologne_nowhere"}, "source_location", "does_not_exist"),
            ({"source_location": "ccat_output_buffer"}, "source_location", "not_a_source"),
            ({"checksum": "ab"}, "checksum", "checksum.incomplete"),
            ({"executed_obs_unit": str(uuid4())}, "executed_obs_unit", "unknown_field"),
        ],
    )
    def test_so_is_each_file(self, member: ApiClient, wrong: dict[str, Any], field: str, code: str) -> None:
        BufferLocationFactory.create()
        body = product_body(ProcessingRunFactory.create().pk)
        body["files"][0] |= wrong
        said = problem(member.post(BULK, [body]), 400, "filing.invalid_rows")
        assert [(error["field"], error["code"]) for error in said["errors"]] == [(f"files.0.{field}", code)]

    def test_too_many_are_refused(self, member: ApiClient) -> None:
        problem(member.post(BULK, [{}] * 1001), 400, "filing.too_many_rows")
        problem(member.post(BULK, [{"files": [1] * 10_001}]), 400, "filing.too_many_rows")
        problem(member.post(BULK, []), 400, "filing.not_a_list")

    def test_only_who_sees_the_run_files_for_it(self, stranger: ApiClient) -> None:
        said = problem(
            stranger.post(BULK, [product_body(ProcessingRunFactory.create().pk)]), 400, "filing.invalid_rows"
        )
        assert said["errors"][0]["code"] == "product.unknown_run"

    def test_a_run_that_has_not_begun_made_nothing(self, member: ApiClient) -> None:
        run = ProcessingRunFactory.create(status="pending", start_time=None)
        said = problem(member.post(BULK, [product_body(run.pk)]), 400, "filing.invalid_rows")
        assert said["errors"][0]["code"] == "product.run_not_begun"


class TestWhoSees:
    def test_an_internal_product_is_for_its_program(self, member: ApiClient, stranger: ApiClient) -> None:
        product = DataProductFactory.create()
        file = ProductFileFactory.create(
            data_product=product,
            raw_data_package=RawDataPackageFactory.create(
                executed_obs_unit=None, processing_run=product.processing_run, built=True
            ),
        )
        places = [
            f"/api/data_products/{product.pk}",
            f"/api/data_products/{product.pk}/lineage",
            f"/api/raw_data_files/{file.pk}",
            f"/api/raw_data_packages/{file.raw_data_package_id}/files/",
        ]
        assert [member.get(place).status_code for place in places] == [200] * 4
        assert [stranger.get(place).status_code for place in places] == [404] * 4
        hidden = DataProductFactory.create(processing_run=product.processing_run)
        DataProduct.objects.filter(pk=product.pk).update(release="collaboration")
        assert [stranger.get(place).status_code for place in places] == [200] * 4
        # A package with one that they may not see is not for them.
        ProductFileFactory.create(data_product=hidden, raw_data_package=file.raw_data_package)
        assert [stranger.get(place).status_code for place in places] == [200, 200, 200, 404]

    def test_members_release_it(self, member: ApiClient, stranger: ApiClient) -> None:
        product = DataProductFactory.create()
        address = f"/api/data_products/{product.pk}"
        body = {"release": "public", "reason": "The paper is accepted."}
        problem(stranger.send("PATCH", address, body), 404, "product.unknown")
        assert member.send("PATCH", address, body).json()["release"] == "public"
        assert "The paper is accepted." in SystemLog.objects.latest("pk").message
        problem(stranger.send("PATCH", address, {"release": "internal"}), 403, "product.foreign_program")


class TestLineage:
    def test_both_ways(self, member: ApiClient, raw: RawDataPackage) -> None:
        first = DataProductFactory.create(processing_run=ProcessingRunFactory.create(completed=True, packages=[raw]))
        second_run = ProcessingRunFactory.create(completed=True)
        second_run.input_products.add(first)
        second = DataProductFactory.create(processing_run=second_run)
        inputs = member.get(f"/api/data_products/{second.pk}/lineage").json()
        assert set(inputs["entity"]) == {
            f"ccat:product/{first.pk}",
            f"ccat:product/{second.pk}",
            f"ccat:package/{raw.pk}",
        }
        assert {(u["prov:activity"], u["prov:entity"]) for u in inputs["used"].values()} == {
            (f"ccat:run/{second_run.pk}", f"ccat:product/{first.pk}"),
            (f"ccat:run/{first.processing_run_id}", f"ccat:package/{raw.pk}"),
        }
        assert inputs["entity"][f"ccat:package/{raw.pk}"]["ccat:instrument"] == "primecam"
        outputs = member.get(f"/api/data_products/{first.pk}/lineage", direction="outputs").json()
        assert f"ccat:product/{second.pk}" in outputs["entity"]
        file = RawDataFileFactory.create(raw_data_package=raw)
        of_file = member.get(f"/api/raw_data_files/{file.pk}/lineage").json()
        assert {row["prov:entity"] for row in of_file["wasGeneratedBy"].values()} == {
            f"ccat:product/{first.pk}",
            f"ccat:product/{second.pk}",
        }

    def test_what_is_not_theirs_stands_with_its_id_only(self, stranger: ApiClient, raw: RawDataPackage) -> None:
        run = ProcessingRunFactory.create(completed=True, packages=[raw])
        product = DataProductFactory.create(processing_run=run, release="public")
        shown = stranger.get(f"/api/data_products/{product.pk}/lineage").json()
        assert shown["entity"][f"ccat:package/{raw.pk}"] == {"prov:type": "ccat:package", "ccat:hidden": True}
        assert shown["activity"][f"ccat:run/{run.pk}"] == {"prov:type": "ccat:run", "ccat:hidden": True}

    @pytest.mark.parametrize("how", ["package", "observation", "stream", "product"])
    def test_bad_data_flags_all_that_rests_on_it(self, member: ApiClient, raw: RawDataPackage, how: str) -> None:
        run = ProcessingRunFactory.create(completed=True)
        other = DataProductFactory.create()
        if how == "package":
            run.input_packages.add(raw)
            file = RawDataFileFactory.create(raw_data_package=raw)
        elif how == "observation":
            execution = ExecutedObsUnitFactory.create()
            file = RawDataFileFactory.create(executed_obs_unit=execution)
            run.input_observations.add(execution)
        elif how == "stream":
            stream = DataStreamFactory.create(of_telescope=True)
            file = RawDataFileFactory.create(executed_obs_unit=None, data_stream=stream, start_time=START, end_time=END)
            run.input_observations.add(ExecutedObsUnitFactory.create(finished=True))
        else:
            read = DataProductFactory.create()
            file = ProductFileFactory.create(data_product=read)
            run.input_products.add(read)
        product = DataProductFactory.create(processing_run=run)
        derived_run = ProcessingRunFactory.create(completed=True)
        derived_run.input_products.add(product)
        derived = DataProductFactory.create(processing_run=derived_run)

        def flagged() -> list[bool]:
            rows = [member.get(f"/api/data_products/{each.pk}").json() for each in (product, derived, other)]
            return [row["has_bad_inputs"] for row in rows]

        assert flagged() == [False, False, False]
        RawDataFile.objects.filter(pk=file.pk).update(quality=ExecutionQuality.BAD)
        assert flagged() == [True, True, False]


class TestTelling:
    @pytest.mark.parametrize("how", ["api", "portal", "observation"])
    def test_owners_are_told_once_of_data_that_became_bad(self, raw: RawDataPackage, how: str) -> None:
        owner = UserFactory.create(email="maps@example.org")
        file = RawDataFileFactory.create(raw_data_package=raw, executed_obs_unit=raw.executed_obs_unit)
        first = ProcessingRunFactory.create(completed=True, packages=[raw], submitted_by=owner)
        product = DataProductFactory.create(processing_run=first, name="orion/map.fits")
        second = ProcessingRunFactory.create(completed=True, submitted_by=owner)
        second.input_products.add(product)
        DataProductFactory.create(processing_run=second, name="orion/catalogue.fits")
        DataProductFactory.create(processing_run__submitted_by=UserFactory.create(email="other@example.org"))
        who = UserFactory.create(is_superuser=True)
        for _ in range(2):
            if how == "api":
                amend_file_quality(file.pk, {"quality": "bad", "quality_comment": "a glitch"}, user=who)
            elif how == "portal":
                judge_files(RawDataFile.objects.all(), ExecutionQuality.BAD, user=who, reason="a glitch")
            else:
                changes = {"quality": "bad", "quality_comment": "a glitch"}
                amend_quality(raw.executed_obs_unit_id, changes, user=who)  # type: ignore[arg-type]
        message = OutgoingMessage.objects.get()
        assert message.address == "maps@example.org"
        assert "2 of your products" in message.subject
        assert all(text in message.body for text in ("a glitch", "orion/map.fits v1", "orion/catalogue.fits v1"))
