"""Addresses of logging in and out, and of changing one's password."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import views
from django.urls import URLPattern, URLResolver, include, path

from accounts.pages import LogInPage, PasswordChangePage

urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", LogInPage.as_view(), name="login"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path("password_change/", PasswordChangePage.as_view(), name="password_change"),
    path(
        "password_change/done/",
        views.PasswordChangeDoneView.as_view(template_name="accounts/password_changed.html"),
        name="password_change_done",
    ),
]
if settings.GITHUB is not None:
    urlpatterns.append(path("github/", include("accounts.github.urls")))
