"""What all managers share: look for work, plan each piece in a transaction of its own, say what waits and why.

Several processes may run the same manager. What must not happen twice is prevented by rows: locks on what is planned,
and the constraint that a subject has one open operation of a kind.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from django.db import IntegrityError, transaction
from django.utils import timezone
from psycopg.errors import UniqueViolation

from ccatdc.common.errors import Blocked, CcatError
from transfer.engine import dispatch
from transfer.engine.database import DATABASE_AWAY
from transfer.models import Operation

Work = TypeVar("Work")
logger = logging.getLogger(__name__)


@dataclass
class Waiting:
    """What waits for one reason: the first piece of work, and how many there are."""

    stage: str
    what: str
    reason: CcatError
    since: str
    count: int = 1

    def entry(self) -> dict[str, str]:
        """As the heartbeat keeps it and the portal shows it."""
        more = f" and {self.count - 1} more" if self.count > 1 else ""
        return {
            "stage": self.stage,
            "what": f"{self.what}{more}",
            "why": self.reason.message,
            "remedy": self.reason.remedy,
            "code": self.reason.code,
            "since": self.since,
        }


@dataclass
class Pass:
    """What one pass over the work found that it could not plan."""

    waiting: dict[tuple[str, str], Waiting] = field(default_factory=dict)
    planned_by_others: set[str] = field(default_factory=set)


class StageManager(ABC, Generic[Work]):
    """One stage's scan. ``find_work`` asks the database, ``plan`` writes rows and submits operations.

    ``waiting`` is what the last pass could not plan, one entry for each reason.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self.waiting: list[dict[str, str]] = []
        self._pass, self._last_pass = Pass(), Pass()

    @abstractmethod
    def find_work(self) -> Iterable[Work]:
        """What this stage could do now."""

    @abstractmethod
    def plan(self, work: Work) -> int:
        """Plan one piece, inside a transaction; returns how many operations came of it."""

    def run_once(self) -> int:
        """One pass; returns how many operations came of it."""
        self._last_pass, self._pass = self._pass, Pass()
        planned = sum(self._try(work) for work in self.find_work())
        self.waiting = [waiting.entry() for waiting in self._pass.waiting.values()]
        return planned

    def _try(self, work: Work) -> int:
        """Plan one piece. A bad one is reported, like one that waits, and does not stop the others."""
        try:
            with transaction.atomic():
                return self.plan(work)
        except Blocked as reason:
            self.wait(work, reason)
        except CcatError as error:
            if self.wait(work, error):
                logger.warning("%s: %s: %s", self.name, work, error)
        except IntegrityError as error:
            self._collision(work, error)
        except DATABASE_AWAY:
            raise
        except Exception as error:
            if self.wait(work, Unplannable(f"An error of the program: {error!r}")):
                logger.exception("%s: %s cannot be planned.", self.name, work)
        return 0

    def _collision(self, work: Work, error: IntegrityError) -> None:
        """Another manager may have planned the same between our look and our write: its row stands, and the next look
        finds nothing. What collides again is an error.
        """
        about = str(work)
        if isinstance(error.__cause__, UniqueViolation):
            self._pass.planned_by_others.add(about)
            if about not in self._last_pass.planned_by_others:
                logger.info("%s: %s was planned by another process.", self.name, about)
                return
        if self.wait(work, Unplannable(f"The database refuses it: {error}")):
            logger.error("%s: %s cannot be planned.", self.name, about, exc_info=error)

    def wait(self, work: object, reason: CcatError) -> bool:
        """Remember what waits, and since when, for the portal. Whether that is news: passes follow one another within a
        second, and the log should say it once.
        """
        key = (reason.code, reason.message)
        known = self._pass.waiting.get(key)
        if known is not None:
            known.count += 1
            return False
        before = self._last_pass.waiting.get(key)
        since = before.since if before else timezone.now().isoformat(timespec="seconds")
        self._pass.waiting[key] = Waiting(self.name, str(work), reason, since)
        return before is None

    def submit(self, operation: Operation) -> int:
        """Pass a new operation to a worker, in the transaction that made it."""
        dispatch.submit(operation)
        return 1


class Unplannable(CcatError):
    """A piece of work that the manager cannot plan, for a reason that is nobody's intention."""

    default_code = "manager.unplannable"
