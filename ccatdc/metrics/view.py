"""``GET /metrics``: all figures in the text that Prometheus reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import CollectorRegistry, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ccatdc.metrics.families import families


class PlainText(BaseRenderer):
    """Text as it is."""

    media_type = "text/plain"
    format = "txt"

    def render(self, data: bytes | dict[str, Any], *_: object, **__: object) -> bytes:
        return data if isinstance(data, bytes) else json.dumps(data).encode()  # an error


class MetricsView(APIView):
    """For Prometheus, with a token that may read observations."""

    needs = {"GET": "read:observations"}
    renderer_classes = [PlainText]
    #: What gives the figures.
    source: Callable[[], Iterable[Metric]] = staticmethod(families)

    @extend_schema(exclude=True)
    def get(self, _request: Request) -> Response:
        """All figures."""
        registry = CollectorRegistry()
        registry.register(_Look(self.source))
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Look(Collector):
    def __init__(self, source: Callable[[], Iterable[Metric]]) -> None:
        self._source = source

    def describe(self) -> list[Metric]:
        """Nothing is asked when it is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._source()
