"""At a gateway: fetches the main site's reference data when it has changed, and says how the link is.

The request that asks for it is also what tries a link that is down.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import DatabaseError, transaction
from django.utils import timezone

from accounts.models import LogLevel, record
from ccatdc.common.errors import CcatError, ExternalError
from gateway import link
from gateway.main_site import PrimarySite
from gateway.models import Link
from gateway.outbox.answers import Meaning
from gateway.reference.applying import Applied, apply_snapshot

logger = logging.getLogger(__name__)


def refresh(primary: PrimarySite) -> Applied:
    """Make the copy equal to the main site's rows.

    Raises ExternalError when the main site is not to be reached or refuses, ConfigurationError when the two sites are
    of different versions. Both are written down as well; the old copy stays.
    """
    asked_at = timezone.now()
    verdict, response = primary.snapshot(Link.row().reference_etag)
    if verdict.meaning is not Meaning.ACCEPTED or response is None:
        denied = verdict.meaning in (Meaning.DENIED, Meaning.REFUSED)
        link.lost(verdict.said, denied=denied, after_seconds=verdict.after_seconds)
        raise ExternalError(f"No reference data: {verdict.said}", code="gateway.link_down")
    link.heard()
    if response.status_code == 304:
        Link.write(reference_at=asked_at, refresh_wanted=False, reference_problem="")
        return Applied()
    return take(response.text, response.json()["tag"], asked_at)


def take(text: str, tag: str, asked_at: datetime) -> Applied:
    """Apply a snapshot and write down whose it is. Raises what :func:`apply_snapshot` raises."""
    try:
        with transaction.atomic():
            applied = apply_snapshot(text)
            Link.write(
                reference_etag=tag,
                reference_at=asked_at,
                reference_changed_at=timezone.now(),
                reference_problem="",
                refresh_wanted=False,
            )
            link_row = Link.row()
            record("gateway", f"Reference data refreshed: {applied}.", about=link_row)
    except (CcatError, DatabaseError) as error:
        # The old copy is whole and filing goes on with it: a person has to look.
        news = Link.row().reference_problem != str(error)
        Link.write(reference_problem=str(error), refresh_wanted=False)
        if news:
            message = f"The reference data could not be refreshed: {error}"
            record("gateway", message, about=Link.row(), level=LogLevel.ERROR)
        raise
    logger.info("Reference data refreshed: %s.", applied)
    return applied
