"""Downloads from the page of an observation: what cannot be sent now is said there."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET

from accounts.people import person_of
from ccatdc.common.errors import CcatError
from ccatdc.common.visibility import visible
from datamgmt.models import RawDataFile, RawDataPackage
from transfer.downloads import answers
from transfer.downloads.selection import select
from transfer.staging.views import needs


@needs("stage:data")
@require_GET
def whole(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """All its archived files as one tar."""
    person = person_of(request)
    return _answered(request, pk, lambda: answers.of_selection(select(person, executions=[pk]), str(pk)))


@needs("stage:data")
@require_GET
def one_file(request: HttpRequest, pk: UUID, file: UUID) -> HttpResponseBase:
    rows = visible(RawDataFile.objects.select_related("raw_data_package"), person_of(request))
    row = get_object_or_404(rows, pk=file)
    return _answered(request, pk, lambda: answers.of_file(row))


@needs("stage:data")
@require_GET
def one_package(request: HttpRequest, pk: UUID, package: UUID) -> HttpResponseBase:
    person = person_of(request)
    row = get_object_or_404(visible(RawDataPackage.objects.all(), person), pk=package)
    return _answered(request, pk, lambda: answers.of_package(row, person))


def _answered(request: HttpRequest, pk: UUID, content: Callable[[], answers.Content]) -> HttpResponseBase:
    try:
        return answers.answer(request, person_of(request), content())
    except CcatError as error:
        messages.error(request, str(error))
        return redirect("observations:observation", pk=pk)
