"""Downloads over HTTP: files, packages and selections, and links to S3 servers that allow them.

Who may stage data may download it; what they may see decides which (transfer/downloads).
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.auth.tokens import user_of
from ccatdc.common.api.parsers import StrictSerializer
from ccatdc.common.api.problems import MEDIA_TYPE
from ccatdc.common.api.schema import ProblemSerializer
from ccatdc.common.visibility import visible
from datamgmt.models import RawDataFile, RawDataPackage
from planning.models import ExecutedObsUnit
from transfer.api.staging_views import STAGE
from transfer.downloads import answers
from transfer.downloads.selection import MAX_NAMED, select

_REFUSED: Final[dict[Any, Any]] = {
    (409, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="It is in no archive, or none gives links."),
    (416, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="It has no such bytes."),
}
_BYTES: Final = {(200, "application/octet-stream"): OpenApiTypes.BINARY, **_REFUSED}
_TAR: Final = {(200, "application/x-tar"): OpenApiTypes.BINARY, **_REFUSED}


class SelectionSerializer(StrictSerializer):
    """What is to be in the tar: all of it together."""

    files = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MAX_NAMED)
    packages = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MAX_NAMED)
    executed_obs_units = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MAX_NAMED)


class LinkSerializer(serializers.Serializer[Any]):
    """An address at an S3 server, and which of its bytes are meant."""

    url = serializers.CharField()
    first_byte = serializers.IntegerField()
    last_byte = serializers.IntegerField(help_text="Ask for these bytes: Range: bytes=first-last.")
    size = serializers.IntegerField()
    digest = serializers.CharField(help_text="BLAKE3 of these bytes.")
    name = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")


_LINK: Final = {200: LinkSerializer, **_REFUSED}


def file_of(request: Request, pk: UUID) -> RawDataFile:
    """A file that the asker may see; 404 for others."""
    rows = visible(RawDataFile.objects.select_related("raw_data_package"), user_of(request))
    found: RawDataFile = get_object_or_404(rows, pk=pk)
    return found


def package_of(request: Request, pk: UUID) -> RawDataPackage:
    """A package that the asker may see; 404 for others."""
    found: RawDataPackage = get_object_or_404(visible(RawDataPackage.objects.all(), user_of(request)), pk=pk)
    return found


class FileDownloadView(APIView):
    """The bytes of one file."""

    needs = {"GET": STAGE}

    @extend_schema(operation_id="download_file", responses=_BYTES)
    def get(self, request: Request, pk: UUID) -> HttpResponseBase:
        """One file out of its archived package, verified while it is sent; takes Range."""
        return answers.answer(request._request, user_of(request), answers.of_file(file_of(request, pk)))


class PackageDownloadView(APIView):
    """The tar of one package."""

    needs = {"GET": STAGE}

    @extend_schema(operation_id="download_package", responses=_TAR)
    def get(self, request: Request, pk: UUID) -> HttpResponseBase:
        """A whole package as it is archived, verified while it is sent; takes Range."""
        user = user_of(request)
        return answers.answer(request._request, user, answers.of_package(package_of(request, pk), user))


class ExecutionDownloadView(APIView):
    """All archived files of an observation."""

    needs = {"GET": STAGE}

    @extend_schema(operation_id="download_execution", responses=_TAR)
    def get(self, request: Request, pk: UUID) -> HttpResponseBase:
        """A tar with a manifest, each file verified while it is sent; files of data streams that overlap it too."""
        user = user_of(request)
        get_object_or_404(visible(ExecutedObsUnit.objects.all(), user), pk=pk)
        selection = select(user, executions=[pk])
        return answers.answer(request._request, user, answers.of_selection(selection, str(pk)))


class SelectionDownloadView(APIView):
    """Files, packages and observations as one tar."""

    needs = {"POST": STAGE}

    @extend_schema(operation_id="download_selection", request=SelectionSerializer, responses=_TAR)
    def post(self, request: Request) -> HttpResponseBase:
        """A tar with a manifest of all that is named, each file once."""
        body = SelectionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        data: dict[str, Any] = body.validated_data
        user = user_of(request)
        selection = select(
            user,
            files=data.get("files", ()),
            packages=data.get("packages", ()),
            executions=data.get("executed_obs_units", ()),
        )
        return answers.answer(request._request, user, answers.of_selection(selection, "selection"))


class FileLinkView(APIView):
    """Where one file can be read without us."""

    needs = {"GET": STAGE}

    @extend_schema(operation_id="link_to_file", responses=_LINK)
    def get(self, request: Request, pk: UUID) -> Response:
        """A presigned address at an archive whose location allows it."""
        return Response(answers.link(file_of(request, pk), user_of(request)))


class PackageLinkView(APIView):
    """Where one package can be read without us."""

    needs = {"GET": STAGE}

    @extend_schema(operation_id="link_to_package", responses=_LINK)
    def get(self, request: Request, pk: UUID) -> Response:
        """A presigned address at an archive whose location allows it."""
        return Response(answers.link(package_of(request, pk), user_of(request)))
