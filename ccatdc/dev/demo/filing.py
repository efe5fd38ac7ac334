"""Observations, from the instrument's first byte to the last call: written at SOURCE, then filed over HTTP as instrument
software does. Every call carries a UUID made here, so a call whose answer was lost is simply sent again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID, uuid4

import httpx

from ccatdc.common.errors import CcatError, ExternalError, RequestError
from ccatdc.common.units import size_text
from ccatdc.dev.demo.folder import Skipped, copy_folder
from ccatdc.dev.demo.home import Home
from ccatdc.dev.demo.instrument import PRIME_CAM, Instrument
from ccatdc.dev.demo.writing import Source, Written, run_prefix

#: Rows of one call: well below the server's limit for a body, however long the paths are.
_ROWS: Final = 1000
_TIMEOUT_SECONDS: Final = 60.0
_TRIES: Final = 5
_PAUSE_SECONDS = 0.5
_SITE: Final = "ccat"
#: What a user's own files are observed as.
_TEST_PROGRAM, _TEST_UNIT, _TEST_MODULE = "ENG", "Prime-Cam test data", "280ghz"
_LONGEST: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Observation:
    """One observation that was filed, with what was written."""

    id: UUID
    instrument: str
    title: str
    files: tuple[Written, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def __str__(self) -> str:
        return f"{self.title} ({self.instrument}): {len(self.files)} files, {size_text(self.size)}"


class Api:
    """The data center's API with one token. A context manager; closes its connections."""

    def __init__(self, portal_url: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=portal_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,  # a proxy of the user's does not lead to our own loopback
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call and its JSON answer; tried again while the server does not answer.

        Raises RequestError with the server's words when it refuses, ExternalError when it stays away.
        """
        for left in reversed(range(_TRIES)):
            try:
                answer = self._client.request(method, path, json=body)
            except httpx.TransportError as error:
                if not left:
                    raise _portal_error(f"{method} {path}: the portal does not answer ({error}).") from error
            else:
                if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR or not left:
                    return _body_of(answer, f"{method} {path}")
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError("the last try returns or raises")


def wait_until_healthy(portal_url: str, seconds: float, still_alive: Callable[[], object]) -> None:
    """Wait until the portal answers. ``still_alive`` is called meanwhile and may raise."""
    deadline = time.monotonic() + seconds
    said = "it does not listen"
    with httpx.Client(trust_env=False, timeout=5.0) as client:
        while time.monotonic() < deadline:
            try:
                status = client.get(f"{portal_url}/health").status_code
            except httpx.TransportError as error:
                said = str(error)
            else:
                if status == HTTPStatus.OK:
                    return
                said = f"status {status}"
            still_alive()
            time.sleep(0.1)
    raise _portal_error(f"The portal at {portal_url} did not come up in {seconds:.0f} s: {said}.")


def file_observation(
    api: Api,
    *,
    instrument: str,
    location: str,
    program: str,
    obs_unit: str,
    start: datetime,
    end: datetime,
    files: Sequence[Written],
    conditions: Mapping[str, float],
) -> Observation:
    """File one observation that is over. Raises RequestError when something is refused."""
    execution = uuid4()
    begun = {"id": str(execution), "program": program, "obs_unit_name": obs_unit, "start_time": start.isoformat()}
    api.call("POST", "/api/executed_obs_units/start", {**begun, "parameters": {"simulated": True}})
    rows = [_row(file, execution, instrument, location) for file in files]
    for first in range(0, len(rows), _ROWS):
        api.call("POST", "/api/raw_data_files/bulk", rows[first : first + _ROWS])
    over = {"status": "completed", "end_time": end.isoformat(), "quality": "good", "conditions": dict(conditions)}
    api.call("PUT", f"/api/executed_obs_units/{execution}/finish", over)
    return Observation(execution, instrument, f"{program}: {obs_unit}", tuple(files))


def _row(file: Written, execution: UUID, instrument: str, location: str) -> dict[str, Any]:
    return {
        "id": str(file.id),
        "executed_obs_unit": str(execution),
        "source_location": location,
        "relative_path": file.relative_path,
        "size": file.size,
        "checksum": file.checksum,
        "checksum_algorithm": file.checksum_algorithm,
        "instrument": instrument,
        "module": file.module,
        "file_type": file.file_type,
        "created_at": file.created_at.isoformat() if file.created_at else None,
    }


def _body_of(answer: httpx.Response, call: str) -> Any:
    if answer.is_success:
        return answer.json()
    try:
        problem = answer.json()
        said = " ".join(str(problem[key]) for key in ("title", "detail") if problem.get(key))
        code = str(problem.get("code", "demo.refused"))
    except (ValueError, AttributeError):
        said, code = answer.text[:500], "demo.refused"
    message = f"{call} was answered with {answer.status_code}: {said}"
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise CcatError(message, code="demo.portal", remedy="Its log is portal.log.")
    raise RequestError(message, code=code)


def _portal_error(message: str) -> ExternalError:
    return ExternalError(message, code="demo.portal", remedy="Its log is portal.log.")


@dataclass(frozen=True)
class Observatory:
    """The telescope's site as the instruments see it: disks to write to, an API to file with."""

    home: Home
    portal_url: str

    def observe(self, instrument: Instrument, size: int, seed: str | None = None) -> Observation:
        """One simulated observation of an active obs unit; with the same seed the same bytes."""
        from planning.models import ObsUnit

        prefix = run_prefix(datetime.now(UTC))
        chance = random.Random(seed or prefix)  # noqa: S311 - a choice, not a secret
        units = ObsUnit.objects.filter(obs_unit_type=instrument.obs_unit_type, state="active").exclude(name=_TEST_UNIT)
        unit = chance.choice(list(units.select_related("observing_program").order_by("id")))
        end = datetime.now(UTC)
        start = end - min(timedelta(seconds=unit.planned_duration_s), _LONGEST)
        files = instrument.observe(self._source(instrument, prefix), start, size, seed or prefix)
        conditions = {
            "pwv_mm_mean": round(chance.uniform(0.3, 1.5), 2),
            "humidity": round(chance.uniform(5, 40), 1),
            "temperature_c": round(chance.uniform(-12, 2), 1),
            "wind_m_s": round(chance.uniform(1, 14), 1),
            "elevation_deg_mean": round(chance.uniform(30, 75), 2),
            "azimuth_deg_mean": round(chance.uniform(0, 360), 2),
        }
        return self._file(instrument, (unit.observing_program.short_name, unit.name), (start, end), files, conditions)

    def observe_folder(self, folder: Path) -> tuple[Observation, list[Skipped]]:
        """A user's folder as one observation of Prime-Cam, and what was left out of it."""
        start = datetime.now(UTC)
        source = self._source(PRIME_CAM, run_prefix(start))
        files, skipped = copy_folder(folder, source, module=_TEST_MODULE, apart_from=self.home.root)
        times = (start, datetime.now(UTC))
        return self._file(PRIME_CAM, (_TEST_PROGRAM, _TEST_UNIT), times, files, {}), skipped

    def _source(self, instrument: Instrument, prefix: str) -> Source:
        return Source(self.home.disk(_SITE, instrument.location), prefix)

    def _file(
        self,
        instrument: Instrument,
        unit: tuple[str, str],
        times: tuple[datetime, datetime],
        files: list[Written],
        conditions: dict[str, float],
    ) -> Observation:
        with Api(self.portal_url, self.home.token(instrument.name)) as api:
            return file_observation(
                api,
                instrument=instrument.name,
                location=f"{_SITE}_{instrument.location}",
                program=unit[0],
                obs_unit=unit[1],
                start=times[0],
                end=times[1],
                files=files,
                conditions=conditions,
            )
