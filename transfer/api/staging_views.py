"""Staging over HTTP: ask for data, follow one's own jobs, cancel, extend, retry."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.db.models import Count, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.auth.tokens import may, user_of
from ccatdc.common.api.views import StrictListView
from transfer.api.filters import StagingJobFilter
from transfer.api.staging_serializers import (
    EstimateSerializer,
    ExtensionSerializer,
    StagingJobDetailSerializer,
    StagingJobSerializer,
    StagingRequestSerializer,
)
from transfer.models import StagingJob
from transfer.staging import requests
from transfer.staging.estimates import estimate, packages_of

STAGE = "stage:data"


def jobs_of(request: Request) -> QuerySet[StagingJob]:
    """One's own; everybody's for who looks after the transfers."""
    jobs = StagingJob.objects.select_related("destination_location__site", "requested_by")
    if not may(request, "write:transfers"):
        jobs = jobs.of(user_of(request))
    return jobs.annotate(package_count=Count("raw_data_packages"))


def job_of(request: Request, pk: int) -> StagingJob:
    """One of those; 404 for another's."""
    return get_object_or_404(jobs_of(request), pk=pk)


def shown(request: Request, pk: int, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """The job as it is now."""
    return Response(StagingJobDetailSerializer(job_of(request, pk)).data, status=status)


class StagingJobsView(StrictListView[StagingJob]):
    """One's own jobs, the latest first."""

    needs = {"GET": STAGE, "POST": STAGE}
    queryset = StagingJob.objects.none()
    serializer_class = StagingJobSerializer
    filterset_class = StagingJobFilter
    orders = ("-created_at", "created_at")

    def get_queryset(self) -> QuerySet[StagingJob]:
        """Those that the asker may see."""
        if getattr(self, "swagger_fake_view", False):
            return StagingJob.objects.none()
        return jobs_of(self.request)

    @extend_schema(
        operation_id="request_staging", request=StagingRequestSerializer, responses={201: StagingJobDetailSerializer}
    )
    def post(self, request: Request) -> Response:
        """Ask for packages or whole observations. The answer is the job; follow it until it is completed."""
        body = StagingRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        data: dict[str, Any] = body.validated_data
        job = requests.request_staging(
            user_of(request),
            data.get("packages", ()),
            data["location"],
            data["name"],
            executions=data.get("executions", ()),
        )
        return shown(request, job.pk, HTTPStatus.CREATED)


class EstimateView(APIView):
    """Before asking."""

    needs = {"POST": STAGE}

    @extend_schema(
        operation_id="estimate_staging", request=StagingRequestSerializer, responses={200: EstimateSerializer}
    )
    def post(self, request: Request) -> Response:
        """Size, time and quotas of the same request; nothing is asked for."""
        body = StagingRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        data: dict[str, Any] = body.validated_data
        user = user_of(request)
        wanted = packages_of(user, packages=data.get("packages", ()), executions=data.get("executions", ()))
        return Response(EstimateSerializer(estimate(user, wanted, data["location"])).data)


class StagingJobView(APIView):
    """One job."""

    needs = {"GET": STAGE}

    @extend_schema(responses={200: StagingJobDetailSerializer})
    def get(self, request: Request, pk: int) -> Response:
        """The job, how far each package is, and where it is."""
        return shown(request, pk)


class CancelJobView(APIView):
    """Give up a job."""

    needs = {"POST": STAGE}

    @extend_schema(operation_id="cancel_staging_job", request=None, responses={200: StagingJobDetailSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Cancel: what was staged for it may go."""
        requests.cancel_job(job_of(request, pk), user=user_of(request))
        return shown(request, pk)


class ExtendJobView(APIView):
    """Keep the data longer."""

    needs = {"POST": STAGE}

    @extend_schema(
        operation_id="extend_staging_job", request=ExtensionSerializer, responses={200: StagingJobDetailSerializer}
    )
    def post(self, request: Request, pk: int) -> Response:
        """Extend, at most to 60 days after the request."""
        body = ExtensionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        job = job_of(request, pk)
        requests.extend_job(job, body.validated_data["until"], user=user_of(request))
        return shown(request, pk)


class AskAgainView(APIView):
    """The same once more."""

    needs = {"POST": STAGE}

    @extend_schema(operation_id="ask_again_for_staging_job", request=None, responses={201: StagingJobDetailSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """A new job for what one that is over had asked for."""
        made = requests.ask_again(job_of(request, pk), user=user_of(request))
        return shown(request, made.pk, HTTPStatus.CREATED)


class RetryJobView(APIView):
    """Try again what failed."""

    needs = {"POST": STAGE}

    @extend_schema(operation_id="retry_staging_job", request=None, responses={200: StagingJobDetailSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Retry the failed packages of a failed job."""
        requests.retry_job(job_of(request, pk), user=user_of(request))
        return shown(request, pk)
