"""``GET /metrics``: the state of the data center as gauges, in the text that Prometheus reads.

Every figure is read from the database when it is asked for, so that all web processes give the same. What is wrong, and
needs a person, is counted by the same questions as the first page of the portal (ccatdc/portal/attention/conditions.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ccatdc.portal.overview import Overview, overview
from transfer.models import CircuitBreaker


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

    @extend_schema(exclude=True)
    def get(self, _request: Request) -> Response:
        """All gauges."""
        registry = CollectorRegistry()
        registry.register(_State(overview(None)))
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _State(Collector):
    """Gauges of one look at the data center."""

    def __init__(self, seen: Overview) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        yield from self._work()
        yield from self._places()
        yield from self._services()

    def _work(self) -> Iterator[Metric]:
        operations = GaugeMetricFamily("ccatdc_operations", "Open and failed operations.", labels=["stage", "status"])
        oldest = GaugeMetricFamily("ccatdc_oldest_wait_seconds", "Age of the oldest open operation.", labels=["stage"])
        for line in self._seen.stages:
            for status, count in line.counts.items():
                operations.add_metric([line.label, status], count)
            oldest.add_metric([line.label], self._age(line.oldest))
        packages = GaugeMetricFamily("ccatdc_packages", "Packages that are not archived.", labels=["state"])
        for state, count in self._seen.packages.items():
            packages.add_metric([state], count)
        attention = GaugeMetricFamily(
            "ccatdc_attention", "Lines on the first page that need a person.", labels=["kind"]
        )
        for group in self._seen.attention:
            attention.add_metric([group.title], group.count)
        well = GaugeMetricFamily("ccatdc_all_well", "1 when nothing needs a person.", value=self._seen.all_well)
        day = GaugeMetricFamily(
            "ccatdc_archived_bytes_day", "Bytes archived in the last 24 hours.", value=self._seen.archived_bytes
        )
        yield from (operations, oldest, packages, attention, well, day)

    def _places(self) -> Iterator[Metric]:
        used = GaugeMetricFamily("ccatdc_location_used_bytes", "Bytes in use.", labels=["location"])
        capacity = GaugeMetricFamily("ccatdc_location_capacity_bytes", "Bytes in all.", labels=["location"])
        active = GaugeMetricFamily("ccatdc_location_active", "1 when it is switched on.", labels=["location"])
        checked = GaugeMetricFamily("ccatdc_location_check_age_seconds", "Since its last check.", labels=["location"])
        for location, _ in self._seen.locations:
            name = [location.full_name]
            active.add_metric(name, location.active)
            if location.used_bytes is not None:
                used.add_metric(name, location.used_bytes)
            if location.capacity_bytes is not None:
                capacity.add_metric(name, location.capacity_bytes)
            if location.checked_at is not None:
                checked.add_metric(name, self._age(location.checked_at))
        breakers = GaugeMetricFamily(
            "ccatdc_circuit_breaker_open", "1 for each circuit breaker that is open.", labels=["breaker", "code"]
        )
        for breaker in CircuitBreaker.objects.open():
            breakers.add_metric([str(breaker), breaker.error_code], 1)
        yield from (used, capacity, active, checked, breakers)

    def _services(self) -> Iterator[Metric]:
        age = GaugeMetricFamily(
            "ccatdc_heartbeat_age_seconds", "Since the last sign of life.", labels=["service", "name"]
        )
        for service in self._seen.services:
            if service.stopped_at is None:
                age.add_metric([service.service_type, service.name], self._age(service.last_seen))
        yield age

    def _age(self, moment: datetime | None) -> float:
        return 0.0 if moment is None else max(0.0, (timezone.now() - moment).total_seconds())
