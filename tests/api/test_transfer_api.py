"""The flow over HTTP: its state in numbers, retry and cancel of operations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import SystemLog
from ccatdc.common.states import Status
from tests.api.conftest import ApiClient, problem
from tests.factories.datamgmt import BufferLocationFactory, RawDataPackageFactory
from tests.factories.transfer import LocationCheckFactory, RawDataPackageCreationFactory, ServiceHeartbeatFactory
from transfer.models import Operation
from transfer.pipeline import PIPELINE

pytestmark = pytest.mark.django_db

OVERVIEW = "/api/transfer/overview"


def stage(answer: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in answer["stages"] if row["stage"] == name)


class TestOverview:
    def test_every_stage_is_there_in_the_order_of_the_flow(self, viewer_api: ApiClient) -> None:
        answer = viewer_api.get(OVERVIEW).json()
        assert [row["stage"] for row in answer["stages"]] == [each.name for each in PIPELINE]
        idle = {"pending": 0, "scheduled": 0, "in_progress": 0, "failed": 0}
        assert all(row["counts"] == idle for row in answer["stages"])
        assert all(row["oldest_waiting"] is None for row in answer["stages"])

    def test_it_counts_what_is_to_do_and_what_failed(self, viewer_api: ApiClient) -> None:
        oldest = timezone.now() - timedelta(hours=3)
        RawDataPackageCreationFactory.create(created_at=oldest)
        RawDataPackageCreationFactory.create()
        RawDataPackageCreationFactory.create(in_progress=True, created_at=oldest - timedelta(hours=1))
        RawDataPackageCreationFactory.create(failed=True)
        RawDataPackageCreationFactory.create(completed=True)
        LocationCheckFactory.create()

        answer = viewer_api.get(OVERVIEW).json()

        package = stage(answer, "package")
        assert package["counts"] == {"pending": 2, "scheduled": 0, "in_progress": 1, "failed": 1}
        assert package["oldest_waiting"] == oldest.isoformat().replace("+00:00", "Z")
        assert stage(answer, "monitor")["counts"]["pending"] == 1

    def test_it_shows_packages_locations_and_silent_services(self, viewer_api: ApiClient) -> None:
        RawDataPackageFactory.create(archived=True)
        RawDataPackageFactory.create()
        BufferLocationFactory.create(capacity_bytes=1000, used_bytes=900)
        ServiceHeartbeatFactory.create(service_type="location", name="ccat_buffer", silent=True)
        ServiceHeartbeatFactory.create()

        answer = viewer_api.get(OVERVIEW).json()

        assert answer["packages"] == {"waiting": 1, "transferring": 0, "failed": 0}
        usage = {row["full_name"]: row["used_pct"] for row in answer["locations"]}
        assert usage["ccat_output_buffer"] == 90.0
        assert [row["name"] for row in answer["silent_services"]] == ["ccat_buffer"]

    def test_it_takes_four_queries_however_much_there_is(
        self, viewer_api: ApiClient, django_assert_num_queries: Any
    ) -> None:
        for number in range(6):
            RawDataPackageCreationFactory.create()
            BufferLocationFactory.create(name=f"b{number}")
        viewer_api.get(OVERVIEW)
        with django_assert_num_queries(5):  # and one for the token
            viewer_api.get(OVERVIEW)


class TestOperations:
    def test_a_failed_operation_is_retried(self, operator_api: ApiClient) -> None:
        check = LocationCheckFactory.create(failed=True)
        answer = operator_api.post(f"/api/transfer/operations/{check.pk}/retry", {"reason": "disk is mounted again"})
        assert answer.status_code == 200, answer.content
        assert answer.json()["status"] == "pending"
        assert answer.json()["attempts"] == 0
        line = SystemLog.objects.filter(component="dispatch").get()
        assert line.context["reason"] == "disk is mounted again"
        assert operator_api.token is not None
        assert line.user == operator_api.token.user

    def test_an_operation_is_cancelled(self, operator_api: ApiClient) -> None:
        check = LocationCheckFactory.create()
        answer = operator_api.post(f"/api/transfer/operations/{check.pk}/cancel")
        assert answer.json()["status"] == "failed"
        assert answer.json()["error_code"] == "operation.cancelled"

    @pytest.mark.parametrize("act", ["retry", "cancel"])
    def test_what_is_over_is_a_conflict(self, operator_api: ApiClient, act: str) -> None:
        check = LocationCheckFactory.create(completed=True)
        answer = operator_api.post(f"/api/transfer/operations/{check.pk}/{act}")
        problem(answer, 409, "status.invalid_transition")
        assert Operation.objects.get(pk=check.pk).status == Status.COMPLETED

    @pytest.mark.parametrize("act", ["retry", "cancel"])
    def test_an_unknown_operation_is_404(self, operator_api: ApiClient, act: str) -> None:
        answer = operator_api.post(f"/api/transfer/operations/999999/{act}")
        problem(answer, 404, "request.not_found")

    @pytest.mark.parametrize("body", [[], [1], "x", False, {"reason": 1.5, "why": "x"}, {"reason": "\x00"}])
    def test_a_reason_that_makes_no_sense_is_refused(self, operator_api: ApiClient, body: Any) -> None:
        check = LocationCheckFactory.create(failed=True)
        answer = operator_api.post(f"/api/transfer/operations/{check.pk}/retry", body)
        problem(answer, 400, "request.invalid")

    @pytest.mark.parametrize("act", ["retry", "cancel"])
    def test_who_may_only_read_may_not(self, viewer_api: ApiClient, act: str) -> None:
        check = LocationCheckFactory.create(failed=True)
        answer = viewer_api.post(f"/api/transfer/operations/{check.pk}/{act}")
        problem(answer, 403, "request.permission_denied")
