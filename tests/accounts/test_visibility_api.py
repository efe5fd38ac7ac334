"""No endpoint shows an outsider anything of a foreign program: a walk through all of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db.models import Model

from accounts.auth.permissions import needed_for
from accounts.auth.visibility import concerns_programs
from ccatdc.common.states import Status
from datamgmt.models import RawDataFile, RawDataPackage
from planning.models import ExecutedObsUnit, ObservingProgram, ObsUnit, Source
from tests.accounts.foreign import SCIENTIST, Foreign, scientist
from tests.api.conftest import ApiClient, client_with, problem
from tests.api.test_access import ENDPOINTS, PLACEHOLDERS
from tests.factories.accounts import ApiTokenFactory
from tests.factories.datamgmt import RawDataPackageFactory, archive_package
from tests.factories.planning import ExecutedObsUnitFactory
from tests.factories.transfer import StagingFactory
from tests.portal.conftest import one_of_each  # noqa: F401 - a fixture
from transfer.models import Operation, StagingJob

pytestmark = pytest.mark.django_db

GETS = [
    (address, view) for address, method, view in ENDPOINTS if method == "GET" and needed_for(view, method) in SCIENTIST
]
MISSING = {"<uuid:pk>": PLACEHOLDERS["<uuid:pk>"], "<int:pk>": str(2**31 - 2)}


def outsider() -> ApiClient:
    return ApiClient(ApiTokenFactory.create(user=scientist(), scopes=SCIENTIST))


def keys_of(view: Any, address: str) -> list[Any]:
    """Keys of rows that the address could stand for: of its model, or of every model where it does not say which."""
    queryset = getattr(view, "queryset", None)
    models: list[type[Model]] = (
        [ExecutedObsUnit, RawDataFile, RawDataPackage, Operation, StagingJob, ObsUnit]
        if queryset is None
        else [queryset.model]
    )
    keys = [key for model in models for key in model._default_manager.values_list("pk", flat=True)]
    wanted = UUID if MISSING["<uuid:pk>"] in address else int
    return [key for key in keys if isinstance(key, wanted)]


def addresses(address: str, view: Any) -> list[str]:
    """The address of every row, with all that it can carry along."""
    expands = ",".join(getattr(view, "expands", ()))
    query = f"?expand={expands}" if expands else ""
    for placeholder in (PLACEHOLDERS["<uuid:pk>"], f"/{PLACEHOLDERS['<int:pk>']}"):
        if placeholder in address and "/api/gateway" not in address:
            slash = "/" if placeholder.startswith("/") else ""
            return [address.replace(placeholder, f"{slash}{key}", 1) + query for key in keys_of(view, address)]
    return [address + query]


def walk(client: ApiClient, world: Foreign) -> tuple[set[str], set[str]]:
    """The endpoints that gave something away, and all that answered with rows."""
    telling, answering = set(), set()
    for address, view in GETS:
        for each in addresses(address, view):
            answer = client.get(each)
            assert answer.status_code in {200, 400, 403, 404, 409, 429, 503}, (each, answer.content)
            if world.found_in(answer.content):
                telling.add(address)
            if answer.status_code == 200:
                answering.add(address)
    return telling, answering


def test_an_outsider_finds_nothing_of_a_foreign_program_anywhere(one_of_each: None) -> None:  # noqa: F811
    world = Foreign.of_everything()
    telling, answering = walk(outsider(), world)
    assert telling == set()
    assert {"/api/raw_data_packages/", "/api/transfer/overview", "/api/sources/"} <= answering

    everything, _ = walk(client_with(*SCIENTIST, "write:transfers"), world)
    assert {
        "/api/executed_obs_units/",
        "/api/raw_data_files/",
        "/api/raw_data_packages/",
        "/api/obs_units/",
        "/api/observing_programs/",
        "/api/physical_copies/",
        "/api/staging/jobs/",
    } <= everything
    assert len(everything) > 15, "the walk finds what there is"


def test_lists_are_empty_and_count_nothing(one_of_each: None) -> None:  # noqa: F811
    Foreign.of_everything()
    client, lists = outsider(), 0
    for address, view in GETS:
        queryset = getattr(view, "queryset", None)
        if queryset is None or not concerns_programs(queryset.model):
            continue
        answer = client.get(address)
        if answer.status_code == 200:
            lists += 1
            assert answer.json()["results"] == [], address
    assert lists > 10
    overview = client.get("/api/transfer/overview").json()
    assert set(overview["packages"].values()) == {0}
    assert all(set(stage["counts"].values()) == {0} for stage in overview["stages"])


def test_what_is_foreign_answers_as_what_is_missing(one_of_each: None) -> None:  # noqa: F811
    Foreign.of_everything()
    client, compared = outsider(), 0
    for address, view in GETS:
        queryset = getattr(view, "queryset", None)
        model = getattr(queryset, "model", None)
        one = [each for each in addresses(address, view) if each.split("?")[0] != address]
        if not one or (model is not None and not concerns_programs(model)):
            continue
        if address.startswith("/api/visibility"):  # of a source, which everybody sees
            continue
        for each in one:
            path = each.split("?")[0]
            query = {"state": "finished", "timeout": 0} if path.endswith("/wait") else {}
            compared += 1
            foreign, missing = client.get(path, **query), client.get(address, **query)
            problem(foreign, 404, "request.not_found")
            assert foreign.json() == missing.json()
    assert compared > 15


class TestOwnAndForeign:
    def test_a_member_sees_their_own_and_only_these(self) -> None:
        own, foreign = (
            RawDataPackageFactory.create(
                archived=True,
                executed_obs_unit=ExecutedObsUnitFactory.create(obs_unit__observing_program__short_name=name),
            )
            for name in ("DSS", "WFS")
        )
        user = scientist()
        ObservingProgram.objects.get(short_name="DSS").members.add(user)
        client = ApiClient(ApiTokenFactory.create(user=user, scopes=SCIENTIST))
        found = client.get("/api/raw_data_packages/").json()["results"]
        assert [row["id"] for row in found] == [str(own.pk)]
        assert client.get(f"/api/raw_data_packages/{own.pk}/").status_code == 200
        assert client.get(f"/api/raw_data_packages/{foreign.pk}/").status_code == 404
        assert client.get("/api/raw_data_packages/", program="WFS").json()["results"] == []

    def test_a_token_sees_what_its_owner_sees_not_what_its_scopes_say(self) -> None:
        RawDataPackageFactory.create(archived=True)
        wide = [*SCIENTIST, "write:transfers", "read:all_programs"]
        token = ApiTokenFactory.create(user=scientist(), scopes=wide)
        assert ApiClient(token).get("/api/raw_data_packages/").json()["results"] == []

    def test_the_sky_of_a_foreign_unit_is_not_found(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        source = Source.objects.get().pk
        answer = outsider().get(f"/api/visibility/{source}", obs_unit=execution.obs_unit_id)
        problem(answer, 404, "request.not_found")


class TestStaging:
    def test_asking_for_a_foreign_package_is_asking_for_none(self) -> None:
        package = RawDataPackageFactory.create(archived=True)
        archive_package(package)
        place = StagingFactory.create(raw_data_package=package).location.full_name
        client = outsider()

        def ask(key: object) -> dict[str, Any]:
            body = {"packages": [str(key)], "location": place}
            answer = client.post("/api/staging/jobs/", body)
            found = problem(answer, 400, "staging.unknown_package")
            return {name: str(value).replace(str(key), "…") for name, value in found.items()}

        assert ask(package.pk) == ask(PLACEHOLDERS["<uuid:pk>"])

    def test_a_job_shows_no_package_that_its_owner_lost(self) -> None:
        user = scientist()
        package = RawDataPackageFactory.create(archived=True)
        program = ObservingProgram.objects.get()
        program.members.add(user)
        staged = StagingFactory.create(raw_data_package=package, staging_job__requested_by=user, status=Status.PENDING)
        staged.staging_job.raw_data_packages.add(package)
        client = ApiClient(ApiTokenFactory.create(user=user, scopes=SCIENTIST))
        address = f"/api/staging/jobs/{staged.staging_job_id}/"
        assert [p["name"] for p in client.get(address).json()["packages"]] == [package.name]
        program.members.clear()
        assert client.get(address).json()["packages"] == []
