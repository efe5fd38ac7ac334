"""What all managers share: look for work, plan each piece in a transaction of its own, say what waits and why.

Several processes may run the same manager. What must not happen twice is prevented by rows: locks on what is planned, and the
constraint that a subject has one open operation of a kind.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Generic, TypeVar

from django.db import IntegrityError, transaction
from django.utils import timezone

from ccatdc.common.errors import CcatError
from transfer import dispatch
from transfer.models import Operation
from transfer.waits import Waits

Work = TypeVar("Work")
logger = logging.getLogger(__name__)


class StageManager(ABC, Generic[Work]):
    """One stage's scan. ``find_work`` asks the database, ``plan`` writes rows and submits operations."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self.waiting: list[dict[str, str]] = []

    @abstractmethod
    def find_work(self) -> Iterable[Work]:
        """What this stage could do now."""

    @abstractmethod
    def plan(self, work: Work) -> int:
        """Plan one piece, inside a transaction; returns how many operations came of it."""

    def run_once(self) -> int:
        """One pass. One bad piece is reported and does not stop the others."""
        self.waiting = []
        planned = 0
        for work in self.find_work():
            try:
                with transaction.atomic():
                    planned += self.plan(work)
            except Waits as reason:
                self.wait(work, reason)
            except IntegrityError:
                # Another manager planned the same between our look and our write. Its row stands.
                logger.info("%s: %s was planned by another process", self.name, work)
            except CcatError as error:
                logger.warning("%s: %s: %s", self.name, work, error)
                self.wait(work, error)
        return planned

    def wait(self, work: object, reason: CcatError) -> None:
        """Remember what waits and why, for the portal."""
        self.waiting.append(
            {
                "stage": self.name,
                "what": describe(work),
                "why": reason.message,
                "remedy": reason.remedy,
                "code": reason.code,
                "since": timezone.now().isoformat(timespec="seconds"),
            }
        )

    def submit(self, operation: Operation) -> int:
        """Hand a new operation to a worker, in the transaction that made it."""
        dispatch.submit(operation)
        return 1


def describe(work: object) -> str:
    """A piece of work in a line."""
    if isinstance(work, dict):
        shown: dict[str, Any] = {key: str(value) for key, value in work.items()}
        return ", ".join(f"{key} {value}" for key, value in shown.items())
    return str(work)
