"""Addresses below ``/api/``: people, roles, tokens, the diary."""

from __future__ import annotations

from django.urls import path

from accounts.api import views

urlpatterns = [
    path("permissions/", views.PermissionListView.as_view()),
    path("permissions/<int:pk>/", views.PermissionView.as_view()),
    path("roles/", views.RoleListView.as_view()),
    path("roles/<int:pk>/", views.RoleView.as_view()),
    path("users/", views.UserListView.as_view()),
    path("users/<int:pk>/", views.UserView.as_view()),
    path("api_tokens/", views.ApiTokenListView.as_view()),
    path("api_tokens/<int:pk>/", views.ApiTokenView.as_view()),
    path("system_log/", views.SystemLogListView.as_view()),
    path("system_log/<int:pk>/", views.SystemLogView.as_view()),
]
