"""Step 0, what is said: reports of executions and files, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from ccatdc.common.errors import ConflictError, RequestError
from ccatdc.common.row_errors import RowError, in_words, listed
from datamgmt.models.files import FileType
from planning.models.executions import CONDITION_LIMITS

#: How far a clock may be ahead of ours.
CLOCK_AHEAD: Final = timedelta(days=1)
#: Before this no instrument of ours observed; clocks that lost the time begin in 1970, 1980, 2000.
FIRST_OBSERVATION: Final = datetime(2020, 1, 1, tzinfo=UTC)
#: Columns of ExecutedObsUnit with the conditions of an observation, in its units.
CONDITIONS: Final = tuple(CONDITION_LIMITS)


class FilingError(RequestError):
    """Rows of a call that cannot be filed; none of the call was."""

    default_code = "filing.invalid_rows"

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__(
            in_words(errors, "Row"), remedy="Nothing was filed. Correct the rows and send all of them again."
        )
        self.extra = listed(errors)


class FilingConflictError(ConflictError):
    """What was filed contradicts what is stored; ``errors`` says how."""

    default_code = "filing.differs"

    def __init__(self, message: str, errors: Sequence[RowError]) -> None:
        super().__init__(message, remedy="Nothing was changed.")
        self.extra = listed(errors)


@dataclass(frozen=True, slots=True)
class ModuleConfigurationName:
    """A module configuration of a module: by its id, or by the short names of instrument and module and its own."""

    id: int | None = None
    instrument: str = ""
    module: str = ""
    name: str = ""

    def __str__(self) -> str:
        if self.id is not None:
            return str(self.id)
        return f"{self.name!r} of {self.instrument} {self.module}"

    def lookup(self) -> dict[str, Any]:
        """What to ask the table of module configurations for."""
        if self.id is not None:
            return {"pk": self.id}
        return {
            "instrument_module__instrument__short_name": self.instrument,
            "instrument_module__short_name": self.module,
            "name": self.name,
        }


@dataclass(frozen=True, slots=True)
class StartReport:
    """An observation begins. ``parameters`` is kept as it is (a snapshot of the scan).

    With what it is observed may be said too: the module configurations, and of the obs unit its configuration and a
    slot.
    """

    id: UUID
    obs_unit_id: int
    start_time: datetime
    parameters: Mapping[str, Any]
    operator: str = ""
    module_configurations: tuple[ModuleConfigurationName, ...] = ()
    observation_configuration: int | None = None
    pre_scheduled_slot: int | None = None


@dataclass(frozen=True, slots=True)
class FinishReport:
    """An observation is over. Conditions by column of ExecutedObsUnit, in its units."""

    status: str
    end_time: datetime
    conditions: Mapping[str, float | None]
    quality: str
    quality_comment: str


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file as an instrument reports it.

    The module is named by its id, or by the short names of instrument and module. It is of an execution, or of a data
    stream of the module, and then has the times of its data.
    """

    id: UUID
    source_location: str
    relative_path: str
    size: int
    executed_obs_unit: UUID | None = None
    data_stream: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None
    name: str = ""
    instrument_module: int | None = None
    instrument: str = ""
    module: str = ""
    checksum: str = ""
    checksum_algorithm: str = ""
    file_type: str = FileType.OTHER
    created_at: datetime | None = None
    description: str = ""


def clock_problem(moment: datetime, earliest: datetime = FIRST_OBSERVATION) -> str:
    """Why a time cannot be right; empty when it can."""
    if moment < earliest:
        return f"{moment.isoformat()} is before {earliest:%Y-%m-%d}: a clock that was never set?"
    # Not django.utils.timezone: it asks the settings, and ten thousand rows come in one call.
    if moment > datetime.now(UTC) + CLOCK_AHEAD:
        return f"{moment.isoformat()} is in the future by our clock."
    return ""
