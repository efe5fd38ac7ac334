"""Addresses below ``/api/``: people, roles, tokens, the audit log."""

from __future__ import annotations

from accounts.api import views
from ccatdc.common.api.views import rows_at

urlpatterns = rows_at(
    {
        "permissions": views.PermissionViewSet,
        "roles": views.RoleViewSet,
        "users": views.UserViewSet,
        "api_tokens": views.ApiTokenViewSet,
        "system_log": views.SystemLogViewSet,
    }
)
