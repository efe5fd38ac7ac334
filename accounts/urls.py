"""Addresses of logging in and out, of one's account, and of changing or resetting one's password."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import views
from django.urls import URLPattern, URLResolver, include, path

from accounts import my_account
from accounts.pages import LogInPage, PasswordChangePage, PasswordResetPage, PasswordSetPage

urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", LogInPage.as_view(), name="login"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path("password_change/", PasswordChangePage.as_view(), name="password_change"),
    path(
        "password_change/done/",
        views.PasswordChangeDoneView.as_view(template_name="accounts/password_changed.html"),
        name="password_change_done",
    ),
    path("password_reset/", PasswordResetPage.as_view(), name="password_reset"),
    path(
        "password_reset/done/",
        views.PasswordResetDoneView.as_view(template_name="accounts/password_reset_done.html"),
        name="password_reset_done",
    ),
    path("reset/<uidb64>/<token>/", PasswordSetPage.as_view(), name="password_reset_confirm"),
    path(
        "reset/done/",
        views.PasswordResetCompleteView.as_view(template_name="accounts/password_changed.html"),
        name="password_reset_complete",
    ),
    path("me/", my_account.my_account, name="my_account"),
    path("me/tokens/", my_account.make_token, name="make_token"),
    path("me/tokens/<int:pk>/revoke/", my_account.revoke_token, name="revoke_token"),
    path("me/sessions/end/", my_account.end_session, name="end_session"),
]
if settings.GITHUB is not None:
    urlpatterns.append(path("github/", include("accounts.github.urls")))
