"""Reading people, roles, tokens and the audit log: for those who manage them, as in the portal."""

from __future__ import annotations

import django_filters

from accounts.api import serializers
from accounts.models import ApiToken, LogLevel, Permission, Role, SystemLog, User
from ccatdc.common.api.filters import FlagFilter, MomentFilter, OneOfFilter, RowFilter
from ccatdc.common.api.views import RowsViewSet

MANAGE = {"GET": "manage:users"}


class PermissionViewSet(RowsViewSet[Permission]):
    """All rights."""

    needs = MANAGE
    queryset = Permission.objects.all()
    serializer_class = serializers.PermissionSerializer


class RoleViewSet(RowsViewSet[Role]):
    """All roles with their rights."""

    needs = MANAGE
    queryset = Role.objects.prefetch_related("permissions")
    serializer_class = serializers.RoleSerializer


class UserFilter(RowFilter):
    """Accounts by name, role, and whether they are in use."""

    username = django_filters.CharFilter("username")
    role = django_filters.CharFilter("roles__name")
    active = FlagFilter("is_active")


class UserViewSet(RowsViewSet[User]):
    """All accounts."""

    needs = MANAGE
    queryset = User.objects.prefetch_related("roles")
    serializer_class = serializers.UserSerializer
    filterset_class = UserFilter
    orders = ("id", "username", "-date_joined")


class ApiTokenFilter(RowFilter):
    """Tokens by owner, instrument, and whether they were revoked."""

    user = django_filters.CharFilter("user__username")
    instrument = django_filters.CharFilter("instrument__short_name")
    revoked = FlagFilter("revoked_at", lookup_expr="isnull", exclude=True)


class ApiTokenViewSet(RowsViewSet[ApiToken]):
    """All tokens; not their secrets, which nobody has."""

    needs = MANAGE
    queryset = ApiToken.objects.select_related("user", "instrument")
    serializer_class = serializers.ApiTokenSerializer
    filterset_class = ApiTokenFilter
    orders = ("id", "-created_at", "created_at")


class SystemLogFilter(RowFilter):
    """Lines by time, level, component, who, and what they are about."""

    level = OneOfFilter(choices=LogLevel.choices)
    component = django_filters.CharFilter("component")
    user = django_filters.CharFilter("user__username")
    object_type = django_filters.CharFilter("object_type")
    object_id = django_filters.CharFilter("object_id")
    logged_from = MomentFilter("timestamp", lookup_expr="gte")
    logged_to = MomentFilter("timestamp", lookup_expr="lt")


class SystemLogViewSet(RowsViewSet[SystemLog]):
    """The audit log, the latest first."""

    needs = MANAGE
    queryset = SystemLog.objects.select_related("user")
    serializer_class = serializers.SystemLogSerializer
    filterset_class = SystemLogFilter
    orders = ("-timestamp", "timestamp", "-id", "id")
