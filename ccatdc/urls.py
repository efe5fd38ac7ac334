"""Every address of the web process."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("portal/", admin.site.urls),
]
