"""Packages in an archive to be asked for: Orion, public, and the Galactic center, of a program that never is."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from astropy.io.votable import parse, parse_single_table
from django.test import Client

from datamgmt.metadata.filling import fill
from planning.models import ExecutedObsUnit
from tests.factories.datamgmt import RawDataPackageFactory
from tests.factories.observatory import InstrumentModuleFactory
from tests.factories.planning import (
    START,
    ExecutedObsUnitFactory,
    FixedSourceFactory,
    ObservingProgramFactory,
    ObsUnitFactory,
    PrimeCamObservationConfigurationFactory,
)


def archived(name: str, ra: float, dec: float, program: str, **fields: Any) -> ExecutedObsUnit:
    """An observation of a daisy of a degree, with one archived package."""
    source = FixedSourceFactory.create(name=name, ra_deg=ra, dec_deg=dec)
    of = ObservingProgramFactory.create(short_name=program, proprietary_days=fields.pop("days", None))
    unit = ObsUnitFactory.create(name=f"{name} daisy", source=source, observing_program=of)
    PrimeCamObservationConfigurationFactory.create(obs_unit=unit)
    row: ExecutedObsUnit = ExecutedObsUnitFactory.create(obs_unit=unit, finished=True, **fields)
    module = InstrumentModuleFactory.create(
        short_name="f350", freq_min_ghz=330, freq_max_ghz=366, field_radius_arcmin=30
    )
    package = RawDataPackageFactory.create(
        executed_obs_unit=row, name=f"{name}_1", archived=True, instrument_module=module
    )
    fill(package)
    return row


@pytest.fixture
def orion(db: None) -> ExecutedObsUnit:
    """Public at once, in good weather."""
    return archived("Orion-KL", 83.809, -5.37264, "CORI", days=0, quality="good", pwv_mm_mean=0.4)


@pytest.fixture
def center(db: None) -> ExecutedObsUnit:
    """Of members, a day later."""
    start = START + timedelta(days=1)
    return archived(
        "Sgr A*", 266.41684, -29.00781, "SECRET", start_time=start, end_time=start + timedelta(hours=1), pwv_mm_mean=2
    )


def asked(query: str, client: Client | None = None, **more: Any) -> list[dict[str, Any]]:
    """The rows of an answer."""
    answer: Any = (client or Client()).post("/tap/sync", {"LANG": "ADQL", "QUERY": query, **more})
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert answer.status_code == 200, body
    assert answer["Content-Type"] == "application/x-votable+xml"
    table = parse_single_table(io.BytesIO(body), verify="exception").to_table()
    return [{name: row[name] for name in table.colnames} for row in table]


def column(query: str, client: Client | None = None) -> list[Any]:
    """The first column."""
    return [str(next(iter(row.values()))) for row in asked(query, client)]


def refusal(query: str, client: Client | None = None, **more: Any) -> str:
    """What an error says."""
    answer = (client or Client()).post("/tap/sync", {"LANG": "ADQL", "QUERY": query, **more})
    assert answer.status_code in (400, 503), answer
    assert answer["Content-Type"] == "application/x-votable+xml"
    infos = {each.name: each for each in parse(io.BytesIO(answer.content)).resources[0].infos}
    assert infos["QUERY_STATUS"].value == "ERROR"
    return str(infos["QUERY_STATUS"].content)
