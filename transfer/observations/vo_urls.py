"""Addresses for clients of the Virtual Observatory."""

from __future__ import annotations

from django.urls import path

from transfer.observations.cone_search import ConeSearchView, ObservationsView

urlpatterns = [
    path("scs", ConeSearchView.as_view(), name="cone_search"),
    path("observations", ObservationsView.as_view(), name="vo_observations"),
]
