"""Every address of the web process of a site gateway (CCATDC_SITE_ROLE=gateway).

Filing goes through the outbox; what only the main site can do says so.
"""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from ccatdc.metrics.gateway import families
from ccatdc.metrics.view import MetricsView
from gateway.site.health import health
from gateway.site.not_here import first_page

urlpatterns = [
    path("", first_page, name="home"),
    path("accounts/", include("accounts.urls")),
    path("staging/", include("gateway.site.staging_urls")),
    path("portal/", admin.site.urls),
    path("api/", include("ccatdc.gateway_site.api")),
    path("health", health, name="health"),
    path("metrics", MetricsView.as_view(source=families), name="metrics"),
]

handler400 = "ccatdc.api.bad_request"
handler500 = "ccatdc.api.server_error"
