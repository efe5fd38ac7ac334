"""The scientists' pages: find archived packages, ask for them, follow one's jobs.

Each view is three lines: may I, do it, say so. What a request means is in transfer/staging/requests.py; what is ticked
in transfer/staging/selection.py. Everything works without JavaScript.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_tables2 import RequestConfig

from accounts.people import person_of, refusal
from ccatdc.common.admin.paging import BoundedPaginator
from ccatdc.common.errors import CcatError
from ccatdc.common.visibility import visible
from datamgmt.models import DataLocation, RawDataPackage
from transfer.models import StagingJob
from transfer.models.jobs import MAX_KEEP_DAYS
from transfer.staging import requests
from transfer.staging.filters import PackageFilter
from transfer.staging.forms import ExtendForm, RequestForm
from transfer.staging.landing import landing
from transfer.staging.progress import Progress
from transfer.staging.selection import Selection
from transfer.staging.tables import JobTable, PackageTable, job_badge

View = Callable[..., HttpResponseBase]
PER_PAGE = 25
JOBS_ON_HOME_PAGE = 5


def needs(codename: str) -> Callable[[View], View]:
    """A log-in, and a permission: without it a page that says so."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not person_of(request).may(codename):
                raise PermissionDenied(refusal(codename))
            return view(request, *args, **kwargs)

        return login_required(guarded)

    return decorate


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Where everybody begins: one's jobs, the archive, the portal; without a log-in what the data center is."""
    if not request.user.is_authenticated:
        return landing(request)
    mine = StagingJob.objects.of(person_of(request)).select_related("destination_location__site")
    return render(request, "staging/home.html", {"jobs": [(job, job_badge(job)) for job in mine[:JOBS_ON_HOME_PAGE]]})


@needs("read:observations")
@require_http_methods(["GET", "POST"])
def packages(request: HttpRequest) -> HttpResponse:
    """Archived packages: filter, tick, go on."""
    selection = Selection(request)
    may_stage = person_of(request).may("stage:data")
    if request.method == "POST":
        return _pressed(request, selection)
    chosen = PackageFilter(request.GET, queryset=_archived(request).for_listing(), request=request)
    rows = chosen.qs if chosen.form.is_valid() else chosen.queryset.none()
    narrowed = chosen.by_observation
    if narrowed:
        rows = rows.order_by("-executed_obs_unit__start_time", "-pk")
    table = PackageTable(rows, selection=selection, may_stage=may_stage, orderable=False if narrowed else None)
    paginate = {"per_page": PER_PAGE, "paginator_class": BoundedPaginator, "silent": True}
    RequestConfig(request, paginate=paginate).configure(table)
    on_page = {str(row.record.pk) for row in table.page.object_list}
    elsewhere = selection.packages().exclude(pk__in=on_page)
    return render(
        request,
        "staging/packages.html",
        {
            "filter": chosen,
            "table": table,
            "may_stage": may_stage,
            "selection_count": len(selection),
            "selection_bytes": selection.total_bytes(),
            "elsewhere_count": elsewhere.count(),
            "elsewhere_bytes": elsewhere.total_size(),
            "most": requests.MAX_PACKAGES,
        },
    )


def _archived(request: HttpRequest) -> Any:
    """Archived packages that the person may see."""
    return visible(RawDataPackage.objects.archived(), person_of(request))


def _pressed(request: HttpRequest, selection: Selection) -> HttpResponse:
    """Any button of the list: take over the ticks first, then go where it says."""
    selection.merge(request.POST.getlist("shown"), request.POST.getlist("package"))
    page = reverse("staging:packages")
    wanted = request.POST.get("do", "")
    if wanted == "review":
        return redirect("staging:request")
    if wanted == "filter":
        fields = PackageFilter.base_filters
        query = {name: request.POST[name] for name in fields if request.POST.get(name)}
        return HttpResponseRedirect(f"{page}?{urlencode(query)}" if query else page)
    if wanted == "clear":
        selection.clear()
    if wanted == "all":
        rows = PackageFilter(request.GET, queryset=_archived(request), request=request).qs
        selection.add(rows.values_list("pk", flat=True)[: requests.MAX_PACKAGES + 1])
    # Paging and sorting: the query of the page to go to, with the filters as they are.
    query_string = wanted.removeprefix("?") if wanted.startswith("?") else request.GET.urlencode()
    return HttpResponseRedirect(f"{page}?{query_string}" if query_string else page)


@needs("stage:data")
@require_http_methods(["GET", "POST"])
def request_page(request: HttpRequest) -> HttpResponse:
    """The chosen packages with their size, where to, and the button."""
    selection = Selection(request)
    form = RequestForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        location: DataLocation = form.cleaned_data["location"]
        chosen = selection.packages()
        whole = form.cleaned_data["whole_observations"]
        try:
            made = requests.request_staging(
                person_of(request),
                [] if whole else list(chosen.values_list("pk", flat=True)),
                location,
                form.cleaned_data["name"],
                executions=list(chosen.executions()) if whole else [],
            )
        except CcatError as error:
            form.add_error(None, str(error))
        else:
            selection.clear()
            messages.success(request, "Your request is on its way. This page follows it.")
            return redirect("staging:job", pk=made.pk)
    rows = selection.packages().for_listing().order_by("name")
    context = {"form": form, "rows": rows, "total": selection.total_bytes()}
    return render(request, "staging/request.html", context)


@needs("read:observations")
@require_GET
def jobs(request: HttpRequest) -> HttpResponse:
    """One's own jobs, the newest first."""
    mine = StagingJob.objects.of(person_of(request)).select_related("destination_location__site")
    table = JobTable(mine)
    RequestConfig(request, paginate={"per_page": PER_PAGE, "silent": True}).configure(table)
    return render(request, "staging/jobs.html", {"table": table})


@needs("read:observations")
@require_GET
def job(request: HttpRequest, pk: int) -> HttpResponse:
    """One job: how far it is, why it waits, where its data is, and what can be done with it."""
    progress = Progress(_job_of(request, pk))
    return render(
        request, "staging/job.html", {"progress": progress, "extend_form": ExtendForm(), "most_days": MAX_KEEP_DAYS}
    )


@needs("read:observations")
@require_GET
def job_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The changing part of that page."""
    progress = Progress(_job_of(request, pk))
    response = render(request, "staging/job_progress.html", {"progress": progress})
    if progress.is_over:
        response["X-Refresh"] = "stop"
    return response


@needs("stage:data")
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the job up; its data may go."""
    return _act(request, pk, "Cancelled.", requests.cancel_job)


@needs("stage:data")
@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, pk, "What failed is tried again.", requests.retry_job)


@needs("stage:data")
@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask once more for what a job that is over had."""
    try:
        made = requests.ask_again(_job_of(request, pk), user=person_of(request))
    except CcatError as error:
        messages.error(request, str(error))
        return redirect("staging:job", pk=pk)
    messages.success(request, "Your request is on its way. This page follows it.")
    return redirect("staging:job", pk=made.pk)


@needs("stage:data")
@require_POST
def extend(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep the data longer, as far as that goes."""
    form = ExtendForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose how many days.")
        return redirect("staging:job", pk=pk)
    days = timedelta(days=form.cleaned_data["days"])

    def longer(row: StagingJob, **who: Any) -> StagingJob:
        latest = row.created_at + timedelta(days=MAX_KEEP_DAYS)
        return requests.extend_job(row, min(row.expires_at + days, latest), **who)

    return _act(request, pk, "The data stays longer.", longer)


def _act(request: HttpRequest, pk: int, done: str, work: Callable[..., StagingJob]) -> HttpResponse:
    try:
        work(_job_of(request, pk), user=person_of(request))
    except CcatError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done)
    return redirect("staging:job", pk=pk)


def _job_of(request: HttpRequest, pk: int) -> StagingJob:
    """One's own job; operators see all. For others it does not exist: ids tell nobody anything."""
    person = person_of(request)
    rows = StagingJob.objects.select_related("destination_location__site", "requested_by")
    if not (person.is_staff and person.may("write:transfers")):
        rows = rows.of(person)
    row = rows.filter(pk=pk).first()
    if row is None:
        raise Http404("You have no such job.")
    return row
