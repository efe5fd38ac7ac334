"""Addresses below ``/api/``: instruments."""

from __future__ import annotations

from django.urls import path

from observatory.api import views

urlpatterns = [
    path("instruments/", views.InstrumentListView.as_view()),
    path("instruments/<slug:short_name>/", views.InstrumentView.as_view()),
]
