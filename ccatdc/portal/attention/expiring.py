"""What ends if nobody does something in time: backups and tokens of programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.utils import timezone

from accounts.models import ApiToken
from ccatdc.backup.backups import last_verified
from ccatdc.common.admin.badges import list_url
from ccatdc.common.units import duration_text
from ccatdc.portal.attention.lines import SHOWN, AttentionGroup, AttentionLine, Seen, Uncounted, first_lines, group

TOKEN_ENDS_WITHIN: Final = timedelta(days=14)


def backups(_seen: Seen) -> AttentionGroup:
    """The newest backup that was verified by restoring it is too old."""
    page = list_url("accounts", "systemlog", q="backup")
    hours = settings.BACKUP_MAX_AGE_HOURS
    taken_at = last_verified() if hours else None
    if not hours or (taken_at is not None and timezone.now() - taken_at <= timedelta(hours=hours)):
        return group("Backups", [], page)
    line = AttentionLine(
        what="The database",
        why="No backup of it was verified"
        + (f" in {hours:g} hours" if taken_at else "")
        + ". Look at the timer ccatdc-backup, or run: manage.py backup FOLDER",
        since=taken_at,
        url=page,
    )
    return group("Backups", [line], page)


def tokens(_seen: Seen) -> Uncounted:
    """Tokens of instruments and gateways that are in use, and end soon or have just ended: their calls are refused then."""
    now = timezone.now()
    rows = ApiToken.objects.of_programs().ending(now, TOKEN_ENDS_WITHIN).select_related("user")
    # Of these only the web process reads hashes; run_notifications looks too.
    rows = rows.defer("token_hash", "user__password")
    page = list_url("accounts", "apitoken")
    lines = (
        AttentionLine(
            what=str(token),
            why=f"Token of {token.user}: " + _when(token),
            since=None,
            url=list_url("accounts", "apitoken", q=token.name),
            then="Make a new one, give it to the program, and revoke this one.",
        )
        for token in rows.order_by("expires_at")[:SHOWN]
    )
    return first_lines("Tokens", rows, lines, page)


def _when(token: ApiToken) -> str:
    assert token.expires_at is not None  # noqa: S101 - the query says so
    left = token.expires_at - timezone.now()
    if left > timedelta(0):
        return f"it ends in {duration_text(left)}."
    return f"it ended {duration_text(-left)} ago, and what used it is refused."
