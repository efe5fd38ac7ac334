"""Every address of the web process of a site gateway (CCATDC_SITE_ROLE=secondary).

Filing goes through the outbox; what only the main site can do says so.
"""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from gateway.health import health
from gateway.not_here import first_page

urlpatterns = [
    path("", first_page, name="home"),
    path("accounts/", include("accounts.urls")),
    path("staging/", include("gateway.staging_urls")),
    path("portal/", admin.site.urls),
    path("api/", include("ccatdc.secondary_api")),
    path("health", health, name="health"),
]

handler400 = "ccatdc.api.bad_request"
handler500 = "ccatdc.api.server_error"
