"""A world in which everything belongs to a program that the person who looks is no member of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accounts.models import User
from datamgmt.models import RawDataFile, RawDataPackage
from planning.models import ChaiTiling, ExecutedObsUnit, ObservingProgram, ObsUnit
from tests.factories.accounts import UserFactory
from transfer.models import StagingJob

SCIENTIST = ["read:observations", "stage:data"]


def scientist(**fields: Any) -> User:
    """Somebody who sees their own programs only."""
    return UserFactory.create(permissions=SCIENTIST, sees_all=False, **fields)


@dataclass(frozen=True, slots=True)
class Foreign:
    """What nobody else may find in any answer."""

    texts: frozenset[str]

    @classmethod
    def of_everything(cls) -> Foreign:
        """All programs, plans, executions, files, packages and jobs that there are."""
        for number, job in enumerate(StagingJob.objects.all()):
            StagingJob.objects.filter(pk=job.pk).update(name=f"a secret job {number}")
        ChaiTiling.objects.update(obs_unit=ObsUnit.objects.first())
        texts: set[str] = set()
        texts.update(ObservingProgram.objects.values_list("name", flat=True))
        texts.update(ObsUnit.objects.values_list("name", flat=True))
        texts.update(str(pk) for pk in ExecutedObsUnit.objects.values_list("pk", flat=True))
        texts.update(RawDataFile.objects.values_list("relative_path", flat=True))
        texts.update(RawDataPackage.objects.values_list("name", flat=True))
        texts.update(StagingJob.objects.values_list("name", flat=True))
        assert all(len(text) > 8 for text in texts)
        return cls(frozenset(texts))

    def found_in(self, content: bytes) -> list[str]:
        """What an answer gives away."""
        shown = content.decode(errors="replace")
        return sorted(text for text in self.texts if text in shown)
