"""What calls find that nobody thought of: a row of every kind, and the words that name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.api.bodies import file_body, finish_body, start_body
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    ProcessingLocationFactory,
    RawDataFileFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
)
from tests.factories.observatory import ChaiModuleConfigurationFactory, LineFactory, PrimeCamModuleConfigurationFactory
from tests.factories.planning import (
    ChaiInparParameterFactory,
    ChaiTilingFactory,
    ConstantElevationAzimuthRangeFactory,
    ExecutedObsUnitFactory,
    PreScheduledSlotFactory,
    PrimeCamObservationConfigurationFactory,
    SolarSystemObjectFactory,
)
from tests.factories.transfer import (
    LongTermArchiveTransferFactory,
    RawDataPackageCreationFactory,
    StagingFactory,
    StagingJobFactory,
)

#: Texts that break things which were not made for them.
NASTY: list[str | int | float] = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "../../etc/passwd",
    "/absolute",
    "a\\b",
    "ü🔭",
    "\u202e",
    "' OR 1=1 --",
    "a" * 3000,
    "null",
    "true",
    "NaN",
    "Infinity",
    "1e999",
    "2026-02-30",
    "0000-00-00",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999-23:59",
    "10000-01-01",
    "00000000-0000-0000-0000-000000000000",
    "cD0lMDA=",
    "١٢",
]
NUMBERS: list[str | int | float] = [0, -1, 1, 2, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**40]


@dataclass(frozen=True, slots=True)
class Furniture:
    """Known words and numbers, and bodies that are accepted, by operation."""

    words: list[str | int | float]
    numbers: list[str | int | float]
    bodies: dict[str, Any]


def furnish() -> Furniture:
    """Rows of every kind that the API shows."""
    execution = ExecutedObsUnitFactory.create()
    package = RawDataPackageFactory.create(archived=True)
    file = RawDataFileFactory.create(raw_data_package=package)
    RawDataFilePhysicalCopyFactory.create(raw_data_file=file)
    RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, archived=True)
    RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, staged=True)
    for factory in (
        ChaiModuleConfigurationFactory,
        PrimeCamModuleConfigurationFactory,
        LineFactory,
        ChaiInparParameterFactory,
        ChaiTilingFactory,
        ConstantElevationAzimuthRangeFactory,
        PreScheduledSlotFactory,
        PrimeCamObservationConfigurationFactory,
        SolarSystemObjectFactory,
    ):
        factory.create()
    job = StagingJobFactory.create(packages=[package])
    operations = [
        RawDataPackageCreationFactory.create(failed=True),
        LongTermArchiveTransferFactory.create(),
        StagingFactory.create(staging_job=job, raw_data_package=package),
    ]
    module, source = file.instrument_module, file.source_location
    processing, archive = ProcessingLocationFactory.create(), ArchiveLocationFactory.create()
    unit = execution.obs_unit
    words: list[str | int | float] = [
        str(execution.pk),
        str(package.pk),
        str(file.pk),
        file.relative_path,
        module.short_name,
        module.instrument.short_name,
        source.full_name,
        processing.full_name,
        archive.full_name,
        unit.name,
        unit.observing_program.short_name,
        unit.target_name,
        UserFactory.create().username,
        "2026-05-01T22:00:00Z",
        "completed",
        "archived",
        "sha256",
    ]
    keys = sorted({unit.pk, module.pk, source.pk, job.pk, *(row.pk for row in operations)})
    filed = file_body(execution, module=module, location=source)
    staged = {"packages": [str(package.pk)], "location": processing.full_name, "name": "a look"}
    return Furniture(
        words=[*words, *NASTY],
        numbers=[*keys, *NUMBERS],
        bodies={
            "POST /api/executed_obs_units/start": start_body(unit),
            "PUT /api/executed_obs_units/{id}/finish": finish_body(conditions={"humidity": 12}),
            "POST /api/raw_data_files/": filed,
            "POST /api/raw_data_files/bulk": [filed],
            "POST /api/staging/jobs/": staged,
            "POST /api/staging/jobs/{id}/extend": {"days": 3},
        },
    )
