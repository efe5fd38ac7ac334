"""How packages, bundles and their keys are named. A name is used once: every key holds the attempt that wrote it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from datamgmt.models import ProcessingRun, RawDataPackage
from observatory.models import DataStream, InstrumentModule
from planning.models import ExecutedObsUnit

#: Below it are the unpacked trees of a PROCESSING location.
STAGED_FOLDER: Final = "packages"


def _word(text: str) -> str:
    """Safe in file names, object keys and shells."""
    return re.sub(r"[^A-Za-z0-9-]+", "-", text).strip("-") or "x"


def package_name(execution: ExecutedObsUnit, module: InstrumentModule, number: int) -> str:
    """``{program}_{instrument}_{module}_{start}_{execution}_{number}``, unique under a lock on the execution. Of its
    UUID both ends: whoever made it may have counted, or put a time in front.
    """
    words = (
        _word(execution.obs_unit.observing_program.short_name),
        _word(module.instrument.short_name),
        _word(module.short_name),
        execution.start_time.astimezone(UTC).strftime("%Y%m%dT%H%M%S"),
        execution.pk.hex[:8] + execution.pk.hex[-8:],
        f"{number:03d}",
    )
    return "_".join(words)


def stream_package_name(stream: DataStream, start: datetime, package: UUID) -> str:
    """``{instrument}_{module}_{stream}_{start}_{package}``: of its UUID both ends."""
    words = (
        _word(stream.instrument_module.instrument.short_name),
        _word(stream.instrument_module.short_name),
        _word(stream.name),
        start.astimezone(UTC).strftime("%Y%m%dT%H%M%S"),
        package.hex[:8] + package.hex[-8:],
    )
    return "_".join(words)


def run_package_name(run: ProcessingRun, number: int) -> str:
    """``{program}_{instrument}_{software}_{start}_{run}_{number}``, unique under a lock on the run."""
    assert run.start_time is not None  # noqa: S101  only a run that began has products
    words = (
        _word(run.observing_program.short_name),
        _word(run.instrument_module.instrument.short_name),
        _word(run.software_version.reduction_software.name),
        run.start_time.astimezone(UTC).strftime("%Y%m%dT%H%M%S"),
        run.pk.hex[:8] + run.pk.hex[-8:],
        f"{number:03d}",
    )
    return "_".join(words)


def bundle_name(origin: str, destination: str, moment: datetime) -> str:
    """``{origin site}_{destination site}_{time}``: microseconds, under a lock on the origin."""
    return f"{origin}_{destination}_{moment.astimezone(UTC):%Y%m%dT%H%M%S%f}"


def _day(package: RawDataPackage) -> str:
    return package.observed_from.astimezone(UTC).strftime("%Y/%m/%d")


def buffer_key(package: RawDataPackage, attempt: str) -> str:
    """A package's tar in a buffer."""
    return f"packages/{_day(package)}/{package.name}.{attempt}.tar"


def archive_key(package: RawDataPackage, attempt: str) -> str:
    """A package's object in an archive: ``{instrument}/{module}/{YYYY}/{MM}/{DD}/{execution}/{package}.{attempt}.tar``;
    the name of the data stream, or the run, takes the place of the execution.
    """
    module = package.instrument_module
    stream = package.data_stream
    return "/".join(
        (
            _word(module.instrument.short_name),
            _word(module.short_name),
            _day(package),
            _word(stream.name)
            if stream is not None
            else str(package.executed_obs_unit_id or package.processing_run_id),
            f"{package.name}.{attempt}.tar",
        )
    )


def sidecar_key(object_key: str) -> str:
    """The JSON document beside an archived package."""
    return object_key.removesuffix(".tar") + ".json"


def staged_key(package: RawDataPackage, attempt: str) -> str:
    """The unpacked tree at a PROCESSING location, shared by all jobs that ask for the package."""
    return f"{STAGED_FOLDER}/{package.name}.{attempt}"


def job_link_key(job_folder: str, package: RawDataPackage) -> str:
    """Where a job's folder links to that tree."""
    return f"{job_folder}/{package.name}"


def bundle_key(name: str, attempt: str, suffix: str) -> str:
    """A bundle's manifest (``json``) or its tar of tars (``tar``) in a buffer."""
    return f"bundles/{name}.{attempt}.{suffix}"
