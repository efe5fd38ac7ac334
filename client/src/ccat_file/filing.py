"""The Python API: an observation begins, has files, is over. Every call returns when it is on disk.

No call waits for the network. A process in the background sends; nothing here raises because the server is away or
refuses: ask :meth:`Filing.status`, or :meth:`Observation.wait`.
"""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from ccat_file.calls import Call, Entry
from ccat_file.errors import CcatFileError, RefusedError, StillWaitingError, UsageError
from ccat_file.rows import FiledFile, in_calls
from ccat_file.sender import start_sender
from ccat_file.settings import Settings
from ccat_file.spool import Spool
from ccat_file.times import UTC

_LOG = logging.getLogger("ccat_file")
_LOOK_SECONDS: Final = 0.05
ENDED: Final = ("completed", "aborted", "failed")
QUALITIES: Final = ("unknown", "good", "usable", "bad")
CONDITIONS: Final = (
    "pwv_mm_mean",
    "tau_225",
    "humidity",
    "temperature_c",
    "wind_m_s",
    "wind_gust_m_s",
    "wind_direction_deg",
    "pressure_hpa",
    "elevation_deg_mean",
    "azimuth_deg_mean",
    "el_min_deg",
    "el_max_deg",
    "az_min_deg",
    "az_max_deg",
)


class Filing:
    """Files observations through one spool. Threads and processes may share it.

    ``send=False`` only spools: a service (``ccat-file send --forever``) sends.
    """

    def __init__(self, settings: Settings | None = None, *, send: bool = True) -> None:
        self.settings = settings if settings is not None else Settings.from_environment()
        self.spool = Spool(self.settings.spool)
        if self.settings.url:
            self.settings.require_url()
            self.spool.bind(self.settings.url)
        self._send = send
        self._sender: subprocess.Popen[bytes] | None = None

    def start(
        self,
        *,
        program: str = "",
        obs_unit_name: str = "",
        obs_unit: int | None = None,
        start_time: datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
        operator: str = "",
        module_configurations: Mapping[tuple[str, str], str] | None = None,
        observation_configuration: int | None = None,
        slot: int | None = None,
        observation: UUID | None = None,
    ) -> Observation:
        """An observation begins: now, unless ``start_time`` says when.

        The obs unit by program and name, or by its id. ``module_configurations`` says which module configuration each
        module has: ``{("prime-cam", "280ghz"): "standard"}``, short names of instrument and module, name of the module
        configuration. ``observation_configuration`` and ``slot`` are ids of the obs unit's own. ``observation`` is its
        UUID where the caller keeps one to repeat the call with. Raises UsageError, SpoolError.
        """
        by_name = bool(program) and bool(obs_unit_name)
        if by_name == (obs_unit is not None) or ((program or obs_unit_name) and not by_name):
            raise UsageError("Name the obs unit by program and name, or by its id.")
        new = Observation(self, observation or uuid4())
        body: dict[str, Any] = {
            "id": str(new.id),
            "start_time": time_text(start_time),
            "parameters": dict(parameters or {}),
            "operator": operator,
        }
        if by_name:
            body |= {"program": program, "obs_unit_name": obs_unit_name}
        else:
            body["obs_unit"] = obs_unit
        if module_configurations:
            body["instrument_module_configurations"] = [
                {"instrument": instrument, "module": module, "name": name}
                for (instrument, module), name in module_configurations.items()
            ]
        if observation_configuration is not None:
            body["observation_configuration"] = observation_configuration
        if slot is not None:
            body["pre_scheduled_slot"] = slot
        path = "/api/executed_obs_units/start"
        new.put([Call(new.id, "POST", path, body, {"id": str(new.id)})])
        return new

    def observation(self, observation: UUID | str) -> Observation:
        """One that was started before, here or elsewhere."""
        try:
            return Observation(self, UUID(str(observation)))
        except ValueError as error:
            raise UsageError(f"{observation!r} is not the UUID of an observation.") from error

    def stream(self, *, instrument: str, module: str, name: str) -> DataStream:
        """A data stream of a module, by short names: its files are filed without an observation."""
        if not (instrument and module and name):
            raise UsageError("Name the data stream by instrument, module and name.")
        return DataStream(self, instrument, module, name)

    def wake_sender(self) -> str:
        """See to it that somebody sends. Why nobody can, if so: what is spooled stays spooled."""
        if self._sender is not None:
            self._sender.poll()  # its end is taken note of
        if not self._send:
            return ""
        problem = self.settings.problem()
        if not problem:
            try:
                self._sender = start_sender(self.spool, self.settings) or self._sender
            except OSError as error:
                problem = f"No process can be started that sends: {error}"
        if problem:
            _LOG.warning("Spooled, but not being sent: %s", problem)
        return problem

    def put(self, calls: Sequence[Call]) -> list[Entry]:
        """Spool calls, and see to it that they are sent: also those before, when there is no room."""
        try:
            return self.spool.append(calls)
        finally:
            self.wake_sender()

    def status(self) -> dict[str, Any]:
        """Numbers of waiting calls, and the refused ones with the server's answers."""
        refused = []
        for entry in self.spool.dead():
            try:
                document = entry.document()
            except FileNotFoundError:
                continue  # given back meanwhile
            except CcatFileError as error:
                document = {"refused": {"detail": str(error)}}
            refused.append(
                {
                    "number": entry.number,
                    "observation": entry.observation,
                    "call": f"{document.get('method', '?')} {document.get('path', '?')}",
                    "file": str(entry.path),
                    "answer": document.get("refused", {}),
                }
            )
        waiting = self.spool.waiting()
        blocked = self.spool.blocked()
        return {
            "spool": str(self.spool.folder),
            "server": self.settings.url,
            "sending": self.spool.is_being_sent(),
            "last_said": self.spool.last_said(),
            "waiting": len(waiting),
            "blocked": sum(entry.observation in blocked for entry in waiting),
            "refused": refused,
        }


class DataStream:
    """A data stream of a module. Its files belong to all observations that they overlap."""

    def __init__(self, filing: Filing, instrument: str, module: str, name: str) -> None:
        self._filing = filing
        self._instrument, self._module, self._name = instrument, module, name
        #: What keeps its calls in order, and makes the ids of its files.
        self.id = uuid5(NAMESPACE_OID, f"data_stream/{instrument}/{module}/{name}")

    def add_files(self, files: Iterable[FiledFile], *, location: str) -> int:
        """File any number of files at one SOURCE location, each with the times of its data; how many they were.

        The same files again change nothing. Raises UsageError, SpoolError.
        """
        rows = [file.row(self.id, self._instrument, self._module, location, stream=self._name) for file in files]
        return _file_rows(self._filing, self.id, rows)


class Observation:
    """One observation. Its calls reach the server in the order in which they were made."""

    def __init__(self, filing: Filing, observation: UUID) -> None:
        self.id = observation
        self._filing = filing

    def add_files(self, files: Iterable[FiledFile], *, instrument: str, module: str, location: str) -> int:
        """File any number of files, of one module at one SOURCE location; how many they were.

        The same files again change nothing. Raises UsageError, SpoolError.
        """
        rows = [file.row(self.id, instrument, module, location) for file in files]
        return _file_rows(self._filing, self.id, rows)

    def finish(
        self,
        status: str = "completed",
        *,
        end_time: datetime | None = None,
        quality: str = "unknown",
        comment: str = "",
        conditions: Mapping[str, float] | None = None,
    ) -> None:
        """The observation is over: now, unless ``end_time`` says when. Raises UsageError, SpoolError.

        ``status`` is one of ENDED, ``quality`` of QUALITIES, conditions are of CONDITIONS.
        """
        if status not in ENDED or quality not in QUALITIES:
            raise UsageError(f"status is one of {', '.join(ENDED)}; quality one of {', '.join(QUALITIES)}.")
        unknown = set(conditions or ()) - set(CONDITIONS)
        if unknown:
            raise UsageError(f"{min(unknown)!r} is no condition. Known: {', '.join(CONDITIONS)}.")
        body = {
            "status": status,
            "end_time": time_text(end_time),
            "quality": quality,
            "quality_comment": comment,
            "conditions": dict(conditions or {}),
        }
        path = f"/api/executed_obs_units/{self.id}/finish"
        self.put([Call(self.id, "PUT", path, body, {"id": str(self.id)})])

    def wait(self, seconds: float, tell: Callable[[int], None] = lambda _: None) -> None:
        """Wait until the server has accepted every call of this observation.

        ``tell`` is told again and again how many it has not. Raises RefusedError at the first one it refused,
        StillWaitingError when time is up.
        """
        spool, deadline = self._filing.spool, time.monotonic() + seconds
        own = str(self.id)
        while True:
            # Waiting is looked at on both sides of refused: a call may move either way meanwhile.
            waiting = [entry for entry in spool.waiting() if entry.observation == own]
            for entry in spool.dead():
                if entry.observation == own:
                    raise RefusedError(_refusal(entry))
            waiting = waiting or [e for e in spool.waiting() if e.observation == own]
            tell(len(waiting))
            if not waiting:
                return
            if time.monotonic() >= deadline:
                raise StillWaitingError(f"{len(waiting)} calls of observation {own} are spooled and not yet sent.")
            time.sleep(_LOOK_SECONDS)

    def put(self, calls: Sequence[Call]) -> list[Entry]:
        """Spool calls, and see to it that they are sent."""
        return self._filing.put(calls)


def _file_rows(filing: Filing, belongs: UUID, rows: list[dict[str, Any]]) -> int:
    if len({row["id"] for row in rows}) != len(rows):
        raise UsageError("A file is named twice.")
    path = "/api/raw_data_files/bulk"
    filing.put([Call(belongs, "POST", path, portion, {"rows": len(portion)}) for portion in in_calls(rows)])
    return len(rows)


def time_text(moment: datetime | None) -> str:
    """A moment in UTC; now without one. UsageError without a time zone: which one would it be?"""
    if moment is None:
        moment = datetime.now(UTC)
    if moment.tzinfo is None:
        raise UsageError(f"The time {moment.isoformat()} has no zone: give UTC or an offset.")
    return moment.astimezone(UTC).isoformat()


def _refusal(entry: Entry) -> str:
    try:
        answer = entry.document().get("refused", {})
    except (CcatFileError, FileNotFoundError):
        answer = {}
    said = f"{answer.get('code', '')} {answer.get('detail', '')}".strip()
    return f"Call {entry.number} was refused: {said or 'see the file'} ({entry.path})"
