"""What a scientist has ticked: kept in the session, so that it survives paging, sorting, filtering and a closed
browser.

The whole table is one form. Whatever button is pressed, the ticks of the shown page come with it (``shown``: which rows
the page had, ``package``: which of them are ticked) and are merged here. So nothing depends on JavaScript, and two
pages of one list never fight over a cookie.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Sum
from django.http import HttpRequest

from accounts.people import person_of
from ccatdc.common.visibility import visible
from datamgmt.models import RawDataPackage
from transfer.staging.requests import MAX_PACKAGES

_KEY = "staging_selection"


class Selection:
    """The ticked packages of one person's session."""

    def __init__(self, request: HttpRequest) -> None:
        self._session: Any = request.session
        self._person = person_of(request)
        self._ids: set[str] = set(self._session.get(_KEY, []))

    def __contains__(self, package_id: object) -> bool:
        return str(package_id) in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def merge(self, shown: Iterable[str], ticked: Iterable[str]) -> None:
        """Take over one page: what it showed and is not ticked goes, what is ticked comes."""
        kept = self._ids - set(shown)
        self._keep(kept | {each for each in map(_as_uuid, ticked) if each})

    def add(self, package_ids: Iterable[object]) -> None:
        self._keep(self._ids | {str(each) for each in package_ids})

    def clear(self) -> None:
        self._keep(set())

    def packages(self) -> Any:
        """The archived packages among them that the person may see. Only these: a list in a session may be old."""
        return visible(RawDataPackage.objects.archived().filter(pk__in=self._ids), self._person)

    def total_bytes(self) -> int:
        """Bytes of all of them."""
        return int(self.packages().aggregate(total=Sum("size"))["total"] or 0)

    def has_room(self) -> bool:
        """Whether one job may hold more."""
        return len(self._ids) < MAX_PACKAGES

    def _keep(self, ids: set[str]) -> None:
        if ids == self._ids:
            return
        # One more than a job may have: the request then says so instead of losing some silently.
        self._ids = set(sorted(ids)[: MAX_PACKAGES + 1])
        self._session[_KEY] = sorted(self._ids)


def _as_uuid(text: str) -> str:
    """The id in its one spelling, or nothing for what is none."""
    try:
        return str(UUID(text))
    except ValueError:
        return ""
