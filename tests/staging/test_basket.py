"""The basket: collected over several searches, its cost before asking, quotas, again, and the warning of the end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from ccatdc.common.errors import ConflictError, RequestError
from datamgmt.models import DataLocation
from notifications.models import OutgoingMessage
from planning.models import ExecutedObsUnit
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    ProcessingLocationFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
)
from tests.factories.planning import ExecutedObsUnitFactory, ObservingProgramFactory, ObsUnitFactory
from tests.factories.transfer import StagingFactory, StagingJobFactory, StagingQuotaFactory
from tests.staging.conftest import archived
from transfer.managers.s60_stage import StagingManager
from transfer.models import StagingJob
from transfer.staging import requests
from transfer.staging.estimates import busy_seconds, estimate

GB = 10**9
CHANGE = "/staging/basket/change/"


@pytest.fixture
def place(db: None) -> DataLocation:
    found: DataLocation = ProcessingLocationFactory.create(used_bytes=0, capacity_bytes=10**13)
    return found


@pytest.fixture
def observed(place: DataLocation) -> list[ExecutedObsUnit]:
    """Two, of 2 and 3 GB, of the program GPS."""
    unit = ObsUnitFactory.create(observing_program=ObservingProgramFactory.create(short_name="GPS"))
    rows = [ExecutedObsUnitFactory.create(obs_unit=unit, finished=True) for _ in range(2)]
    archived("orion_a", 2 * GB, executed_obs_unit=rows[0])
    archived("orion_b", 3 * GB, executed_obs_unit=rows[1])
    return rows


def put(client: Client, *rows: ExecutedObsUnit) -> Any:
    return client.post(CHANGE, {"do": "add", "observation": [str(row.pk) for row in rows]}, follow=True)


class TestCollecting:
    def test_over_two_searches_and_out_again(self, client: Client, observed: list[ExecutedObsUnit]) -> None:
        back = client.post(CHANGE, {"do": "add", "observation": observed[0].pk, "next": "/observations/?text=orion"})
        assert back["Location"] == "/observations/?text=orion"
        page = put(client, observed[1], observed[1]).content.decode()
        assert "2 observations: 2 packages, 5 GB" in page
        assert "Basket (2)" in page

        client.post(CHANGE, {"do": "remove", "observation": str(observed[0].pk)})
        assert "1 observation: 1 package, 3 GB" in client.get("/staging/basket/").content.decode()
        client.post(CHANGE, {"do": "clear"})
        assert "It is empty." in client.get("/staging/basket/").content.decode()

    def test_the_list_has_a_box_for_what_is_not_in_it(self, client: Client, observed: list[ExecutedObsUnit]) -> None:
        put(client, observed[0])
        page = client.get("/observations/").content.decode()
        assert page.count('name="observation"') == 1
        assert f'value="{observed[1].pk}"' in page
        assert "Take out of the basket" in client.get(f"/observations/{observed[0].pk}/").content.decode()

    @pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
    def test_back_is_never_elsewhere(self, client: Client, observed: list[ExecutedObsUnit], back: str) -> None:
        assert client.post(CHANGE, {"do": "add", "next": back})["Location"] == "/staging/basket/"

    def test_what_one_may_not_see_and_what_is_nothing_stay_out(
        self, client: Client, scientist: User, observed: list[ExecutedObsUnit]
    ) -> None:
        scientist.roles.filter(name="oversight").delete()
        ObservingProgramFactory.create(short_name="GPS")
        observed[0].obs_unit.observing_program.__class__.objects.update(proprietary_days=None)
        put(client, *observed)
        client.post(CHANGE, {"do": "add", "observation": ["no-uuid", str(uuid4())]})
        assert "It is empty." in client.get("/staging/basket/").content.decode()

    def test_it_has_room_for_one_job(
        self, client: Client, observed: list[ExecutedObsUnit], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("transfer.staging.basket.MAX_EXECUTIONS", 1)
        page = put(client, *observed).content.decode()
        assert "1 more did not fit" in page


class TestAsking:
    def test_all_of_it_becomes_one_job(
        self, client: Client, observed: list[ExecutedObsUnit], place: DataLocation
    ) -> None:
        put(client, *observed)
        page = client.post("/staging/basket/", {"location": place.pk, "name": "Orion"}, follow=True)
        job = StagingJob.objects.get()
        assert page.redirect_chain[-1][0] == f"/staging/jobs/{job.pk}/"
        assert set(job.executions.all()) == set(observed)
        assert job.raw_data_packages.count() == 2
        assert "Basket (" not in page.content.decode()

    def test_what_is_not_archived_is_said_and_refused(
        self, client: Client, observed: list[ExecutedObsUnit], place: DataLocation
    ) -> None:
        RawDataPackageFactory.create(executed_obs_unit=observed[0], built=True, size=7)
        page = put(client, *observed).content.decode()
        assert "1 more is not archived yet" in page
        page = client.post("/staging/basket/", {"location": place.pk}).content.decode()
        assert "Not archived" in page

    def test_a_job_that_is_over_is_asked_for_again(
        self, client: Client, scientist: User, observed: list[ExecutedObsUnit], place: DataLocation
    ) -> None:
        job = requests.request_staging(scientist, [], place, "Orion", executions=[observed[0].pk])
        with pytest.raises(ConflictError, match="active still"):
            requests.ask_again(job, user=scientist)
        requests.cancel_job(job, user=scientist)
        assert "Ask again" in client.get(f"/staging/jobs/{job.pk}/").content.decode()
        client.post(f"/staging/jobs/{job.pk}/again/")
        again = StagingJob.objects.exclude(pk=job.pk).get()
        assert (again.name, list(again.executions.all())) == ("Orion", [observed[0]])


class TestEstimate:
    def test_time_by_what_was_measured(
        self, scientist: User, observed: list[ExecutedObsUnit], place: DataLocation
    ) -> None:
        packages = [row.raw_data_packages.get() for row in observed]
        assert estimate(scientist, packages, place).seconds is None
        began = timezone.now() - timedelta(hours=1)
        done = StagingFactory.create(staging_job__destination_location=place, completed=True, progress_bytes=GB)
        type(done).objects.filter(pk=done.pk).update(started_at=began, finished_at=began + timedelta(seconds=10))
        RawDataPackagePhysicalCopyFactory.create(raw_data_package=done.raw_data_package, staged=True, created_at=began)
        linked = StagingFactory.create(staging_job__destination_location=place, completed=True, progress_bytes=GB)
        type(linked).objects.filter(pk=linked.pk).update(started_at=began, finished_at=began)

        cost = estimate(scientist, packages, place)
        assert (cost.total_bytes, cost.bytes_per_s, cost.seconds) == (5 * GB, GB / 10, 50)

        RawDataPackagePhysicalCopyFactory.create(raw_data_package=packages[0], staged=True)
        assert estimate(scientist, packages, place).seconds == 30

    def test_work_side_by_side_counts_once(self) -> None:
        def at(second: int) -> datetime:
            return datetime.fromtimestamp(second, tz=timezone.get_current_timezone())

        assert busy_seconds([(at(0), at(10)), (at(5), at(15)), (at(6), at(7)), (at(20), at(21))]) == 16


class TestQuota:
    def test_of_a_person(self, scientist: User, observed: list[ExecutedObsUnit], place: DataLocation) -> None:
        StagingQuotaFactory.create(max_gb=1)
        StagingQuotaFactory.create(user=scientist, max_gb=4)
        first, second = [row.raw_data_packages.get() for row in observed]
        requests.request_staging(scientist, [first.pk], place)
        requests.request_staging(scientist, [first.pk], place)  # it costs nothing more
        with pytest.raises(RequestError, match=r"needs 3 GB more; of your quota 2 GB of 4 GB") as refused:
            requests.request_staging(scientist, [second.pk], place)
        assert refused.value.code == "staging.quota_of_user"
        for job in StagingJob.objects.all():
            requests.cancel_job(job, user=scientist)
        assert requests.request_staging(scientist, [second.pk], place).pk

    def test_of_everybody_without_one(
        self, scientist: User, observed: list[ExecutedObsUnit], place: DataLocation
    ) -> None:
        StagingQuotaFactory.create(max_gb=1)
        with pytest.raises(RequestError) as refused:
            requests.request_staging(scientist, [], place, executions=[observed[0].pk])
        assert refused.value.code == "staging.quota_of_user"

    def test_of_a_program_whoever_asks(
        self, scientist: User, observed: list[ExecutedObsUnit], place: DataLocation
    ) -> None:
        StagingQuotaFactory.create(program=observed[0].obs_unit.observing_program, max_gb=4)
        first, second = [row.raw_data_packages.get() for row in observed]
        StagingJobFactory.create(packages=[first], destination_location=place)
        with pytest.raises(RequestError, match="of the quota of GPS 2 GB of 4 GB are free") as refused:
            requests.request_staging(scientist, [second.pk], place)
        assert refused.value.code == "staging.quota_of_program"
        other = archived("other", 9 * GB)
        assert requests.request_staging(scientist, [other.pk], place).pk


class TestWarning:
    def test_once_for_each_end(self, place: DataLocation) -> None:
        ArchiveLocationFactory.create()
        job = StagingJobFactory.create(destination_location=place, status="completed", requested_by__email="a@b.org")
        manager = StagingManager()

        def expire_in(**left: int) -> list[str]:
            StagingJob.objects.filter(pk=job.pk).update(expires_at=timezone.now() + timedelta(**left))
            for _ in range(2):
                manager.run_once()
            return list(OutgoingMessage.objects.order_by("pk").values_list("subject", flat=True))

        assert expire_in(days=4) == []
        assert len(expire_in(days=2)) == 1
        assert len(expire_in(days=10)) == 1
        assert len(expire_in(days=1)) == 2
        assert "its data goes on" in expire_in(days=10)[0]
