"""The flow over HTTP: its state, a package with its history, retry and cancel."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.auth.tokens import user_of
from ccatdc.common.api.parsers import StrictSerializer
from ccatdc.common.visibility import visible
from datamgmt.models import RawDataPackage
from transfer.api.serializers import (
    OperationSerializer,
    OverviewSerializer,
    PackageDetailSerializer,
    operations_as_json,
)
from transfer.engine import dispatch
from transfer.models import Operation
from transfer.operators import overview
from transfer.operators.resend import try_again


class OverviewView(APIView):
    """The state of the flow."""

    needs = {"GET": "read:observations"}

    @extend_schema(responses={200: OverviewSerializer})
    def get(self, request: Request) -> Response:
        """Stages by status, packages on their way, locations, silent services. Four queries."""
        state = {
            "stages": overview.stage_counts(user_of(request)),
            "packages": overview.packages_on_the_way(user_of(request)),
            "locations": overview.locations(),
            "silent_services": overview.silent_services(),
        }
        return Response(OverviewSerializer(state).data)


class PackageView(RetrieveAPIView[RawDataPackage]):
    """One package with its copies and operations."""

    needs = {"GET": "read:observations"}
    queryset = RawDataPackage.objects.for_listing().select_related("source_location__site")
    serializer_class = PackageDetailSerializer


class ReasonSerializer(StrictSerializer):
    """Why; stands in the audit log."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)


def _reason(request: Request) -> str:
    body = ReasonSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    reason: str = body.validated_data["reason"]
    return reason


def _operation(request: Request, pk: int) -> Operation:
    rows = visible(Operation.objects.all(), request.user)
    operation: Operation = get_object_or_404(rows, pk=pk)
    return operation


def _shown(pk: int) -> Response:
    rows = Operation.objects.non_polymorphic().select_related("location__site").filter(pk=pk)
    return Response(operations_as_json(list(rows))[0])


class OperationView(APIView):
    """One operation."""

    needs = {"GET": "read:observations"}

    @extend_schema(responses={200: OperationSerializer})
    def get(self, request: Request, pk: int) -> Response:
        """The operation as it is now."""
        _operation(request, pk)
        return _shown(pk)


class RetryOperationView(APIView):
    """Try again now, with a clean count of attempts."""

    needs = {"POST": "write:transfers"}

    @extend_schema(operation_id="retry_operation", request=ReasonSerializer, responses={200: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Retry what failed, is paused or waits, and resend what failed with it; 409 for anything else."""
        try_again(_operation(request, pk), user_of(request), _reason(request))
        return _shown(pk)


class CancelOperationView(APIView):
    """End an operation that is not over."""

    needs = {"POST": "write:transfers"}

    @extend_schema(operation_id="cancel_operation", request=ReasonSerializer, responses={200: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Cancel; one in progress is asked to stop. 409 when it is over."""
        dispatch.cancel(_operation(request, pk), user=user_of(request), reason=_reason(request))
        return _shown(pk)
