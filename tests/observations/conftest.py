"""Observations to search: Orion with good data of Prime-Cam, the Galactic center with CHAI, a planet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from observatory.models import InstrumentModule
from planning.models import ExecutedObsUnit
from tests.factories.datamgmt import RawDataFileFactory, RawDataPackageFactory, archive_package
from tests.factories.observatory import ChaiModuleConfigurationFactory
from tests.factories.planning import (
    ExecutedObsUnitFactory,
    FixedSourceFactory,
    ObservingProgramFactory,
    ObsModeFactory,
    ObsUnitFactory,
    SolarSystemObjectFactory,
)
from tests.portal.conftest import logged_in
from tests.staging.conftest import member

MAY = datetime(2026, 5, 1, 22, 0, tzinfo=UTC)


@pytest.fixture
def client(db: None) -> Client:
    """The browser of somebody who sees all programs."""
    return logged_in(member())


@pytest.fixture
def orion(db: None) -> ExecutedObsUnit:
    """In good weather, archived; public at once."""
    source = FixedSourceFactory.create(name="Orion-KL", aliases=["M42", "NGC 1976"])
    program = ObservingProgramFactory.create(short_name="CORI", proprietary_days=0)
    unit = ObsUnitFactory.create(name="Orion daisy", source=source, observing_program=program)
    row: ExecutedObsUnit = ExecutedObsUnitFactory.create(
        obs_unit=unit,
        finished=True,
        quality="good",
        pwv_mm_mean=0.4,
        elevation_deg_mean=55,
        quality_comment="calm <all night>",
    )
    package = RawDataPackageFactory.create(executed_obs_unit=row, name="orion_pack_1", archived=True)
    archive_package(package)
    InstrumentModule.objects.filter(pk=package.instrument_module_id).update(freq_min_ghz=260, freq_max_ghz=300)
    RawDataFileFactory.create(executed_obs_unit=row, raw_data_package=package, relative_path="17500/one.g3")
    return row


@pytest.fixture
def center(db: None) -> ExecutedObsUnit:
    """In bad weather, with CHAI tuned to CO(4-3), a day later; never public."""
    source = FixedSourceFactory.create(name="Sgr A*", ra_deg=266.41684, dec_deg=-29.00781)
    program = ObservingProgramFactory.create(short_name="SECRET")
    mode = ObsModeFactory.create(name="otf")
    unit = ObsUnitFactory.create(name="=center map", source=source, observing_program=program, obs_mode=mode)
    start = MAY + timedelta(days=1)
    row: ExecutedObsUnit = ExecutedObsUnitFactory.create(
        obs_unit=unit,
        finished=True,
        start_time=start,
        end_time=start + timedelta(hours=1),
        quality="bad",
        pwv_mm_mean=2.5,
        elevation_deg_mean=30,
    )
    row.instrument_module_configurations.add(ChaiModuleConfigurationFactory.create())
    return row


@pytest.fixture
def jupiter(db: None) -> ExecutedObsUnit:
    """Still running, two days later."""
    unit = ObsUnitFactory.create(name="Jupiter beam", source=SolarSystemObjectFactory.create())
    row: ExecutedObsUnit = ExecutedObsUnitFactory.create(obs_unit=unit, start_time=MAY + timedelta(days=2))
    return row
