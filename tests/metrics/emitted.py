"""The names of all figures, with their labels, as the code emits them."""

from __future__ import annotations

from django.utils import timezone

from ccatdc.metrics import gateway
from ccatdc.metrics.families import families
from gateway.models import Link


def emitted() -> dict[str, set[str]]:
    """Labels by name, of the main site and of a gateway."""
    Link.write(reference_at=timezone.now())
    found = {}
    for family in (*families(), *gateway.families()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = set(getattr(family, "_labelnames", ()))
    return found
