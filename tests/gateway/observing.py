"""Observations as an instrument files them, and what the main site has of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
from django.db import connection

from datamgmt.filing.executions import register_files
from datamgmt.filing.parsing import read_file_reports
from datamgmt.models import RawDataFile, RawDataFilePhysicalCopy
from planning.models import ExecutedObsUnit, ExecutionStatus, ObsUnit
from tests.api.bodies import BULK, FILES, START, finish_body, finish_path, start_body
from tests.factories.planning import ExecutedObsUnitFactory
from tests.gateway.sites import GatewaySite

#: Columns of what is filed that are the same at both sites. When a row was made is not.
EXECUTION_COLUMNS = (
    "id, obs_unit_id, status, start_time, end_time, parameters, quality, quality_comment, "
    "pwv_mm_mean, operator_id, reported_by_token_id, filed"
)
FILE_COLUMNS = (
    "id, name, relative_path, size, checksum, checksum_algorithm, executed_obs_unit_id, "
    "instrument_module_id, source_location_id, file_type, created_at, description"
)


@dataclass(frozen=True)
class Observed:
    """One observation, and the ids of its files."""

    execution: str
    files: Sequence[str]


def file_of(execution: str, number: int, **fields: Any) -> dict[str, Any]:
    """One file as it is reported."""
    return {
        "id": str(uuid4()),
        "executed_obs_unit": execution,
        "instrument": "primecam",
        "module": "f280",
        "source_location": "ccat_primecam_raw_data",
        "relative_path": f"{execution}/{number:05}.g3",
        "size": 1000 + number,
        "created_at": "2026-05-01T22:10:00.123456+02:00",
        **fields,
    }


def begin(instrument: httpx.Client, unit: ObsUnit, **fields: Any) -> str:
    """Start an observation; its id."""
    start = start_body(unit, **fields)
    answer = instrument.post(START, json=start)
    assert answer.status_code == 201, answer.text
    return str(start["id"])


def file(instrument: httpx.Client, *files: dict[str, Any]) -> None:
    """One call: of one file, or of many."""
    path, body = (FILES, files[0]) if len(files) == 1 else (BULK, list(files))
    answer = instrument.post(path, json=body)
    assert answer.status_code == 201, answer.text


def end(instrument: httpx.Client, execution: str, **fields: Any) -> None:
    """Finish an observation."""
    answer = instrument.put(finish_path(execution), json=finish_body(**fields))
    assert answer.status_code == 200, answer.text


def observe(instrument: httpx.Client, unit: ObsUnit, *, bulk: int = 3, single: int = 2) -> Observed:
    """A whole observation, with one bulk call and some of one file."""
    execution = begin(instrument, unit, parameters={"scan": "daisy", "rate": 4.1e16})
    files = [file_of(execution, number) for number in range(bulk + single)]
    if bulk:
        file(instrument, *files[:bulk])
    for each in files[bulk:]:
        file(instrument, each)
    end(instrument, execution, conditions={"pwv_mm_mean": 0.4}, quality="good")
    return Observed(execution, [each["id"] for each in files])


def take_the_path(unit: ObsUnit, path: str) -> None:
    """Another file has it at the main site already."""
    other = ExecutedObsUnitFactory.create(obs_unit=unit)
    register_files(read_file_reports([file_of(str(other.pk), 0, relative_path=path)]))


def assert_main_site_has(made: Sequence[Observed]) -> None:
    """Every observation and every file, exactly once, and nothing else."""
    stored = {str(pk): status for pk, status in ExecutedObsUnit.objects.values_list("pk", "status")}
    assert stored == {each.execution: ExecutionStatus.COMPLETED for each in made}
    files = list(RawDataFile.objects.values_list("executed_obs_unit", "pk"))
    assert sorted(files) == sorted((UUID(each.execution), UUID(pk)) for each in made for pk in each.files)
    assert RawDataFilePhysicalCopy.objects.count() == len(files)


def assert_rows_are_the_same(site: GatewaySite) -> None:
    """Both sites say the same about everything filed."""
    for table, columns in (("executed_obs_unit", EXECUTION_COLUMNS), ("raw_data_file", FILE_COLUMNS)):
        query = f"SELECT {columns} FROM {table} ORDER BY id"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(query)
            here = cursor.fetchall()
        there = site.rows(query)
        assert len(there) == len(here) > 0
        for ours, theirs in zip(here, there, strict=True):
            assert [str(value) for value in ours[:5]] == [str(value) for value in theirs[:5]]
            assert _comparable(ours) == _comparable(theirs)


def _comparable(row: Sequence[Any]) -> list[Any]:
    """JSON columns come as text through Django's raw cursor."""
    return [json.loads(v) if isinstance(v, str) and v[:1] == "{" else v for v in row]
