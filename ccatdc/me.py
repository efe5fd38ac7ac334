"""``GET /api/me``: who asks, what the token may do, until when, and within which limits."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.auth.permissions import ANYBODY
from accounts.auth.tokens import may, user_of
from accounts.models import ApiToken, Permission
from datamgmt.api.wait_views import LONGEST
from datamgmt.filing.parsing import MAX_ROWS
from planning.models import ObservingProgram


class MyTokenSerializer(serializers.ModelSerializer[ApiToken]):
    """The token of this request; null for a session of the portal."""

    instrument = serializers.SlugRelatedField[Any](
        "short_name", read_only=True, allow_null=True, help_text="The only one that it files for; null: any."
    )
    scopes = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = ApiToken
        fields = ["name", "token_prefix", "scopes", "instrument", "created_at", "expires_at"]
        read_only_fields = fields


class LimitsSerializer(serializers.Serializer[Any]):
    """What a program has to keep to."""

    requests_per_minute = serializers.IntegerField(help_text="Of one token; more are answered with 429.")
    rows_per_call = serializers.IntegerField(help_text="Files in one bulk call.")
    bytes_per_call = serializers.IntegerField(help_text="Of a body, also when it is unpacked.")
    seconds_per_wait = serializers.IntegerField(help_text="Longest timeout of a call that waits.")


class MeSerializer(serializers.Serializer[Any]):
    """Who asks."""

    username = serializers.CharField()
    full_name = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())
    permissions = serializers.ListField(
        child=serializers.CharField(),
        help_text="What this request may do: the scopes of the token that the roles hold too.",
    )
    programs = serializers.ListField(child=serializers.CharField(), help_text="Observing programs that one is in.")
    token = MyTokenSerializer(allow_null=True)
    limits = LimitsSerializer()


class MeView(APIView):
    """Who asks. Needs a token or a session, and no permission."""

    needs = {"GET": ANYBODY}

    @extend_schema(operation_id="me", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """The account, the token of this request and what it may do."""
        return Response(MeSerializer(_about(request)).data)


def _about(request: Request) -> dict[str, Any]:
    user = user_of(request)
    names = Permission.objects.order_by("codename").values_list("codename", flat=True)
    programs = ObservingProgram.objects.all().of(user).order_by("short_name")
    return {
        "username": user.username,
        "full_name": user.full_name,
        "roles": list(user.roles.order_by("name").values_list("name", flat=True)),
        "permissions": [name for name in names if may(request, name)],
        "programs": list(programs.values_list("short_name", flat=True)),
        "token": request.auth if isinstance(request.auth, ApiToken) else None,
        "limits": {
            "requests_per_minute": settings.TOKEN_REQUESTS_PER_MINUTE,
            "rows_per_call": MAX_ROWS,
            "bytes_per_call": settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
            "seconds_per_wait": LONGEST,
        },
    }
