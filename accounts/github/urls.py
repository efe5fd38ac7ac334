"""Addresses of the log-in by GitHub, only where it is set up: there and back, and nothing else of the library."""

from __future__ import annotations

from allauth.socialaccount.providers.github.views import oauth2_callback, oauth2_login
from django.apps import apps
from django.contrib import admin
from django.urls import path
from django.views.decorators.http import require_POST

urlpatterns = [
    # Somebody presses the button of our page; a link from elsewhere starts nothing.
    path("login/", require_POST(oauth2_login), name="github_login"),
    path("login/callback/", oauth2_callback, name="github_callback"),
]

# The library's tables have no pages: nothing in them is for people.
for app in ("account", "socialaccount"):
    for model in apps.get_app_config(app).get_models():
        if admin.site.is_registered(model):
            admin.site.unregister(model)
