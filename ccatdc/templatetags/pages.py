"""Template filters of all pages: sizes, durations, and the badge of a state in its colour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django import template
from django.db.models import Model, TextChoices
from django.utils import timezone
from django.utils.safestring import SafeString

from ccatdc.common.admin.badges import badge, state_badge
from ccatdc.common.states import STATUS_COLOURS, Status
from ccatdc.common.units import NOTHING, duration_text, size_text
from datamgmt.models.runs import RUN_COLOURS, RunStatus
from datamgmt.states import (
    COPY_COLOURS,
    INTEGRITY_COLOURS,
    PACKAGE_STATE_COLOURS,
    Integrity,
    PackageState,
    PhysicalCopyStatus,
)
from planning.models import EXECUTION_COLOURS, ExecutionStatus

register = template.Library()

#: Every state that a page shows. A word that two machines share (failed, say) has the same label and colour in both.
KNOWN_STATES: tuple[tuple[type[TextChoices], Mapping[str, str]], ...] = (
    (Status, STATUS_COLOURS),
    (PackageState, PACKAGE_STATE_COLOURS),
    (PhysicalCopyStatus, COPY_COLOURS),
    (Integrity, INTEGRITY_COLOURS),
    (ExecutionStatus, EXECUTION_COLOURS),
    (RunStatus, RUN_COLOURS),
)
LABELS: dict[str, str] = {str(value): str(label) for states, _ in KNOWN_STATES for value, label in states.choices}
STATE_COLOURS: dict[str, str] = {str(value): colour for _, colours in KNOWN_STATES for value, colour in colours.items()}


@register.filter
def size(value: float | None) -> str:
    """Bytes as people read them."""
    return size_text(value)


@register.filter
def duration(value: timedelta | float | None) -> str:
    """Seconds as people read them."""
    return duration_text(value)


@register.filter
def ago(value: datetime | None) -> str:
    """How long ago a moment was."""
    return "never" if value is None else f"{duration_text(timezone.now() - value)} ago"


@register.filter
def waited(value: datetime | None) -> str:
    """How long something has lasted since a moment."""
    return duration_text(None if value is None else timezone.now() - value)


@register.filter
def ahead(value: datetime | None) -> str:
    """How long it is until a moment; "over" when it has passed."""
    if value is None:
        return NOTHING
    left = value - timezone.now()
    return f"in {duration_text(left)}" if left > timedelta(0) else "over"


@register.filter
def state(value: str) -> SafeString:
    """A status, package state, copy status or verdict as a badge with its label."""
    return state_badge(value, LABELS.get(value, value), STATE_COLOURS)


@register.filter
def kind_of(thing: Model) -> str:
    """The label of its model, as the audit log writes it."""
    return thing._meta.label_lower


@register.simple_tag
def coloured(text: str, colour: str) -> SafeString:
    """Any text as a badge."""
    return badge(text, colour)
