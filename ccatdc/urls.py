"""Every address of the web process."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from ccatdc.health import health
from ccatdc.metrics.view import MetricsView
from notifications.my_notifications import my_notifications
from transfer.staging.usage import my_usage
from transfer.staging.views import home

urlpatterns = [
    path("", home, name="home"),
    path("accounts/me/notifications/", my_notifications, name="my_notifications"),
    path("accounts/me/usage/", my_usage, name="my_usage"),
    path("accounts/", include("accounts.urls")),
    path("observations/", include("transfer.observations.urls")),
    path("products/", include("transfer.products.urls")),
    path("staging/", include("transfer.staging.urls")),
    path("vo/", include("transfer.observations.vo_urls")),
    path("tap/", include("transfer.tap.urls")),
    path("portal/", admin.site.urls),
    path("api/", include("ccatdc.api")),
    path("health", health, name="health"),
    path("metrics", MetricsView.as_view(), name="metrics"),
]

handler400 = "ccatdc.api.bad_request"
handler500 = "ccatdc.api.server_error"
