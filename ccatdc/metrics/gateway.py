"""A site gateway in figures: its link, what waits for the main site, and the copy of the reference data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from gateway.models import Link
from gateway.outbox.backlog import backlog

_TEXTS: Final = {
    "ccatdc_gateway_link_up": "1 while the main site answers.",
    "ccatdc_gateway_sender_alive": "1 while run_gateway gives signs of life.",
    "ccatdc_gateway_backlog_calls": "Calls that the main site does not have.",
    "ccatdc_gateway_backlog_files": "Files in these calls.",
    "ccatdc_gateway_backlog_oldest_seconds": "Age of the oldest of these calls.",
    "ccatdc_gateway_dead_letters": "Calls that the main site refused.",
    "ccatdc_gateway_reference_age_seconds": "Since the reference data was asked for.",
}


def families() -> Iterator[Metric]:
    """All of it, in four queries."""
    link, waiting = Link.row(), backlog()
    age = link.reference_age
    values = (
        link.is_up,
        link.process_is_alive,
        waiting.items,
        waiting.files,
        waiting.age_seconds,
        waiting.dead,
        None if age is None else age.total_seconds(),
    )
    for (name, text), value in zip(_TEXTS.items(), values, strict=True):
        if value is not None:
            yield GaugeMetricFamily(name, text, value=value)
