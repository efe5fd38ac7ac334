"""Figures as InfluxDB line protocol: ``name,label=value value=1.5 1772424000``, one line for each sample.

A measurement is named as the sample is for Prometheus, labels are tags, the figure is the field ``value``: what Telegraf
makes of ``/metrics`` too. https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client.core import Metric

_SPECIAL = re.compile(r"([,= ])")


def lines_of(families: Iterable[Metric], at: datetime) -> Iterator[str]:
    """Lines with a time in seconds. A figure that is none (NaN, infinite) has no line."""
    seconds = int(at.timestamp())
    for family in families:
        for sample in family.samples:
            if math.isfinite(sample.value):
                tags = "".join(
                    f",{_escaped(key)}={_escaped(value)}" for key, value in sorted(sample.labels.items()) if value
                )
                yield f"{_escaped(sample.name)}{tags} value={float(sample.value)!r} {seconds}"


def _escaped(text: str) -> str:
    """A line break would end the line, and a backslash at the end would hide what follows: neither has a spelling."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()).rstrip("\\"))
