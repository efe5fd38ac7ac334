"""Serializers of people, roles, tokens and of the audit log. Of a token nothing that would help to use it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.models import ApiToken, Permission, Role, SystemLog, User


class PermissionSerializer(serializers.ModelSerializer[Permission]):
    """One right, ``action:resource``."""

    class Meta:
        model = Permission
        fields = ["id", "codename", "description"]
        read_only_fields = fields


class RoleSerializer(serializers.ModelSerializer[Role]):
    """A named set of rights."""

    permissions = serializers.SlugRelatedField[Any]("codename", many=True, read_only=True)

    class Meta:
        model = Role
        fields = ["id", "name", "description", "permissions"]
        read_only_fields = fields


class UserSerializer(serializers.ModelSerializer[User]):
    """A person or a program, with roles."""

    roles = serializers.SlugRelatedField[Any]("name", many=True, read_only=True)

    class Meta:
        model = User
        fields = [
            "id",
            "username",
            "full_name",
            "email",
            "is_active",
            "is_superuser",
            "date_joined",
            "last_login",
            "roles",
        ]
        read_only_fields = fields


class ApiTokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token: whose it is, what it may do, when it was used. Neither the secret nor its hash."""

    user = serializers.CharField(source="user.username")
    instrument = serializers.SlugRelatedField[Any]("short_name", read_only=True)
    scopes = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = ApiToken
        fields = [
            "id",
            "user",
            "name",
            "token_prefix",
            "scopes",
            "instrument",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "last_used_from",
            "use_count",
        ]
        read_only_fields = fields


class SystemLogSerializer(serializers.ModelSerializer[SystemLog]):
    """One entry of the audit log."""

    user = serializers.SlugRelatedField[Any]("username", read_only=True)

    class Meta:
        model = SystemLog
        fields = ["id", "timestamp", "level", "component", "user", "message", "context", "object_type", "object_id"]
        read_only_fields = fields
