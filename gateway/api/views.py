"""At the main site: the reference data for its gateways."""

from __future__ import annotations

import gzip

from django.http import HttpResponse
from django.utils.cache import patch_vary_headers
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.addresses import client_address
from accounts.models.tokens import MIRROR
from gateway.reference.snapshot import snapshot, snapshot_tag
from transfer.engine.heartbeats import heard_gateway


class ReferenceSnapshotView(APIView):
    """All rows that filing needs."""

    needs = {"GET": MIRROR}

    @extend_schema(
        operation_id="reference_snapshot",
        parameters=[
            OpenApiParameter(
                "If-None-Match",
                location=OpenApiParameter.HEADER,
                description="The ETag of the last answer: 304 when nothing changed since.",
            )
        ],
        responses={200: OpenApiTypes.OBJECT, 304: None},
    )
    def get(self, request: Request) -> HttpResponse:
        """The reference data as one document, for site gateways. That it asks is the gateway's sign of life."""
        heard_gateway(str(request.user), client_address(request))
        known = request.headers.get("If-None-Match", "").strip('W/"')
        if known and known == snapshot_tag():
            return _tagged(HttpResponse(status=304), known)
        tag, document = snapshot()
        response = HttpResponse(document, content_type="application/json")
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            response = HttpResponse(
                gzip.compress(document, compresslevel=6),
                content_type="application/json",
                headers={"Content-Encoding": "gzip"},
            )
        return _tagged(response, tag)


def _tagged(response: HttpResponse, tag: str) -> HttpResponse:
    response["ETag"] = f'"{tag}"'
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Accept-Encoding", "Authorization"])
    return response
