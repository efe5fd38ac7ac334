"""Runs on the cluster over HTTP: ask for one, follow it, cancel it, run it again."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.auth.relaying import filing_token
from accounts.auth.tokens import user_of
from ccatdc.common.api.views import StrictListView
from ccatdc.common.visibility import visible
from transfer.api.filters import ProcessingJobFilter
from transfer.api.run_serializers import ProcessingJobDetailSerializer, ProcessingJobSerializer, RunRequestSerializer
from transfer.models import ProcessingJob
from transfer.runs import requests

READ, RUN = "read:observations", "write:products"


def job_of(request: Request, run: UUID) -> ProcessingJob:
    """One that the person may see; 404 for another's."""
    return get_object_or_404(_jobs(request), processing_run=run)


def shown(request: Request, run: UUID, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """The run as it is now."""
    return Response(ProcessingJobDetailSerializer(job_of(request, run)).data, status=status)


class ProcessingJobsView(StrictListView[ProcessingJob]):
    """Runs that one may see, the latest first."""

    needs = {"GET": READ, "POST": RUN}
    queryset = ProcessingJob.objects.none()
    serializer_class = ProcessingJobSerializer
    filterset_class = ProcessingJobFilter
    orders = ("-created_at", "created_at")

    def get_queryset(self) -> QuerySet[ProcessingJob]:
        """Those that the asker may see."""
        if getattr(self, "swagger_fake_view", False):
            return ProcessingJob.objects.none()
        return _jobs(self.request)

    @extend_schema(
        operation_id="request_run", request=RunRequestSerializer, responses={201: ProcessingJobDetailSerializer}
    )
    def post(self, request: Request) -> Response:
        """Ask for a run. The answer is the run; follow it until it is completed."""
        body = RunRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        data: dict[str, Any] = dict(body.validated_data)
        job = requests.request_run(
            user_of(request), data.pop("pipeline"), run_id=data.pop("id", None), token=filing_token(request), **data
        )
        return shown(request, job.processing_run_id, HTTPStatus.CREATED)


class ProcessingJobView(APIView):
    """One run."""

    needs = {"GET": READ}

    @extend_schema(responses={200: ProcessingJobDetailSerializer})
    def get(self, request: Request, pk: UUID) -> Response:
        """The run, how far it is, and what its command said."""
        return shown(request, pk)


class CancelRunView(APIView):
    """Stop a run."""

    needs = {"POST": RUN}

    @extend_schema(operation_id="cancel_run", request=None, responses={200: ProcessingJobDetailSerializer})
    def post(self, request: Request, pk: UUID) -> Response:
        """Cancel: the command is ended, and nothing of what it made is filed."""
        requests.cancel_run(job_of(request, pk), user=user_of(request))
        return shown(request, pk)


class RetryRunView(APIView):
    """Run again what failed or was cancelled."""

    needs = {"POST": RUN}

    @extend_schema(operation_id="retry_run", request=None, responses={201: ProcessingJobDetailSerializer})
    def post(self, request: Request, pk: UUID) -> Response:
        """A new run of the same pipeline over the same inputs; the answer is the new one."""
        job = requests.retry_run(job_of(request, pk), user=user_of(request))
        return shown(request, job.processing_run_id, HTTPStatus.CREATED)


def _jobs(request: Request) -> QuerySet[ProcessingJob]:
    rows = ProcessingJob.objects.for_listing().select_related("retry_of")
    return visible(rows, user_of(request))
