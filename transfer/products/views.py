"""The search of data products, and the pages of one product and one run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST
from django_tables2 import RequestConfig

from accounts.people import person_of
from ccatdc.common.admin.paging import BoundedPaginator
from ccatdc.common.visibility import visible
from datamgmt.models import DataProduct, ProcessingRun
from transfer.products import page, story
from transfer.staging.requests import MAX_PACKAGES
from transfer.staging.selection import Selection
from transfer.staging.views import needs

PER_PAGE = 25


def _seen_by(request: HttpRequest) -> Any:
    return visible(DataProduct.objects.for_listing(), person_of(request))


@needs("read:observations")
@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """The form and what it finds, newest first."""
    asked = page.ProductFilter(request.GET, queryset=_seen_by(request), request=request)
    is_clear = asked.form.is_valid()
    table = page.ProductTable(asked.qs if is_clear else asked.queryset.none())
    paginate = {"per_page": PER_PAGE, "paginator_class": BoundedPaginator, "silent": True}
    RequestConfig(request, paginate=paginate).configure(table)
    table.gather()
    context = {"filter": asked, "table": table}
    return render(request, "products/search.html", context, status=200 if is_clear else 400)


@needs("read:observations")
@require_GET
def product(request: HttpRequest, pk: UUID) -> HttpResponse:
    """All about one product. One that the person may not see does not exist for them."""
    person = person_of(request)
    row = get_object_or_404(_seen_by(request), pk=pk)
    context = {
        "row": row,
        "facts": page.facts(row),
        "metrics": page.metrics(row),
        "files": page.files(row),
        "lineage": story.of_product(row.pk, person),
        "publications": row.publications.all(),
        "may_stage": person.may("stage:data") and page.packages(row, person).exists(),
    }
    return render(request, "products/product.html", context)


@needs("read:observations")
@require_GET
def run(request: HttpRequest, pk: UUID) -> HttpResponse:
    """All about one run."""
    person = person_of(request)
    rows = visible(ProcessingRun.objects.for_listing().select_related("submitted_by"), person)
    row = get_object_or_404(rows, pk=pk)
    context = {
        "row": row,
        "facts": page.run_facts(row),
        "configuration": page.configuration(row),
        "products": page.flagged(_seen_by(request).filter(processing_run=row).order_by("name")[: page.MAX_PRODUCTS]),
        "lineage": story.of_run(row, person),
    }
    return render(request, "products/run.html", context)


@needs("stage:data")
@require_POST
def stage(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Choose its archived packages, and go on to the request."""
    row = get_object_or_404(_seen_by(request), pk=pk)
    packages = page.packages(row, person_of(request))
    Selection(request).add(packages.values_list("pk", flat=True)[: MAX_PACKAGES + 1])
    return redirect("staging:request")
