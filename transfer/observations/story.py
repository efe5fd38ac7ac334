"""What became of an observation: its files, its packages and what happened when, for its page in the portal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, Sum

from ccatdc.common.visibility import visible
from datamgmt.models import RawDataFile, RawDataPackage
from datamgmt.states import PackageState
from planning.models import ExecutedObsUnit, ExecutionStatus
from transfer.observations.page import packages


@dataclass(frozen=True, slots=True)
class ModuleFiles:
    """Its own files of one module. Bytes."""

    module: str
    files: int
    size: int
    unpackaged: int


@dataclass(frozen=True, slots=True)
class ExecutionStory:
    """``packages`` are those of data streams that overlap it too, each with the locations of its copies."""

    row: ExecutedObsUnit
    modules: list[ModuleFiles]
    set_aside: int
    packages: list[tuple[RawDataPackage, list[str]]]

    @property
    def files(self) -> int:
        return sum(each.files for each in self.modules)

    @property
    def size(self) -> int:
        return sum(each.size for each in self.modules)

    @property
    def archived(self) -> int:
        return sum(package.state == PackageState.ARCHIVED for package, _ in self.packages)

    @property
    def sentence(self) -> str:
        """How far its data are."""
        if not self.files and not self.packages:
            return "No file of it was filed yet."
        said = [f"{self.archived} of {len(self.packages)} packages archived."]
        unpackaged = sum(each.unpackaged for each in self.modules)
        if unpackaged:
            when = "once it has ended" if self.row.status == ExecutionStatus.RUNNING else "after the settle time"
            said.append(f"{unpackaged} of {self.files} files are in no package yet: they are packaged {when}.")
        if self.set_aside:
            said.append(f"{self.set_aside} files are set aside: missing, damaged or suspect.")
        return " ".join(said)

    @property
    def events(self) -> list[tuple[datetime, str]]:
        """In order of time."""
        told = [
            (self.row.created_at, "Filed"),
            (self.row.start_time, "Observation began"),
            (self.row.end_time, "Observation ended"),
            (self.row.finished_at, "Its instrument said that it is finished"),
        ]
        for package, _ in self.packages:
            told.append((package.finalized_at, f"Packaged: {package.name}"))
            told.append((package.archived_at, f"Archived: {package.name}"))
        return sorted(((at, what) for at, what in told if at is not None), key=lambda event: event[0])


def story_of(row: ExecutedObsUnit, user: Any) -> ExecutionStory:
    """As far as the person may see it. Four queries."""
    own: Any = visible(RawDataFile.objects.filter(executed_obs_unit=row), user).order_by()
    grouped = own.values_list("instrument_module__instrument__name", "instrument_module__short_name").annotate(
        files=Count("pk"), size=Sum("size"), unpackaged=Count("pk", filter=Q(raw_data_package=None))
    )
    modules = [
        ModuleFiles(f"{instrument} {module}", files, size, unpackaged)
        for instrument, module, files, size, unpackaged in grouped
    ]
    return ExecutionStory(
        row, sorted(modules, key=lambda each: each.module), own.set_aside().count(), packages(row, user)
    )
