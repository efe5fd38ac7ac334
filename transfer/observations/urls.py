"""Addresses of the search of observations and their pages."""

from __future__ import annotations

from django.urls import path

from transfer.observations import downloads, views

app_name = "observations"
urlpatterns = [
    path("", views.search, name="search"),
    path("<uuid:pk>/", views.observation, name="observation"),
    path("<uuid:pk>/stage/", views.stage, name="stage"),
    path("<uuid:pk>/download/", downloads.whole, name="download"),
    path("<uuid:pk>/files/<uuid:file>/", downloads.one_file, name="file"),
    path("<uuid:pk>/packages/<uuid:package>/", downloads.one_package, name="package"),
]
