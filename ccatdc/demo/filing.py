"""Filing over HTTP, as instrument software does: start, files in bulk, finish.

Every call carries a UUID made here, so a call whose answer was lost is simply sent again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Self
from uuid import UUID, uuid4

import httpx

from ccatdc.common.errors import CcatError, RequestError, WorldError
from ccatdc.demo.writing import Written

#: Rows of one call: well below the server's limit for a body, however long the paths are.
_ROWS = 1000
_TIMEOUT_SECONDS = 60.0
_TRIES = 5
_PAUSE_SECONDS = 0.5


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

        Raises RequestError with the server's words when it refuses, WorldError when it stays away.
        """
        for left in reversed(range(_TRIES)):
            try:
                answer = self._client.request(method, path, json=body)
            except httpx.TransportError as error:
                if not left:
                    raise WorldError(
                        f"{method} {path}: the portal does not answer ({error}).",
                        code="demo.portal",
                        remedy="Its log is portal.log.",
                    ) from error
            else:
                if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR or not left:
                    return _body_of(answer, f"{method} {path}")
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError("the last try returns or raises")


def wait_until_healthy(portal_url: str, seconds: float, still_alive: Any) -> None:
    """Wait until the portal answers. ``still_alive`` is called meanwhile and may raise."""
    deadline = time.monotonic() + seconds
    said = "it does not listen"
    with httpx.Client(trust_env=False, timeout=5.0) as client:
        while time.monotonic() < deadline:
            try:
                answer = client.get(f"{portal_url}/health")
            except httpx.TransportError as error:
                said = str(error)
            else:
                if answer.status_code == HTTPStatus.OK:
                    return
                said = f"status {answer.status_code}"
            still_alive()
            time.sleep(0.1)
    raise WorldError(
        f"The portal at {portal_url} did not come up in {seconds:.0f} s: {said}.",
        code="demo.portal",
        remedy="Look into portal.log.",
    )


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
    api.call(
        "POST",
        "/api/executed_obs_units/start",
        {
            "id": str(execution),
            "program": program,
            "obs_unit_name": obs_unit,
            "start_time": start.isoformat(),
            "parameters": {"simulated": True},
        },
    )
    rows = [_row(file, execution, instrument, location) for file in files]
    for first in range(0, len(rows), _ROWS):
        api.call("POST", "/api/raw_data_files/bulk", rows[first : first + _ROWS])
    api.call(
        "PUT",
        f"/api/executed_obs_units/{execution}/finish",
        {
            "status": "completed",
            "end_time": end.isoformat(),
            "quality": "good",
            "conditions": dict(conditions),
        },
    )
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
