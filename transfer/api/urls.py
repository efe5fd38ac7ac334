"""Addresses below ``/api/``: the flow, and staging."""

from __future__ import annotations

from django.urls import path

from transfer.api import reading_views, staging_views, views

urlpatterns = [
    path("raw_data_packages/<uuid:pk>/", views.PackageView.as_view()),
    path("transfer/overview", views.OverviewView.as_view()),
    path("transfer/operations/", reading_views.OperationListView.as_view()),
    path("transfer/operations/<int:pk>", views.OperationView.as_view()),
    path("transfer/operations/<int:pk>/retry", views.RetryOperationView.as_view()),
    path("transfer/operations/<int:pk>/cancel", views.CancelOperationView.as_view()),
    path("data_transfer_routes/", reading_views.RouteListView.as_view()),
    path("data_transfer_routes/<int:pk>/", reading_views.RouteView.as_view()),
    path("data_transfers/", reading_views.DataTransferListView.as_view()),
    path("data_transfers/<int:pk>/", reading_views.DataTransferView.as_view()),
    path("data_transfer_logs/", reading_views.DataTransferLogListView.as_view()),
    path("data_transfer_logs/<int:pk>/", reading_views.DataTransferLogView.as_view()),
    path("long_term_archive_transfers/", reading_views.ArchiveTransferListView.as_view()),
    path("long_term_archive_transfers/<int:pk>/", reading_views.ArchiveTransferView.as_view()),
    path("long_term_archive_transfer_logs/", reading_views.ArchiveTransferLogListView.as_view()),
    path(
        "long_term_archive_transfer_logs/<int:pk>/", reading_views.ArchiveTransferLogView.as_view()
    ),
    path("staging_job_logs/", reading_views.StagingJobLogListView.as_view()),
    path("staging_job_logs/<int:pk>/", reading_views.StagingJobLogView.as_view()),
    path("staging/jobs/", staging_views.StagingJobsView.as_view()),
    path("staging/jobs/<int:pk>/", staging_views.StagingJobView.as_view()),
    path("staging/jobs/<int:pk>/cancel", staging_views.CancelJobView.as_view()),
    path("staging/jobs/<int:pk>/extend", staging_views.ExtendJobView.as_view()),
    path("staging/jobs/<int:pk>/retry", staging_views.RetryJobView.as_view()),
]
