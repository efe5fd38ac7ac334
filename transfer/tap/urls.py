"""Addresses of TAP."""

from __future__ import annotations

from django.urls import path, re_path

from transfer.tap import uws, views

_PARTS = "phase|executionduration|destruction|error|quote|owner|parameters|results"
_JOB = "async/(?P<pk>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

app_name = "tap"
urlpatterns = [
    path("sync", views.SyncView.as_view(), name="sync"),
    path("async", uws.JobsView.as_view(), name="jobs"),
    re_path(rf"^{_JOB}$", uws.JobView.as_view(), name="job"),
    re_path(rf"^{_JOB}/(?P<part>{_PARTS})$", uws.JobPartView.as_view(), name="job_part"),
    re_path(rf"^{_JOB}/results/result$", uws.ResultView.as_view(), name="result"),
    path("capabilities", views.CapabilitiesView.as_view(), name="capabilities"),
    path("availability", views.AvailabilityView.as_view(), name="availability"),
    path("tables", views.TablesView.as_view(), name="tables"),
    path("tables/<str:name>", views.TableView.as_view(), name="table"),
    path("resource", views.ResourceView.as_view(), name="resource"),
    path("examples", views.ExamplesView.as_view(), name="examples"),
]
