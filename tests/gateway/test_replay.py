"""Filing at the gateway while the link is cut, and what the main site has when it is back."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from datamgmt.models import RawDataFile, RawDataFilePhysicalCopy
from planning.models import ExecutedObsUnit, ExecutionStatus, ObsUnit
from tests.api.bodies import BULK, FILES, START, finish_body, finish_path, start_body
from tests.client.gate import Gate
from tests.gateway.sites import GatewaySite

pytestmark = pytest.mark.pipeline


def file_of(execution: str, number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "executed_obs_unit": execution,
        "instrument": "primecam",
        "module": "f280",
        "source_location": "ccat_primecam_raw_data",
        "relative_path": f"{execution}/{number:05}.g3",
        "size": 1000 + number,
        **fields,
    }


def observe(
    instrument: httpx.Client, unit: ObsUnit, *, bulk: int = 3, single: int = 2
) -> tuple[str, list[dict[str, Any]]]:
    """One observation as an instrument files it, and its files."""
    start = start_body(unit)
    answer = instrument.post(START, json=start)
    assert answer.status_code == 201, answer.text
    execution = start["id"]
    files = [file_of(execution, number) for number in range(bulk + single)]
    if bulk:
        assert instrument.post(BULK, json=files[:bulk]).status_code == 201
    for each in files[bulk:]:
        assert instrument.post(FILES, json=each).status_code == 201
    assert instrument.put(finish_path(execution), json=finish_body()).status_code == 200
    return execution, files


def test_what_was_filed_while_the_link_was_cut_is_at_the_main_site_afterwards(
    site: GatewaySite, gate: Gate, unit: ObsUnit, instrument: httpx.Client
) -> None:
    gate.cut()
    site.run_gateway()
    made = [observe(instrument, unit) for _ in range(3)]
    assert ExecutedObsUnit.objects.count() == 0
    assert site.open_items() == 3 * 5
    gate.open()
    site.until_sent()

    for execution, files in made:
        stored = ExecutedObsUnit.objects.get(pk=execution)
        assert stored.status == ExecutionStatus.COMPLETED
        assert set(stored.raw_data_files.values_list("pk", flat=True)) == {
            UUID(each["id"]) for each in files
        }
    assert RawDataFile.objects.count() == RawDataFilePhysicalCopy.objects.count() == 15
