"""Addresses below ``/api/``: filing, and reading what was filed."""

from __future__ import annotations

from django.urls import path

from datamgmt.api import filing_views, views, wait_views

urlpatterns = [
    path("executed_obs_units/", views.ExecutionListView.as_view()),
    path("executed_obs_units/start", filing_views.StartExecutionView.as_view()),
    path("executed_obs_units/<uuid:pk>", views.ExecutionView.as_view()),
    path("executed_obs_units/<uuid:pk>/wait", wait_views.WaitView.as_view()),
    path("executed_obs_units/<uuid:pk>/finish", filing_views.FinishExecutionView.as_view()),
    path("raw_data_files/", filing_views.RegisterFileView.as_view()),
    path("raw_data_files/bulk", filing_views.RegisterFilesView.as_view()),
    path("raw_data_files/<uuid:pk>", views.FileView.as_view()),
    path("raw_data_packages/", views.PackageListView.as_view()),
    path("raw_data_packages/<uuid:pk>/files/", views.PackageFilesView.as_view()),
    path("data_locations/", views.LocationListView.as_view()),
    path("data_locations/<int:pk>/", views.LocationView.as_view()),
]
