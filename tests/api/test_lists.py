"""Lists: every model has one and a single row, every filter narrows, and nothing that makes no sense is overlooked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import django_filters
import pytest
from django.apps import apps
from django.utils import timezone

from ccatdc.common.api.filters import FlagFilter, IdFilter, MomentFilter, OneOfFilter
from ccatdc.common.api.views import ReadingView, StrictListView
from tests.api.conftest import ApiClient, client_with, problem
from tests.api.test_access import ALL_PERMISSIONS, ENDPOINTS, SINGLE
from tests.factories.accounts import ApiTokenFactory, RoleFactory, SystemLogFactory, UserFactory
from tests.factories.datamgmt import (
    DataTransferPackageFactory,
    RawDataFileFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    archive_package,
)
from tests.factories.observatory import InstrumentFactory, InstrumentModuleFactory
from tests.factories.planning import ChaiInparParameterFactory
from tests.factories.transfer import (
    DataTransferRouteFactory,
    LocationCheckFactory,
    LongTermArchiveTransferFactory,
    StagingJobFactory,
    StagingJobLogFactory,
)

pytestmark = pytest.mark.django_db

READS = {(address, view) for address, method, view in ENDPOINTS if method == "GET" and issubclass(view, ReadingView)}
LISTS = sorted((a, v) for a, v in READS if issubclass(v, StrictListView) and a not in SINGLE)
#: What is read as something else: kinds of one table under its base, and what is no row of its own.
ELSEWHERE = {
    "ChaiModuleConfiguration": "instrument_module_configurations",
    "PrimeCamModuleConfiguration": "instrument_module_configurations",
    "ChaiObservationConfiguration": "observation_configurations",
    "PrimeCamObservationConfiguration": "observation_configurations",
    "FixedSource": "sources",
    "SolarSystemObject": "sources",
    "ConstantElevationSource": "sources",
    "DiskDataLocation": "data_locations",
    "S3DataLocation": "data_locations",
    "TapeDataLocation": "data_locations",
    "RawDataFilePhysicalCopy": "physical_copies",
    "RawDataPackagePhysicalCopy": "physical_copies",
    "DataTransferPackagePhysicalCopy": "physical_copies",
    "StagingJob": "staging/jobs",
    "SystemLog": "system_log",
}


def reference_models() -> Iterator[str]:
    """The names of the data model reference, as tests/test_data_model.py holds them."""
    from tests.test_data_model import COPIES, TABLES

    yield from (*TABLES, *COPIES)


def address_of(name: str) -> str:
    """``/api/`` and the table's name in the plural."""
    if name in ELSEWHERE:
        return f"/api/{ELSEWHERE[name]}/"
    (model,) = [m for m in apps.get_models() if m.__name__ == name]
    table = model._meta.db_table
    if table.endswith("metadata"):
        return f"/api/{table}/"
    return f"/api/{table[:-1]}ies/" if table.endswith("y") else f"/api/{table}s/"


@pytest.mark.parametrize("name", sorted(reference_models()))
def test_every_model_of_the_reference_is_listed_and_retrieved(name: str) -> None:
    address = address_of(name)
    reads = {each for each, method, _ in ENDPOINTS if method == "GET"}
    uuid = "00000000-0000-4000-8000-000000000001"
    keys = ("1/", "primecam/", f"{uuid}/", uuid)
    assert address in reads
    assert any(f"{address}{key}" in reads for key in keys), "one row by its key"


@pytest.fixture
def everything(db: None) -> ApiClient:
    """Who may read all there is."""
    return client_with(*ALL_PERMISSIONS)


def nonsense() -> Iterator[tuple[str, str, str]]:
    """Address, parameter, and a value that this kind of parameter cannot have."""
    for address, view in LISTS:
        yield address, "nobody_knows_this", "1"
        for name, declared in (getattr(view.filterset_class, "base_filters", None) or {}).items():
            if isinstance(declared, FlagFilter):
                values = ["yes", "1", "TRUE"]
            elif isinstance(declared, OneOfFilter):
                values = ["nonsense", ",", f"{declared.extra['choices'][0][0]},nonsense"]
            elif isinstance(declared, IdFilter):
                values = ["x", "1.5", "-1", "9" * 30]
            elif isinstance(declared, MomentFilter | django_filters.DateFilter):
                values = ["yesterday", "2026-02-30"]
            elif isinstance(declared, django_filters.UUIDFilter):
                values = ["7"]
            elif isinstance(declared, django_filters.NumberFilter):
                values = ["many", "nan"]
            else:
                values = ["\0"]
            yield from ((address, name, value) for value in ["", *values])


def test_nothing_that_makes_no_sense_is_overlooked(everything: ApiClient) -> None:
    overlooked = []
    for address, name, value in nonsense():
        answer = everything.get(address, **{name: value})
        if answer.status_code == 404 and "00000000" in address:
            continue  # the files of a package that does not exist
        fields = [error["field"] for error in answer.json().get("errors", [])]
        if answer.status_code != 400 or fields[:1] != [name]:
            overlooked.append((address, name, value, answer.status_code, fields))
    assert overlooked == []


class TestFilters:
    def found(self, api: ApiClient, address: str, **query: Any) -> list[Any]:
        answer = api.get(f"/api/{address}/", **query)
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()["results"]]

    def test_flags(self, everything: ApiClient) -> None:
        there, away = (
            InstrumentFactory.create(short_name=name, available=flag)
            for name, flag in (("primecam", True), ("chai", False))
        )
        assert self.found(everything, "instruments", available="true") == [there.pk]
        assert self.found(everything, "instruments", available="false") == [away.pk]
        assert self.found(everything, "instruments") == [there.pk, away.pk]

    def test_several_words_at_once(self, everything: ApiClient) -> None:
        waiting, archived = (RawDataPackageFactory.create(), RawDataPackageFactory.create(archived=True))
        both = self.found(everything, "raw_data_packages", state="waiting,archived")
        assert set(both) == {str(waiting.pk), str(archived.pk)}
        assert self.found(everything, "raw_data_packages", state="archived") == [str(archived.pk)]

    def test_places_by_their_full_name(self, everything: ApiClient) -> None:
        package = RawDataPackageFactory.create(built=True)
        copy = RawDataPackagePhysicalCopyFactory.create(raw_data_package=package)
        archived = archive_package(package)
        assert self.found(everything, "physical_copies", location="ccat_output_buffer") == [copy.pk]
        found = self.found(everything, "physical_copies", location_type="long_term_archive")
        assert found == [archived.pk]
        assert self.found(everything, "physical_copies", location="nowhere") == []
        by_name = self.found(everything, "data_locations", full_name="ccat_output_buffer")
        assert by_name == [copy.data_location_id]

    def test_files_by_package(self, everything: ApiClient) -> None:
        package = RawDataPackageFactory.create()
        packed, loose = (RawDataFileFactory.create(raw_data_package=package), RawDataFileFactory.create())
        assert self.found(everything, "raw_data_files", package=package.pk) == [str(packed.pk)]
        assert self.found(everything, "raw_data_files", packaged="false") == [str(loose.pk)]
        found = self.found(everything, "raw_data_files", execution=loose.executed_obs_unit_id)
        assert found == [str(loose.pk)]

    def test_packages_by_bundle_and_bundles_by_package(self, everything: ApiClient) -> None:
        package, _ = RawDataPackageFactory.create(), RawDataPackageFactory.create()
        bundle = DataTransferPackageFactory.create(packages=[package])
        DataTransferPackageFactory.create()
        found = self.found(everything, "raw_data_packages", bundle=bundle.pk)
        assert found == [str(package.pk)]
        found = self.found(everything, "data_transfer_packages", package=package.pk)
        assert found == [bundle.pk]

    def test_modules_that_reach_a_frequency(self, everything: ApiClient) -> None:
        module = InstrumentModuleFactory.create(freq_min_ghz=250.0, freq_max_ghz=310.0)
        InstrumentModuleFactory.create(short_name="f350")
        assert self.found(everything, "instrument_modules", reaches_ghz="280") == [module.pk]
        assert self.found(everything, "instrument_modules", reaches_ghz="311") == []

    def test_work_that_is_paused(self, everything: ApiClient) -> None:
        paused = LongTermArchiveTransferFactory.create(paused_at=timezone.now())
        check = LocationCheckFactory.create()
        assert self.found(everything, "transfer/operations", paused="true") == [paused.pk]
        assert self.found(everything, "transfer/operations", paused="false") == [check.pk]
        only = self.found(everything, "transfer/operations", operation_type="monitoring")
        assert only == [check.pk]
        package = paused.raw_data_package_id
        found = self.found(everything, "long_term_archive_transfers", raw_data_package=package)
        assert found == [paused.pk]

    def test_times_from_and_to(self, everything: ApiClient) -> None:
        now = timezone.now()
        early, late = (SystemLogFactory.create(timestamp=now + timedelta(n)) for n in range(2))
        moment = late.timestamp.isoformat()
        assert self.found(everything, "system_log", logged_from=moment) == [late.pk]
        assert self.found(everything, "system_log", logged_to=moment) == [early.pk]

    def test_routes_by_their_ends(self, everything: ApiClient) -> None:
        route = DataTransferRouteFactory.create()
        query = {"origin_site": route.origin_site.short_name}
        assert self.found(everything, "data_transfer_routes", **query) == [route.pk]
        assert self.found(everything, "data_transfer_routes", origin_site="us") == []

    def test_inpar_parameters_by_name(self, everything: ApiClient) -> None:
        parameter = ChaiInparParameterFactory.create()
        assert self.found(everything, "chai_inpar_parameters", name="obs_lam_on") == [parameter.pk]
        assert self.found(everything, "chai_inpar_parameters", name="obs_bet_on") == []


class TestPeople:
    def test_they_are_for_who_manages_them(self, viewer_api: ApiClient) -> None:
        for address in ("users", "roles", "permissions", "api_tokens", "system_log"):
            problem(viewer_api.get(f"/api/{address}/"), 403, "request.permission_denied")

    def test_nothing_of_a_secret_is_shown(self, everything: ApiClient) -> None:
        token = ApiTokenFactory.create(instrument=InstrumentFactory.create())
        (row,) = [each for each in everything.get("/api/api_tokens/").json()["results"] if each["id"] == token.pk]
        assert row["instrument"] == "primecam"
        assert token.token_hash not in str(row)
        assert token.secret not in str(row)  # type: ignore[attr-defined]
        users = everything.get("/api/users/", username=token.user.username)
        assert "password" not in users.json()["results"][0]

    def test_users_by_role(self, everything: ApiClient) -> None:
        user = UserFactory.create(roles=[RoleFactory.create(name="planner")])
        (row,) = everything.get("/api/users/", role="planner").json()["results"]
        assert (row["username"], row["roles"]) == (user.username, ["planner"])


def test_logs_of_staging_are_for_who_asked(scientist_api: ApiClient) -> None:
    assert scientist_api.token is not None
    own = StagingJobLogFactory.create(staging_job=StagingJobFactory.create(requested_by=scientist_api.token.user))
    other = StagingJobLogFactory.create()

    rows = scientist_api.get("/api/staging_job_logs/").json()["results"]

    assert [row["id"] for row in rows] == [own.pk]
    assert scientist_api.get(f"/api/staging_job_logs/{own.pk}/").status_code == 200
    problem(scientist_api.get(f"/api/staging_job_logs/{other.pk}/"), 404, "request.not_found")
