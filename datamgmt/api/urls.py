"""Addresses below ``/api/``: filing, and reading what was filed."""

from __future__ import annotations

from django.urls import path

from datamgmt.api import filing_views, place_views, views, wait_views

urlpatterns = [
    path("executed_obs_units/", views.ExecutionListView.as_view()),
    path("executed_obs_units/start", filing_views.StartExecutionView.as_view()),
    path("executed_obs_units/<uuid:pk>", views.ExecutionView.as_view()),
    path("executed_obs_units/<uuid:pk>/wait", wait_views.WaitView.as_view()),
    path("executed_obs_units/<uuid:pk>/finish", filing_views.FinishExecutionView.as_view()),
    path("raw_data_files/", views.FilesView.as_view()),
    path("raw_data_files/bulk", filing_views.RegisterFilesView.as_view()),
    path("raw_data_files/<uuid:pk>", views.FileView.as_view()),
    path("raw_data_packages/", views.PackageListView.as_view()),
    path("raw_data_packages/<uuid:pk>/files/", views.PackageFilesView.as_view()),
    path("raw_data_package_metadata/", views.MetadataListView.as_view()),
    path("raw_data_package_metadata/<int:pk>/", views.MetadataView.as_view()),
    path("data_transfer_packages/", place_views.BundleListView.as_view()),
    path("data_transfer_packages/<int:pk>/", place_views.BundleView.as_view()),
    path("physical_copies/", place_views.CopyListView.as_view()),
    path("physical_copies/<int:pk>/", place_views.CopyView.as_view()),
    path("sites/", place_views.SiteListView.as_view()),
    path("sites/<slug:short_name>/", place_views.SiteView.as_view()),
    path("data_locations/", place_views.LocationListView.as_view()),
    path("data_locations/<int:pk>/", place_views.LocationView.as_view()),
    path("data_archives/", place_views.ArchiveListView.as_view()),
    path("data_archives/<int:pk>/", place_views.ArchiveView.as_view()),
]
