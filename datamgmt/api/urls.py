"""Addresses below ``/api/``: filing, and reading what was filed."""

from __future__ import annotations

from django.urls import path

from ccatdc.common.api.views import rows_at
from datamgmt.api import filing_views, place_views, views, wait_views
from datamgmt.api.products import views as product_views

urlpatterns = [
    path("executed_obs_units/", views.ExecutionListView.as_view()),
    path("executed_obs_units/start", filing_views.StartExecutionView.as_view()),
    path("executed_obs_units/<uuid:pk>", views.ExecutionAndAmendView.as_view()),
    path("executed_obs_units/<uuid:pk>/wait", wait_views.WaitView.as_view()),
    path("executed_obs_units/<uuid:pk>/finish", filing_views.FinishExecutionView.as_view()),
    path("raw_data_files/", views.FilesView.as_view()),
    path("raw_data_files/bulk", filing_views.RegisterFilesView.as_view()),
    path("raw_data_files/<uuid:pk>", views.FileAndAmendView.as_view()),
    path("raw_data_files/<uuid:pk>/lineage", product_views.FileLineageView.as_view()),
    path("processing_runs/", product_views.RunsView.as_view()),
    path("processing_runs/<uuid:pk>", product_views.RunView.as_view()),
    path("processing_runs/<uuid:pk>/finish", product_views.FinishRunView.as_view()),
    path("data_products/", product_views.ProductListView.as_view()),
    path("data_products/bulk", product_views.RegisterProductsView.as_view()),
    path("data_products/<uuid:pk>", product_views.ProductView.as_view()),
    path("data_products/<uuid:pk>/lineage", product_views.ProductLineageView.as_view()),
    path("raw_data_packages/", views.PackageListView.as_view()),
    path("raw_data_packages/<uuid:pk>/files/", views.PackageFilesView.as_view()),
    *rows_at(
        {
            "raw_data_package_metadata": views.MetadataViewSet,
            "data_transfer_packages": place_views.BundleViewSet,
            "physical_copies": place_views.CopyViewSet,
            "sites": place_views.SiteViewSet,
            "data_locations": place_views.LocationViewSet,
            "data_archives": place_views.ArchiveViewSet,
            "publications": product_views.PublicationViewSet,
        }
    ),
]
