"""The root of the API: what is not there, what went wrong, the description, and /health."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from datamgmt.api.filing_serializers import FileReportSerializer
from datamgmt.filing.parsing import _READERS, _REQUIRED
from tests.api.bodies import START, start_body
from tests.api.conftest import ApiClient, problem
from tests.factories.accounts import UserFactory
from tests.factories.transfer import DataTransferFactory, ServiceHeartbeatFactory

pytestmark = pytest.mark.django_db


class TestNothingHere:
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
    def test_an_unknown_address_is_a_problem_document(self, method: str) -> None:
        problem(ApiClient().send(method, "/api/nowhere"), 404, "request.not_found")
        problem(ApiClient().send(method, "/api/"), 404, "request.not_found")

    @pytest.mark.parametrize(
        ("wrong", "right"),
        [
            ("/api/raw_data_files", "/api/raw_data_files/"),
            ("/api/raw_data_files/bulk/", "/api/raw_data_files/bulk"),
            ("/api/executed_obs_units/start/", "/api/executed_obs_units/start"),
        ],
    )
    def test_a_slash_too_many_or_too_few_is_pointed_out(self, wrong: str, right: str) -> None:
        answer = problem(ApiClient().post(wrong, {}), 404, "request.not_found")
        assert f"Did you mean {right}?" in answer["detail"]

    def test_a_path_that_is_no_uuid_is_404(self, viewer_api: ApiClient) -> None:
        problem(viewer_api.get("/api/raw_data_packages/7/"), 404, "request.not_found")

    @pytest.mark.parametrize(
        ("method", "address"), [("DELETE", "/api/executed_obs_units/"), ("GET", START), ("PATCH", "/api/instruments/")]
    )
    def test_a_method_that_is_not_offered_is_405(self, viewer_api: ApiClient, method: str, address: str) -> None:
        answer = viewer_api.send(method, address)
        problem(answer, 405, "request.method_not_allowed")
        assert method not in answer["Allow"]


class ClosedView(APIView):
    """Says nothing about who may."""

    def get(self, _request: Request) -> Response:
        return Response("secret")


def test_a_view_that_says_nothing_is_closed_to_everybody(viewer_api: ApiClient) -> None:
    user = UserFactory.create(is_superuser=True)
    request = APIRequestFactory().get("/")
    force_authenticate(request, user)
    answer = ClosedView.as_view()(request)
    assert answer.status_code == 403
    assert answer.data["code"] == "request.permission_denied"


class TestFaults:
    def test_a_fault_of_ours_is_a_problem_document_and_logged(
        self, instrument_api: ApiClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = ApiClient(instrument_api.token, raises=False)
        with patch("datamgmt.api.filing_views.start_execution", side_effect=ZeroDivisionError):
            answer = client.post(START, start_body())
        problem(answer, 500, "internal.error")
        assert "ZeroDivisionError" in caplog.text

    def test_a_database_that_does_not_answer_is_503_and_worth_a_retry(self, instrument_api: ApiClient) -> None:
        with patch("datamgmt.api.filing_views.start_execution", side_effect=OperationalError("away")):
            answer = instrument_api.post(START, start_body())
        assert problem(answer, 503, "world.database")["retryable"] is True
        assert answer["Retry-After"] == "5"

    def test_a_fault_of_a_page_is_no_problem_document(self) -> None:
        with patch("ccatdc.health.look", side_effect=ZeroDivisionError):
            answer = Client(raise_request_exception=False).get("/health")
        assert answer.status_code == 500
        assert answer["Content-Type"].startswith("text/html")


class TestSchema:
    def test_it_is_valid_openapi_without_a_warning(self) -> None:
        call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())

    def test_it_is_served_in_both_forms(self) -> None:
        for form, media_type in (("json", "application/vnd.oai.openapi+json"), ("yaml", "application/vnd.oai.openapi")):
            answer = Client().get(f"/api/schema/?format={form}")
            assert answer.status_code == 200
            assert answer["Content-Type"].startswith(media_type)

    def test_it_names_our_tokens_and_errors(self) -> None:
        schema = Client().get("/api/schema/?format=json").json()
        assert schema["openapi"].startswith("3.")
        assert schema["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}
        start = schema["paths"]["/api/executed_obs_units/start"]["post"]
        assert {"200", "201", "400", "401", "403", "409", "413"} <= start["responses"].keys()
        assert "application/problem+json" in start["responses"]["409"]["content"]

    def test_the_user_interface_comes_from_this_host_alone(self) -> None:
        page = Client().get("/api/docs/").content.decode()
        assert "swagger-ui" in page
        for address in ("//cdn", "https://", "http://"):
            assert address not in page

    def test_what_it_says_of_a_file_is_what_is_read(self) -> None:
        """Rows are read by hand; their description must not drift away from it."""
        fields = FileReportSerializer().fields
        assert set(fields) == set(_READERS)
        assert {name for name, field in fields.items() if field.required} == set(_REQUIRED)


class TestHealth:
    def test_all_well(self) -> None:
        ServiceHeartbeatFactory.create()
        ServiceHeartbeatFactory.create(service_type="location", name="ccat_buffer")
        answer = Client().get("/health")
        assert answer.status_code == 200
        assert answer.json() == {"status": "ok", "database": "ok", "managers": "alive", "silent": [], "attention": 0}
        assert "no-cache" in answer["Cache-Control"]

    def test_a_silent_worker_is_named_and_the_rest_goes_on(self) -> None:
        ServiceHeartbeatFactory.create()
        ServiceHeartbeatFactory.create(service_type="location", name="ccat_buffer", silent=True)
        answer = Client().get("/health")
        assert answer.status_code == 200
        assert answer.json()["status"] == "degraded"
        assert answer.json()["silent"] == ["location ccat_buffer"]

    def test_what_needs_a_person_is_counted_as_on_the_first_page(self) -> None:
        ServiceHeartbeatFactory.create()
        DataTransferFactory.create(failed=True)
        answer = Client().get("/health")
        assert answer.status_code == 200
        assert answer.json()["status"] == "degraded"
        assert answer.json()["attention"] == 3  # and neither end of it has a worker

    def test_a_worker_that_was_stopped_is_not_missed(self) -> None:
        ServiceHeartbeatFactory.create()
        ServiceHeartbeatFactory.create(
            service_type="location",
            name="ccat_buffer",
            stopped_at=timezone.now(),
            last_seen=timezone.now() - timedelta(days=1),
        )
        assert Client().get("/health").json()["status"] == "ok"

    def test_without_managers_it_is_503(self) -> None:
        ServiceHeartbeatFactory.create(silent=True)
        answer = Client().get("/health")
        assert answer.status_code == 503
        assert answer.json()["managers"] == "silent"

    def test_without_a_database_it_is_503(self) -> None:
        with patch("ccatdc.health.ServiceHeartbeat.objects.alive", side_effect=OperationalError("away")):
            answer = Client().get("/health")
        assert answer.status_code == 503
        assert answer.json()["database"] == "unreachable"

    @pytest.mark.parametrize("method", ["post", "put", "delete"])
    def test_it_is_only_for_looking(self, method: str) -> None:
        call: Any = getattr(Client(), method)
        assert call("/health").status_code == 405
