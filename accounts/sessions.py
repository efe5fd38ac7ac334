"""Sessions in the database that know their owner: Django's engine, extended as its documentation says.

What a session was used for last stands in its own data (:class:`Use`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.models import User, UserSession, hash_token

_USE: Final = "use"
LONGEST_PROGRAM: Final = 200
#: Sessions of one person that a page shows.
SHOWN: Final = 50


class SessionStore(DatabaseSessionStore):
    @classmethod
    def get_model_class(cls) -> type[Any]:
        return UserSession

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        row.user_id = data.get(SESSION_KEY)
        return row


@dataclass(frozen=True, slots=True)
class Use:
    """Since when and from where a session is used: ``count`` requests, the last at ``last`` (within a minute)."""

    began: str
    last: str
    address: str
    program: str
    count: int

    @property
    def began_at(self) -> datetime:
        return datetime.fromisoformat(self.began)

    @property
    def last_at(self) -> datetime:
        return datetime.fromisoformat(self.last)


def note_use(session: SessionBase, *, address: str, program: str, count: int) -> None:
    """``count`` more requests, the last one now and from this address."""
    now = timezone.now().isoformat(timespec="seconds")
    before = session.get(_USE) or {"began": now, "count": 0}
    use = Use(before["began"], now, address, program[:LONGEST_PROGRAM], before["count"] + count)
    session[_USE] = asdict(use)


@dataclass(frozen=True, slots=True)
class KnownSession:
    """One of somebody's sessions. ``name`` stands for its key, which is a secret."""

    name: str
    use: Use | None
    is_this: bool


def sessions_of(user: User, current: str | None) -> list[KnownSession]:
    """Their sessions; ``current`` is the key of the one that asks."""
    rows = UserSession.objects.of(user)[:SHOWN]
    return [KnownSession(_name(row), _use_of(row), row.session_key == current) for row in rows]


def end_sessions(user: User, *, name: str | None = None, but: str | None = None) -> int:
    """End one by its name, or all but the one with the key ``but``; how many ended."""
    rows = [row for row in UserSession.objects.of(user) if row.session_key != but]
    if name is not None:
        rows = [row for row in rows if constant_time_compare(_name(row), name)]
    ended, _ = UserSession.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return int(ended)


def _name(row: UserSession) -> str:
    return hash_token(row.session_key)[:16]


def _use_of(row: UserSession) -> Use | None:
    use = row.get_decoded().get(_USE)
    return Use(**use) if use else None
