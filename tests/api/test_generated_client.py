"""A client that openapi-python-client makes from the API's description files, waits and reads."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer

from planning.models import ObsUnit
from tests.api.bodies import file_body
from tests.factories.accounts import ApiTokenFactory
from tests.factories.planning import ObsUnitFactory

NAME = "generated_ccatdc"


@pytest.fixture
def generated(tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package, ready to be imported."""
    description = tmp_path / "schema.json"
    generator: Any = SchemaGenerator
    schema = generator().get_schema(request=None, public=True)
    description.write_bytes(OpenApiJsonRenderer().render(schema, renderer_context={}))
    (tmp_path / "config.json").write_text(json.dumps({"post_hooks": []}))  # it would be formatted
    made = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(description),
         "--config", str(tmp_path / "config.json"), "--meta", "none", "--output-path", str(tmp_path / NAME)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    # It has no bodies of timelines as ECSV and no pictures; everything else it understands.
    assert made.stdout.count("WARNING") <= 2, made.stdout
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / NAME


def act(name: str) -> Any:
    """The call of this operation."""
    return import_module(f"{NAME}.api.api.{name}").sync_detailed


def test_it_files_waits_and_reads(generated: Path, live_server: Any) -> None:
    models = import_module(f"{NAME}.models")
    unit: ObsUnit = ObsUnitFactory.create()
    secret = ApiTokenFactory.create().secret  # type: ignore[attr-defined]
    client = import_module(f"{NAME}.client").AuthenticatedClient(
        base_url=live_server.url, token=secret, raise_on_unexpected_status=True
    )
    observation = uuid4()
    body = models.StartRequest(
        id=observation,
        start_time=datetime(2026, 5, 1, 22, tzinfo=UTC),
        program=unit.observing_program.short_name,
        obs_unit_name=unit.name,
    )
    started = act("start_execution")(client=client, body=body)
    assert (started.status_code, started.parsed.id) == (HTTPStatus.CREATED, observation)

    known = file_body()
    report = models.FileReportRequest(
        id=uuid4(),
        executed_obs_unit=observation,
        **{name: known[name] for name in ("instrument", "module", "source_location", "relative_path", "size")},
    )
    filed = act("register_file")(client=client, body=report)
    assert filed.status_code == HTTPStatus.CREATED, filed.content

    over = models.FinishRequest(status=models.ExecutionEnd.COMPLETED, end_time=datetime(2026, 5, 1, 22, 30, tzinfo=UTC))
    finished = act("finish_execution")(observation, client=client, body=over)
    assert finished.parsed.status == models.ExecutionStatus.COMPLETED, finished.content
    again = models.FinishRequest(status=models.ExecutionEnd.FAILED, end_time=datetime(2026, 5, 1, 22, 30, tzinfo=UTC))
    conflict = act("finish_execution")(observation, client=client, body=again)
    assert conflict.parsed.code == "filing.differs"

    waited = act("wait_for_execution")(
        observation, client=client, state=models.WaitForExecutionState.FINISHED, timeout=0
    )
    assert waited.parsed.reached is True
    assert waited.parsed.execution.files.count == 1

    names = models.ApiExecutedObsUnitsRetrieveExpandItem
    read = act("api_executed_obs_units_retrieve")(
        observation, client=client, expand=[names.OBS_UNIT, names.OBS_UNIT_SOURCE]
    )
    assert read.status_code == HTTPStatus.OK, read.content
    expanded = read.parsed.expanded.obs_unit
    assert expanded.name == unit.name
    assert expanded.expanded.source.name == unit.target_name
    states = import_module(f"{NAME}.models.api_executed_obs_units_list_status_item").ApiExecutedObsUnitsListStatusItem
    listed = act("api_executed_obs_units_list")(client=client, status=[states.COMPLETED, states.ABORTED])
    assert [row.id for row in listed.parsed.results] == [observation]
