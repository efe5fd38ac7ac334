"""The flow seen from an instrument: how far an execution has come, and waiting until it is there.

What is filed in step 0 goes through packaging (10) to the archive (50). Waiting looks at the database now and then; it
holds no transaction, and a process lets few wait at once, because each who waits occupies one of its threads.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from http import HTTPStatus
from operator import or_
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q, TextChoices

from ccatdc.common.errors import ExternalError
from ccatdc.common.states import Status
from datamgmt.models import RawDataFile, RawDataFilePhysicalCopy, RawDataPackage
from datamgmt.models.streams import in_streams_overlapping
from datamgmt.states import PackageState
from planning.models import ExecutedObsUnit

#: Seconds between two looks: at first, and after a while.
FIRST_LOOK: Final = 0.1
LONGEST_LOOK: Final = 1.0
#: Failures of a kind that an answer lists.
FAILURES_SHOWN: Final = 10


class Milestone(TextChoices):
    """What can be waited for. An execution without files is packaged and archived when it is over. What data streams
    wrote meanwhile counts as far as it is filed.
    """

    FINISHED = "finished", "It is over, however it ended"
    PACKAGED = "packaged", "It is over, and every file is in a tar"
    ARCHIVED = "archived", "It is over, and every file is in an archived package"


class TooManyWaitError(ExternalError):
    """This process lets nobody else wait now. No fault: whoever asks again later is served."""

    default_code = "wait.busy"
    http_status = HTTPStatus.TOO_MANY_REQUESTS


def has_reached(execution: UUID, milestone: Milestone) -> bool:
    """Whether the execution is there now. Few queries; late files take it back."""
    rows = ExecutedObsUnit.objects.finished().select_related("obs_unit__obs_mode")
    found = rows.filter(pk=execution).first()
    if found is None or milestone == Milestone.FINISHED:
        return found is not None
    there = Q(state=PackageState.ARCHIVED)
    if milestone == Milestone.PACKAGED:
        there |= Q(status=Status.COMPLETED)
    # Its own and those of streams one after the other: each has its index.
    return not any(
        lacking.filter(belong).exists()
        for belong in _belonging(found)
        for lacking in (RawDataFile.objects.unpackaged(), RawDataPackage.objects.exclude(there))
    )


def _belonging(execution: ExecutedObsUnit) -> list[Q]:
    """Which files or packages count: its own, and those of data streams that overlap it. Of one that was closed by a
    person nobody knows the end, and so which these are.
    """
    own = Q(executed_obs_unit=execution)
    return [own] if execution.end_time is None else [own, in_streams_overlapping(execution)]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an execution does not get there as it is: a package that failed, or a file that was left out."""

    code: str
    message: str


def failures_of(execution: UUID, milestone: Milestone) -> list[Failure]:
    """What keeps it from the milestone until it was put right; the first few."""
    if milestone == Milestone.FINISHED:
        return []
    found = ExecutedObsUnit.objects.select_related("obs_unit__obs_mode").filter(pk=execution).first()
    if found is None:
        return []
    belong = reduce(or_, _belonging(found))
    packages = RawDataPackage.objects.failed().filter(belong).order_by("name")
    failed = [
        Failure("package.failed", f"{name} failed; its operations say why: /api/raw_data_packages/{pk}/")
        for pk, name in packages.values_list("pk", "name")[:FAILURES_SHOWN]
    ]
    files = RawDataFile.objects.unpackaged().filter(belong).order_by().values("pk")
    copies = RawDataFilePhysicalCopy.objects.non_polymorphic().filter(raw_data_file__in=files)
    aside = copies.exclude(error_code="").order_by("raw_data_file__relative_path")
    columns = ("error_code", "raw_data_file__relative_path", "error_message")
    failed += [Failure(code, f"{path}: {why}") for code, path, why in aside.values_list(*columns)[:FAILURES_SHOWN]]
    return failed


def wait_until(
    execution: UUID, milestone: Milestone, seconds: float, *, caller: object = None, may_wait: bool = True
) -> bool:
    """Whether the execution is there, at once or within so many seconds; sooner no, when something of it failed.

    Raises TooManyWaitError when it is not and others wait already, when ``caller`` has half of the seats, or when
    ``may_wait`` says that this process has no thread to spare.
    """
    deadline = time.monotonic() + seconds
    if has_reached(execution, milestone):
        return True
    if seconds <= 0 or failures_of(execution, milestone):
        return False
    with _seats.one(settings.MAX_WAITERS if may_wait else 0, caller):
        pause = FIRST_LOOK
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(2 * pause, LONGEST_LOOK)
            if has_reached(execution, milestone):
                return True
            if failures_of(execution, milestone):
                return False
    return False


class _Seats:
    """How many wait in this process, by caller: nobody takes all seats."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[object] = Counter()

    @contextmanager
    def one(self, limit: int, caller: object) -> Iterator[None]:
        """One of ``limit`` seats; TooManyWaitError when all are taken, or half of them by this caller."""
        with self._lock:
            if self._taken.total() >= limit or self._taken[caller] >= max(1, limit // 2):
                raise TooManyWaitError(
                    "As many callers wait here as may.", remedy="Ask again later, or with timeout=0, which never waits."
                )
            self._taken[caller] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[caller] -= 1


_seats: Final = _Seats()
