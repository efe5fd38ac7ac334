"""The basket: observations that a person collects over several searches. Kept in the session, as the ticked packages are
(transfer/staging/selection.py); what is in it is asked for as whole observations.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest

from accounts.people import person_of
from ccatdc.common.visibility import visible
from planning.models import ExecutedObsUnit
from transfer.staging.requests import MAX_EXECUTIONS

KEY: Final = "basket"


class Basket:
    """The observations of one person's session."""

    def __init__(self, request: HttpRequest) -> None:
        self._session: Any = request.session
        self._person = person_of(request)
        self._ids: list[str] = list(self._session.get(KEY, []))

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, observation: object) -> bool:
        return str(observation) in self._ids

    def add(self, observations: Iterable[str]) -> int:
        """Those that the person may see, as far as there is room; how many were left out for want of it."""
        wanted = [each for each in map(_as_uuid, observations) if each and each not in self._ids]
        seen = visible(ExecutedObsUnit.objects.filter(pk__in=wanted), self._person).values_list("pk", flat=True)
        known = {str(pk) for pk in seen}
        new = [each for each in dict.fromkeys(wanted) if each in known]
        room = MAX_EXECUTIONS - len(self._ids)
        self._keep(self._ids + new[:room])
        return max(0, len(new) - room)

    def remove(self, observations: Iterable[str]) -> None:
        gone = {_as_uuid(each) for each in observations}
        self._keep([each for each in self._ids if each not in gone])

    def clear(self) -> None:
        self._keep([])

    def observations(self) -> Any:
        """Those that the person may see still, the newest first."""
        rows = visible(ExecutedObsUnit.objects.for_listing().filter(pk__in=self._ids), self._person)
        return rows.order_by("-start_time", "-pk")

    def _keep(self, ids: list[str]) -> None:
        self._ids = ids
        self._session[KEY] = ids


def _as_uuid(text: str) -> str:
    """The id in its one spelling, or nothing for what is none."""
    try:
        return str(UUID(text))
    except ValueError:
        return ""
