"""Step 0, who may file what: a token bound to an instrument files for that instrument only."""

from __future__ import annotations

from accounts.models import ApiToken
from ccatdc.common.errors import NotAllowedError
from datamgmt.models import RawDataFile
from observatory.models import InstrumentModule
from planning.models import ExecutedObsUnit, ObsUnit

OTHER_INSTRUMENT = "token.other_instrument"


def require_obs_unit(token: ApiToken | None, obs_unit: ObsUnit) -> None:
    """The obs unit's mode is of the token's instrument, or of no particular one."""
    if _foreign(token, obs_unit.obs_mode.instrument_id):
        raise NotAllowedError(
            f"{obs_unit} is observed with {obs_unit.obs_mode.instrument}.", code=OTHER_INSTRUMENT, remedy=_remedy(token)
        )


def require_execution(token: ApiToken | None, execution: ExecutedObsUnit) -> None:
    """The obs unit is the instrument's, and no token of another instrument began the execution."""
    require_obs_unit(token, execution.obs_unit)
    reporter = execution.reported_by_token
    if reporter is not None and _foreign(token, reporter.instrument_id):
        raise NotAllowedError(
            f"Execution {execution.pk} was started for {reporter.instrument}.",
            code=OTHER_INSTRUMENT,
            remedy=_remedy(token),
        )


def require_all_of(token: ApiToken | None, execution: ExecutedObsUnit) -> None:
    """Nobody else has files in the execution: who ends it releases all of them for packaging."""
    require_execution(token, execution)
    if token is None or token.instrument_id is None:
        return
    files = RawDataFile.objects.filter(executed_obs_unit=execution)
    others = files.exclude(instrument_module__instrument=token.instrument_id)
    if others.exists():
        raise NotAllowedError(
            f"Execution {execution.pk} has files of other instruments too.",
            code=OTHER_INSTRUMENT,
            remedy="Finish it with a token that is bound to no instrument.",
        )


def require_module(token: ApiToken | None, module: InstrumentModule) -> None:
    """The module is of the token's instrument."""
    if not may_file_for(token, module):
        raise NotAllowedError(
            f"{module} is a module of another instrument.", code=OTHER_INSTRUMENT, remedy=_remedy(token)
        )


def may_file_for(token: ApiToken | None, module: InstrumentModule) -> bool:
    """Whether the token may file data of this module."""
    return not _foreign(token, module.instrument_id)


def _foreign(token: ApiToken | None, instrument_id: int | None) -> bool:
    bound = token.instrument_id if token is not None else None
    return bound is not None and instrument_id is not None and bound != instrument_id


def _remedy(token: ApiToken | None) -> str:
    return f"This token is bound to {token.instrument}." if token is not None else ""
