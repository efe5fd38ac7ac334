"""Step 0 over HTTP: start, finish, files. The paths are those of CCAT's own interface."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.auth.relaying import filing_token
from accounts.auth.tokens import user_of
from ccatdc.common.api.parsers import CompressedJsonParser
from ccatdc.common.api.schema import at_most
from datamgmt.api.execution_serializers import ExecutionSerializer
from datamgmt.api.filing_serializers import (
    AmendSerializer,
    FiledFileSerializer,
    FileReportSerializer,
    FinishSerializer,
    RegisteredSerializer,
    StartSerializer,
)
from datamgmt.api.serializers import FileSerializer
from datamgmt.filing.executions import finish_execution, register_files, start_execution
from datamgmt.filing.parsing import MAX_ROWS, read_file_reports
from datamgmt.filing.quality import amend_file_quality, amend_quality


def status_of(created: bool) -> HTTPStatus:
    return HTTPStatus.CREATED if created else HTTPStatus.OK


class StartExecutionView(APIView):
    """An observation begins."""

    needs = {"POST": "write:observations"}

    @extend_schema(
        operation_id="start_execution",
        request=StartSerializer,
        responses={201: ExecutionSerializer, 200: ExecutionSerializer},
    )
    def post(self, request: Request) -> Response:
        """Start an execution: 201; 200 when it was started so before."""
        body = StartSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        execution, created = start_execution(body.report(), token=filing_token(request))
        return Response(ExecutionSerializer(execution).data, status=status_of(created))


class FinishExecutionView(APIView):
    """An observation is over."""

    needs = {"PUT": "write:observations"}

    @extend_schema(operation_id="finish_execution", request=FinishSerializer, responses={200: ExecutionSerializer})
    def put(self, request: Request, pk: UUID) -> Response:
        """Finish an execution, also by aborting it. The same again changes nothing."""
        body = FinishSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        execution, _ = finish_execution(pk, body.report(), token=filing_token(request))
        return Response(ExecutionSerializer(execution).data)


def _amendment(request: Request) -> dict[str, Any]:
    """What is said, by whom and why."""
    body = AmendSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    changes = dict(body.validated_data)
    reason = changes.pop("reason")
    return {"changes": changes, "reason": reason, "user": user_of(request), "token": filing_token(request)}


class AmendExecutionView(APIView):
    """What is said of an observation that is over."""

    needs = {"PATCH": "write:observations"}

    @extend_schema(operation_id="amend_execution", request=AmendSerializer, responses={200: ExecutionSerializer})
    def patch(self, request: Request, pk: UUID) -> Response:
        """Amend its quality and the comment. The same again changes nothing; every change is in the audit log."""
        execution = amend_quality(pk, **_amendment(request))
        return Response(ExecutionSerializer(execution).data)


class AmendFileView(APIView):
    """What is said of a file."""

    needs = {"PATCH": "write:observations"}

    @extend_schema(operation_id="amend_file", request=AmendSerializer, responses={200: FileSerializer})
    def patch(self, request: Request, pk: UUID) -> Response:
        """Amend its quality and the comment. The same again changes nothing; every change is in the audit log."""
        file = amend_file_quality(pk, **_amendment(request))
        return Response(FileSerializer(file).data)


class RegisterFileView(APIView):
    """One file."""

    needs = {"POST": "write:observations"}

    @extend_schema(
        operation_id="register_file",
        request=FileReportSerializer,
        responses={201: FiledFileSerializer, 200: FiledFileSerializer},
    )
    def post(self, request: Request) -> Response:
        """Register a file: 201; 200 when it was registered so before."""
        (report,) = reports = read_file_reports([request.data])
        registered = register_files(reports, token=filing_token(request))
        body = {"id": str(report.id), "created": bool(registered.created)}
        return Response(body, status=status_of(bool(registered.created)))


class RegisterFilesView(APIView):
    """Up to 10,000 files."""

    needs = {"POST": "write:observations"}
    parser_classes = [CompressedJsonParser]

    @extend_schema(
        operation_id="register_files",
        request={"application/json": at_most(FileReportSerializer(many=True), MAX_ROWS)},
        responses={201: RegisteredSerializer, 200: RegisteredSerializer},
    )
    def post(self, request: Request) -> Response:
        """Register files, all or nothing: 201; 200 when all were registered so before."""
        registered = register_files(read_file_reports(request.data), token=filing_token(request))
        body = {"created": registered.created, "unchanged": registered.unchanged}
        return Response(body, status=status_of(bool(registered.created)))
