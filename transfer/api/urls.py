"""Addresses below ``/api/``: the flow, and staging."""

from __future__ import annotations

from django.urls import path

from ccatdc.common.api.views import rows_at
from transfer.api import download_views, reading_views, run_views, staging_views, views

urlpatterns = [
    path("raw_data_packages/<uuid:pk>/", views.PackageView.as_view()),
    path("raw_data_files/<uuid:pk>/download", download_views.FileDownloadView.as_view()),
    path("raw_data_files/<uuid:pk>/link", download_views.FileLinkView.as_view()),
    path("raw_data_packages/<uuid:pk>/download", download_views.PackageDownloadView.as_view()),
    path("raw_data_packages/<uuid:pk>/link", download_views.PackageLinkView.as_view()),
    path("executed_obs_units/<uuid:pk>/download", download_views.ExecutionDownloadView.as_view()),
    path("downloads", download_views.SelectionDownloadView.as_view()),
    path("transfer/overview", views.OverviewView.as_view()),
    path("transfer/operations/", reading_views.OperationListView.as_view()),
    path("transfer/operations/<int:pk>", views.OperationView.as_view()),
    path("transfer/operations/<int:pk>/retry", views.RetryOperationView.as_view()),
    path("transfer/operations/<int:pk>/cancel", views.CancelOperationView.as_view()),
    path("staging/estimate", staging_views.EstimateView.as_view()),
    path("staging/jobs/", staging_views.StagingJobsView.as_view()),
    path("staging/jobs/<int:pk>/", staging_views.StagingJobView.as_view()),
    path("staging/jobs/<int:pk>/cancel", staging_views.CancelJobView.as_view()),
    path("staging/jobs/<int:pk>/extend", staging_views.ExtendJobView.as_view()),
    path("staging/jobs/<int:pk>/again", staging_views.AskAgainView.as_view()),
    path("staging/jobs/<int:pk>/retry", staging_views.RetryJobView.as_view()),
    path("processing_jobs/", run_views.ProcessingJobsView.as_view()),
    path("processing_jobs/<uuid:pk>/", run_views.ProcessingJobView.as_view()),
    path("processing_jobs/<uuid:pk>/cancel", run_views.CancelRunView.as_view()),
    path("processing_jobs/<uuid:pk>/retry", run_views.RetryRunView.as_view()),
    *rows_at(
        {
            "data_transfer_routes": reading_views.RouteViewSet,
            "data_transfers": reading_views.DataTransferViewSet,
            "data_transfer_logs": reading_views.DataTransferLogViewSet,
            "long_term_archive_transfers": reading_views.ArchiveTransferViewSet,
            "long_term_archive_transfer_logs": reading_views.ArchiveTransferLogViewSet,
            "staging_job_logs": reading_views.StagingJobLogViewSet,
        }
    ),
]
