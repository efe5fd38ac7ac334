"""How much of their quotas a person and programs have taken, and whether a request fits.

What counts are the packages of active jobs, each once; of a program the packages of its observations, whoever asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.db.models import Sum

from accounts.models import User
from ccatdc.common.errors import RequestError
from ccatdc.common.units import size_text
from datamgmt.models import RawDataPackage
from planning.models import ObservingProgram
from transfer.models import StagingJob, StagingQuota

#: Advisory locks: one for each person.
_LOCKS: Final = 7_340_000_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """One quota: whose it is, its bytes, and those that are taken and would be taken. ``code`` is the error's."""

    whose: str
    max_bytes: int
    used_bytes: int
    new_bytes: int
    code: str

    @property
    def free_bytes(self) -> int:
        return max(0, self.max_bytes - self.used_bytes)

    @property
    def fits(self) -> bool:
        """What is staged already costs nothing: a quota that was lowered stops new data only."""
        return not self.new_bytes or self.used_bytes + self.new_bytes <= self.max_bytes


def allowances(user: User, packages: Iterable[RawDataPackage] = ()) -> list[Allowance]:
    """The quotas that count when this person asks for these packages: their own, and those of the programs."""
    wanted = list(packages)
    found = []
    own = StagingQuota.objects.for_user(user)
    if own is not None:
        held = _held(StagingJob.objects.active().of(user))
        found.append(_allowance("your quota", own, held, wanted, code="staging.quota_of_user"))
    for quota in StagingQuota.objects.for_programs(_programs(wanted)):
        found.append(_allowance_of_program(quota, wanted))
    return found


def allowances_of(user: User) -> list[Allowance]:
    """The person's own quota and those of the programs that they are in, with what is taken now."""
    found = allowances(user)
    for quota in StagingQuota.objects.for_programs(ObservingProgram.objects.of(user).values("pk")):
        found.append(_allowance_of_program(quota, []))
    return found


def require_quota(user: User, packages: Sequence[RawDataPackage]) -> None:
    """RequestError when a quota would be exceeded. In a transaction: two requests do not both take the last room."""
    with connection.cursor() as cursor:  # not the row of the user: managers ask for people, and may not change them
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCKS + user.pk])
    quotas = StagingQuota.objects.for_programs(_programs(packages)).order_by("pk")
    list(quotas.select_related(None).select_for_update())
    for each in allowances(user, packages):
        if not each.fits:
            raise RequestError(
                f"This needs {size_text(each.new_bytes)} more; of {each.whose} {size_text(each.free_bytes)} of"
                f" {size_text(each.max_bytes)} are free.",
                code=each.code,
                remedy="Ask for less, cancel jobs that are not needed, or ask the operators for more.",
            )


def _allowance(whose: str, quota: StagingQuota, held: Any, wanted: Sequence[RawDataPackage], code: str) -> Allowance:
    used = held.aggregate(total=Sum("size"))["total"] or 0
    there = set(held.filter(pk__in=[package.pk for package in wanted]).values_list("pk", flat=True))
    new = sum(package.size or 0 for package in wanted if package.pk not in there)
    return Allowance(whose, quota.max_bytes, used, new, code)


def _allowance_of_program(quota: StagingQuota, wanted: Sequence[RawDataPackage]) -> Allowance:
    of_program = RawDataPackage.objects.filter(executed_obs_unit__obs_unit__observing_program=quota.program)
    held = _held(StagingJob.objects.active()).filter(pk__in=of_program.order_by().values("pk"))
    mine = list(of_program.filter(pk__in=[package.pk for package in wanted]))
    return _allowance(f"the quota of {quota.program}", quota, held, mine, code="staging.quota_of_program")


def _held(jobs: Any) -> Any:
    """The packages of these jobs, each once."""
    links: Any = StagingJob.raw_data_packages.through.objects.filter(stagingjob__in=jobs.order_by().values("pk"))
    return RawDataPackage.objects.filter(pk__in=links.values("rawdatapackage")).order_by()


def _programs(packages: Iterable[RawDataPackage]) -> Any:
    ids = [package.pk for package in packages]
    of_packages = ObservingProgram.objects.filter(obs_units__executions__raw_data_packages__in=ids)
    return of_packages.order_by().values("pk")
