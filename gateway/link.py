"""Is the main site to be reached? Whoever speaks with it says here how it went; everybody reads it.

While the link is down everything waits together, and one request now and then tries it again. That the link was lost,
came back, or that the main site does not let us in, is written to the audit log once.
"""

from __future__ import annotations

import logging
import random
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import LogLevel, record
from ccatdc.common.db.notify import notify_gateway
from ccatdc.common.units import duration_text
from gateway.models import Link, now_plus

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 1.0
#: How exactly the last contact is known, so that not every call writes it.
CONTACT_RESOLUTION: Final = timedelta(seconds=5)


def pause_seconds(failures: int) -> float:
    """Doubled after each failure up to the setting, with jitter."""
    longest = float(settings.GATEWAY_RETRY_MAX_SECONDS)
    full = min(longest, FIRST_PAUSE_SECONDS * 2.0 ** min(failures, 20))
    return full * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def may_send() -> bool:
    """Whether the link was up when it was last used."""
    return Link.row().is_up


def heard() -> None:
    """The main site answered."""
    link = Link.row()
    now = timezone.now()
    if link.is_up and link.last_contact_at is not None and now - link.last_contact_at < CONTACT_RESOLUTION:
        return
    with transaction.atomic():
        link = Link.objects.select_for_update().get(pk=1)
        was_down = link.down_since
        first = link.last_contact_at is None
        link.last_contact_at, link.down_since, link.next_try_at = now, None, None
        link.denied, link.failures, link.trouble = False, 0, ""
        link.save(update_fields=["last_contact_at", "down_since", "next_try_at", "denied", "failures", "trouble"])
        if was_down is not None:
            away = duration_text((now - was_down).total_seconds())
            message = f"The link to {settings.PRIMARY_URL} is back after {away}."
        elif first:
            message = f"First contact with {settings.PRIMARY_URL}."
        else:
            return
        logger.info(message)
        record("gateway", message, about=link)


def lost(why: str, *, denied: bool = False, after_seconds: float = 0.0) -> None:
    """The main site was not to be reached, or (``denied``) does not let this gateway in.

    Several threads notice the same loss: only the first counts it.
    """
    Link.row()
    with transaction.atomic():
        due = Link.objects.select_for_update().filter(
            Q(next_try_at__isnull=True) | Q(next_try_at__lte=Now()) | Q(denied=not denied), pk=1
        )
        link = due.first()
        if link is None:
            return
        is_news = link.down_since is None or link.denied != denied
        pause = max(pause_seconds(link.failures), min(after_seconds, settings.GATEWAY_RETRY_MAX_SECONDS))
        Link.write(
            down_since=link.down_since or Now(),
            denied=denied,
            failures=link.failures + 1,
            next_try_at=now_plus(pause),
            trouble=why,
        )
        if denied:
            said = (
                f"{settings.PRIMARY_URL} does not let this gateway in: {why} Nothing is sent until "
                "its token is put right (CCATDC_PRIMARY_TOKEN, its scopes and its owner's roles)."
            )
            logger.critical(said)
        else:
            said = f"The link to {settings.PRIMARY_URL} is down: {why}"
            logger.warning("%s Next try in %.1f s.", said, pause)
        if is_news:
            level = LogLevel.CRITICAL if denied else LogLevel.WARNING
            record("gateway", said, about=link, level=level)


def seconds_to_next_try() -> float:
    """While the link is down; 0 when it is up or a try is due."""
    link = Link.row()
    if link.is_up or link.next_try_at is None:
        return 0.0
    return max(0.0, (link.next_try_at - timezone.now()).total_seconds())


def want_refresh() -> None:
    """Have the reference data refreshed as soon as it can be."""
    Link.write(refresh_wanted=True)
    notify_gateway()
