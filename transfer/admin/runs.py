"""Portal pages of runs on the cluster: where they are computed, what may be run, and each run with its log."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.people import person_of
from ccatdc.common.admin.actions import SwitchedAdmin, portal_action
from ccatdc.common.admin.badges import NO_VALUE, link_to_admin
from ccatdc.common.admin.base import ReadOnlyAdmin, size_column, state_column
from ccatdc.common.db.notify import notify_managers
from transfer.engine.worker.logs import end_of_log
from transfer.models import ProcessingJob, ReductionPipeline, RunBackend
from transfer.models.runs import JobStatus
from transfer.runs.requests import cancel_run, retry_run

JOB_COLOURS: dict[str, str] = {
    JobStatus.PENDING: "warning",
    JobStatus.STAGING: "info",
    JobStatus.READY: "info",
    JobStatus.SUBMITTED: "info",
    JobStatus.RUNNING: "primary",
    JobStatus.COLLECTING: "primary",
    JobStatus.COMPLETED: "success",
    JobStatus.FAILED: "danger",
    JobStatus.CANCELLED: "default",
}


@admin.register(RunBackend)
class RunBackendAdmin(SwitchedAdmin):
    list_display = ["location", "backend", "results_location", "follow_seconds", "active", "followed_at"]
    list_select_related = ["location__site", "results_location__site"]
    list_filter = ["active", "backend"]
    autocomplete_fields = ["location", "results_location"]
    fields = ["location", "results_location", "backend", "parameters", "follow_seconds", "active"]

    def after_switching(self) -> None:
        """Runs may be submitted now."""
        notify_managers()


@admin.register(ReductionPipeline)
class ReductionPipelineAdmin(SwitchedAdmin):
    list_display = ["name", "software_version", "run_backend", "instrument_module", "active", "standing"]
    list_select_related = [
        "software_version__reduction_software",
        "run_backend__location__site",
        "instrument_module__instrument",
    ]
    list_filter = ["active", "standing"]
    search_fields = ["name"]
    autocomplete_fields = ["instrument_module", "requested_for", "observing_program", "source"]
    _what = ("name", "description", "software_version", "image", "command", "configuration", "run_backend")
    _for_whom = ("standing", "requested_for", "since", "cooldown_seconds", "observing_program", "obs_mode", "source")
    fieldsets = [
        (None, {"fields": [*_what, "instrument_module", "active"]}),
        ("Run for each new observation", {"fields": [*_for_whom]}),
    ]

    def after_switching(self) -> None:
        """Observations may wait for it."""
        notify_managers()


@admin.register(ProcessingJob)
class ProcessingJobAdmin(ReadOnlyAdmin):
    state = state_column("status", JOB_COLOURS)
    memory = size_column("peak_bytes", "Peak memory")
    list_display = ["__str__", "pipeline", "state", "requester_shown", "place", "created_at", "finished_at"]
    list_select_related = [
        "processing_run__submitted_by",
        "pipeline__run_backend__location__site",
        "pipeline__software_version__reduction_software",
        "staging_job",
        "retry_of__processing_run",
    ]
    list_filter = ["status", "pipeline"]
    search_fields = ["processing_run__name"]
    actions = ["cancel_selected", "retry_selected"]
    shown = (
        "processing_run_shown",
        "pipeline",
        "state",
        "error_code",
        "message",
        "log_shown",
        "requester_shown",
        "place",
        "submissions",
        "backend_id",
        "staging_job",
        "retry_of",
        "wall_seconds",
        "memory",
        "created_at",
        "submitted_at",
        "cancel_requested_at",
        "finished_at",
    )
    fields = shown
    readonly_fields = shown

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.log_view)
        return [path("<int:pk>/log/", view, name="transfer_processingjob_log"), *super().get_urls()]

    def log_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the command said, as far as its backend was asked."""
        job = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_view_permission(request, job):
            raise PermissionDenied
        text, missing = None, "There is no log: the command did not begin, or its log was removed after a while."
        try:
            text = end_of_log(job.log_name) if job.log_name else None
        except OSError as error:
            missing = f"The storage of logs does not answer: {error}"
        context = {
            **self.admin_site.each_context(request),
            "title": f"Log of {job}",
            "opts": self.opts,
            "operation": job,
            "text": text,
            "missing": missing,
            "back": reverse("admin:transfer_processingjob_change", args=[pk]),
        }
        return TemplateResponse(request, "portal/log.html", context)

    @portal_action(
        "Cancel run",
        needs="operate",
        confirm="The command is ended; nothing of what it made is filed.",
        shown_for=lambda job: not job.is_over and job.status != JobStatus.COLLECTING,
    )
    def cancel_selected(self, request: HttpRequest, job: ProcessingJob) -> None:
        """Stop it; one that runs ends as soon as its backend is asked."""
        cancel_run(job, user=person_of(request))

    @portal_action(
        "Run again", needs="operate", shown_for=lambda job: job.status in (JobStatus.FAILED, JobStatus.CANCELLED)
    )
    def retry_selected(self, request: HttpRequest, job: ProcessingJob) -> None:
        """A new run of the same inputs, linked to this one."""
        retry_run(job, user=person_of(request))

    @admin.display(description="Run")
    def processing_run_shown(self, job: ProcessingJob) -> str:
        return f"{job.processing_run} ({job.processing_run_id})"

    @admin.display(description="Asked for by")
    def requester_shown(self, job: ProcessingJob) -> str:
        return str(job.processing_run.submitted_by)

    @admin.display(description="Where")
    def place(self, job: ProcessingJob) -> SafeString:
        backend = job.pipeline.run_backend
        return link_to_admin("transfer", "runbackend", backend.pk, str(backend))

    @admin.display(description="Log")
    def log_shown(self, job: ProcessingJob) -> SafeString:
        """To what the command said."""
        if not job.log_name:
            return NO_VALUE
        address = reverse("admin:transfer_processingjob_log", args=[job.pk])
        return format_html('<a class="portal-link" href="{}">Standard output and error</a>', address)
