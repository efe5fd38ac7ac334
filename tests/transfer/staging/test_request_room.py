"""Stage 60, the request: a location is not filled above its critical threshold."""

from __future__ import annotations

from typing import Any

import pytest

from ccatdc.common.errors import RequestError
from datamgmt.models import RawDataPackage
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import ProcessingLocationFactory, RawDataPackagePhysicalCopyFactory
from tests.transfer.staging.asking import archived, refusal, scientist
from transfer.models import StagingJob
from transfer.staging.requests import cancel_job, request_staging

pytestmark = pytest.mark.django_db


class TestRoom:
    """A disk of 10,000 bytes that is critical at 85 %: 8,500."""

    def place(self, used: int) -> Any:
        return ProcessingLocationFactory.create(capacity_bytes=10_000, used_bytes=used, critical_pct=85, warning_pct=70)

    def ask(self, place: Any, *packages: RawDataPackage) -> StagingJob:
        return request_staging(scientist(), [p.pk for p in packages], place)

    def test_what_fits_below_the_critical_threshold_is_accepted(self) -> None:
        assert self.ask(self.place(used=7500), archived(size=1000)).total_bytes == 1000

    def test_one_byte_more_is_refused(self) -> None:
        assert refusal([archived(size=1000)], self.place(used=7501)).code == "staging.no_room"

    def test_what_others_wait_for_counts(self) -> None:
        place = self.place(used=7000)
        self.ask(place, archived(size=1000))
        with pytest.raises(RequestError) as refused:
            self.ask(place, archived(size=501))
        assert refused.value.code == "staging.no_room"
        assert "500 bytes" in str(refused.value)
        self.ask(place, archived(size=500))

    def test_what_is_over_does_not_count(self) -> None:
        place = self.place(used=7000)
        cancel_job(self.ask(place, archived(size=1000)), user=UserFactory.create())
        self.ask(place, archived(size=1500))

    def test_what_another_job_asked_for_already_costs_nothing_more(self) -> None:
        place, package = self.place(used=7000), archived(size=1500)
        self.ask(place, package)
        self.ask(place, package)

    def test_what_is_there_already_costs_nothing(self) -> None:
        place, package = self.place(used=8400), archived(size=5000)
        RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, staged=True, data_location=place)
        self.ask(place, package)

    def test_a_location_that_tells_no_capacity_is_not_judged(self) -> None:
        place = ProcessingLocationFactory.create(capacity_bytes=None, used_bytes=None)
        self.ask(place, archived(size=10**15))
