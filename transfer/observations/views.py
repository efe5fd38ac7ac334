"""The search of observations, its exports, and the page of one observation."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST
from django_tables2 import RequestConfig

from accounts.people import person_of
from ccatdc.common.admin.paging import BoundedPaginator
from ccatdc.common.visibility import visible
from datamgmt.models import RawDataPackage
from planning.models import ExecutedObsUnit
from transfer.observations import page
from transfer.observations.exports import ENDINGS, FORMATS, LABELS, MAX_ROWS
from transfer.observations.filters import ObservationFilter
from transfer.observations.lines import lines
from transfer.observations.tables import ObservationTable, quality_badge
from transfer.products.page import made_of as products_made_of
from transfer.staging.basket import Basket
from transfer.staging.requests import MAX_PACKAGES
from transfer.staging.selection import Selection
from transfer.staging.views import needs

PER_PAGE = 25
FILES_PER_PAGE = 50


def _seen_by(request: HttpRequest) -> Any:
    """Observations that the person may see, with what lists show."""
    return visible(ExecutedObsUnit.objects.for_listing(), person_of(request))


@needs("read:observations")
@require_GET
def search(request: HttpRequest) -> Any:
    """The form and what it finds, newest first; ``format`` in the address gives a file."""
    asked = ObservationFilter(request.GET, queryset=_seen_by(request), request=request)
    is_clear = asked.form.is_valid()
    rows = asked.qs if is_clear else asked.queryset.none()
    wanted = request.GET.get("format", "")
    if wanted in FORMATS and is_clear:
        return _file(rows, wanted)
    may_stage = person_of(request).may("stage:data")
    table = ObservationTable(rows, basket=Basket(request), may_stage=may_stage)
    paginate = {"per_page": PER_PAGE, "paginator_class": BoundedPaginator, "silent": True}
    RequestConfig(request, paginate=paginate).configure(table)
    table.gather()
    query = request.GET.copy()
    for name in ("format", "page", "sort"):
        query.pop(name, None)
    context = {
        "may_stage": may_stage,
        "filter": asked,
        "table": table,
        "query": query.urlencode(),
        "formats": LABELS,
        "most": f"{MAX_ROWS:,}",
    }
    return render(request, "observations/search.html", context, status=200 if is_clear else 400)


def _file(rows: Any, wanted: str) -> StreamingHttpResponse:
    """What is found as a file, the newest first; one row more than the limit tells whether there are more."""
    media_type, parts = FORMATS[wanted]
    found = lines(rows.order_by("-start_time", "-pk")[: MAX_ROWS + 1])
    name = f"observations.{ENDINGS[wanted]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(parts(found), content_type=media_type, headers=headers)


@needs("read:observations")
@require_GET
def observation(request: HttpRequest, pk: UUID) -> HttpResponse:
    """All about one observation. One that the person may not see does not exist for them."""
    person = person_of(request)
    row = get_object_or_404(_seen_by(request).with_module_configurations(), pk=pk)
    (line,) = lines([row])
    packages = page.packages(row, person)
    may_stage = person.may("stage:data")
    files = page.FileTable(page.files(row, person), observation=row.pk, may_download=may_stage)
    paginate = {"per_page": FILES_PER_PAGE, "paginator_class": BoundedPaginator, "silent": True}
    RequestConfig(request, paginate=paginate).configure(files)
    return render(
        request,
        "observations/observation.html",
        {
            "row": row,
            "facts": page.facts(line),
            "conditions": page.conditions(row),
            "quality": quality_badge(row),
            "who": page.who_may_see(row),
            "picture": page.picture(row),
            "packages": packages[: page.MAX_PACKAGES],
            "more_packages": len(packages) > page.MAX_PACKAGES,
            "products": products_made_of(row, person),
            "files": files,
            "citation": page.citation(row, request.build_absolute_uri(request.path)),
            "may_stage": may_stage,
            "in_basket": row.pk in Basket(request),
            "archived_count": line.archived,
        },
    )


@needs("stage:data")
@require_POST
def stage(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Choose its archived packages, and go on to the request."""
    row = get_object_or_404(_seen_by(request), pk=pk)
    own = visible(RawDataPackage.objects.archived().filter(executed_obs_unit=row), person_of(request))
    Selection(request).add(own.values_list("pk", flat=True)[: MAX_PACKAGES + 1])
    return redirect("staging:request")
