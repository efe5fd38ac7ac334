"""Addresses below ``/api/`` of the main site, for its gateways."""

from __future__ import annotations

from django.urls import path

from gateway.api.views import ReferenceSnapshotView

urlpatterns = [path("reference/snapshot", ReferenceSnapshotView.as_view())]
