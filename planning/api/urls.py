"""Addresses below ``/api/``: programs, obs units, sources."""

from __future__ import annotations

from django.urls import path

from planning.api import views

urlpatterns = [
    path("observing_programs/", views.ProgramListView.as_view()),
    path("observing_programs/<int:pk>/", views.ProgramView.as_view()),
    path("obs_units/", views.ObsUnitListView.as_view()),
    path("obs_units/<int:pk>/", views.ObsUnitView.as_view()),
    path("sources/", views.SourceListView.as_view()),
    path("sources/<int:pk>/", views.SourceView.as_view()),
]
