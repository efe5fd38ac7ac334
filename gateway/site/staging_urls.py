"""Addresses below ``/staging/`` of a gateway: links to them stand in pages that both sites share."""

from __future__ import annotations

from django.urls import path

from gateway.site.not_here import first_page

app_name = "staging"

urlpatterns = [path("", first_page, name="packages"), path("jobs/", first_page, name="jobs")]
