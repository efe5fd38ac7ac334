"""All figures of the main site, of one look."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import timezone
from prometheus_client.core import Metric

from ccatdc.metrics import flow
from ccatdc.metrics.state import State
from ccatdc.portal.overview import overview


def families() -> Iterator[Metric]:
    """What is wrong is counted by the same questions as the first page of the portal (ccatdc/portal/attention/)."""
    seen = overview(None)
    names = {location.pk: location.full_name for location, _ in seen.locations}
    yield from State(seen).families()
    yield from flow.families(names, timezone.now())
