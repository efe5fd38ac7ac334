"""A small data center in one process: real files, a real S3 server, the real managers and operations, no queue in between.

``Flow`` is what the stage tests stand on: it registers locations below a folder, files observations, and runs managers and
operations until nothing moves any more. The test with real worker processes is ``tests/test_pipeline.py``.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from django.db.models.functions import Now
from django_q.models import OrmQ

from ccatdc.common.states import Status, transition
from ccatdc.dev.s3server import S3Server
from datamgmt.checksums import digest_stream
from datamgmt.models import DiskDataLocation, LocationType, RawDataFile, RawDataFilePhysicalCopy, S3DataLocation, Site
from datamgmt.storage.registration import register
from observatory.models import DataStream
from planning.models import ExecutedObsUnit, ExecutionStatus
from tests.factories.datamgmt import SiteFactory
from tests.factories.observatory import InstrumentModuleFactory
from tests.factories.planning import ExecutedObsUnitFactory
from transfer.engine.worker.runner import run_operation
from transfer.managers.base import StageManager
from transfer.models import CircuitBreaker, Operation
from transfer.pipeline import PIPELINE

ROUNDS = 40
_numbers = count(1)


class Flow:
    """Two sites: ``ccat`` with a SOURCE and a BUFFER, ``cologne`` with a BUFFER, an archive and a PROCESSING location."""

    def __init__(self, root: Path, server: S3Server, credentials: tuple[str, str]) -> None:
        self.root = root
        self.server = server
        self.access_key, self.secret_key = credentials
        self.ccat: Site = SiteFactory.create(short_name="ccat")
        self.cologne: Site = SiteFactory.create(short_name="cologne")
        self.source = self.disk(self.ccat, "primecam_raw_data", LocationType.SOURCE)
        self.output_buffer = self.disk(self.ccat, "output_buffer", LocationType.BUFFER)
        self.input_buffer = self.disk(self.cologne, "input_buffer", LocationType.BUFFER)
        self.archive = self.bucket(self.cologne, "long_term_archive")
        self.processing = self.disk(self.cologne, "ramses_processing", LocationType.PROCESSING)
        self.module = InstrumentModuleFactory.create()
        self.managers: dict[str, StageManager[Any]] = {stage.name: stage.load_manager()() for stage in PIPELINE}

    def disk(self, site: Site, name: str, location_type: str, **fields: Any) -> DiskDataLocation:
        """A registered disk location that waits for nothing."""
        location: DiskDataLocation = DiskDataLocation.objects.create(
            site=site,
            name=name,
            location_type=location_type,
            path=str(self.root / f"{site.short_name}_{name}"),
            **{**DEMO_FIELDS, **fields},
        )
        register(location, create=True)
        return location

    def bucket(self, site: Site, name: str, **fields: Any) -> S3DataLocation:
        """A registered archive in a bucket of its own; its credentials are in the environment."""
        location: S3DataLocation = S3DataLocation.objects.create(
            site=site,
            name=name,
            location_type=LocationType.LONG_TERM_ARCHIVE,
            bucket_name=f"flow-{next(_numbers)}-{site.short_name}-{name}".replace("_", "-"),
            endpoint_url=self.server.endpoint_url,
            **{**DEMO_FIELDS, **fields},
        )
        key = location.full_name.upper()
        os.environ[f"CCATDC_S3_{key}_ACCESS_KEY"] = self.access_key
        os.environ[f"CCATDC_S3_{key}_SECRET_KEY"] = self.secret_key
        register(location, create=True)
        return location

    def observe(
        self, files: Mapping[str, bytes], *, finish: bool = True, source: DiskDataLocation | None = None
    ) -> ExecutedObsUnit:
        """One execution whose files are written at SOURCE and filed."""
        execution: ExecutedObsUnit = ExecutedObsUnitFactory.create()
        self.file(execution, files, source=source)
        if finish:
            self.finish(execution)
        return execution

    def file(
        self, execution: ExecutedObsUnit, files: Mapping[str, bytes], *, source: DiskDataLocation | None = None
    ) -> None:
        """Write and file more files of an execution."""
        for path, content in files.items():
            self._file(path, content, source or self.source, executed_obs_unit=execution, instrument_module=self.module)

    def stream(
        self, stream: DataStream, files: Mapping[str, bytes], start: datetime, *, seconds: int = 600
    ) -> list[RawDataFile]:
        """Write and file files of a data stream, one after another from ``start``, each of so many seconds."""
        length = timedelta(seconds=seconds)
        return [
            self._file(
                path,
                content,
                self.source,
                data_stream=stream,
                instrument_module=stream.instrument_module,
                start_time=start + number * length,
                end_time=start + (number + 1) * length - timedelta(seconds=1),
            )
            for number, (path, content) in enumerate(files.items())
        ]

    @staticmethod
    def _file(path: str, content: bytes, source: DiskDataLocation, **fields: Any) -> RawDataFile:
        target = Path(source.path) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        file = RawDataFile.objects.create(
            name=target.name, relative_path=path, size=len(content), source_location=source, **fields
        )
        RawDataFilePhysicalCopy.objects.create(raw_data_file=file, data_location=source, size=len(content))
        return file

    @staticmethod
    def finish(execution: ExecutedObsUnit) -> None:
        """The observation is over."""
        transition(execution, ExecutionStatus.COMPLETED, finished_at=Now(), end_time=execution.start_time)

    def plan(self, *names: str) -> int:
        """One pass of the named managers, or of all."""
        return sum(manager.run_once() for name, manager in self.managers.items() if not names or name in names)

    def run_scheduled(self) -> int:
        """Run every scheduled operation, as workers would; returns how many."""
        scheduled = list(
            Operation.objects.non_polymorphic()
            .filter(status=Status.SCHEDULED)
            .order_by("priority", "pk")
            .values_list("pk", flat=True)
        )
        for pk in scheduled:
            run_operation(pk)
        OrmQ.objects.all().delete()
        return len(scheduled)

    def retry_now(self) -> int:
        """What waits for its next attempt has waited; returns how many operations ran."""
        from transfer.engine.dispatch import dispatch_due

        CircuitBreaker.objects.all().delete()
        Operation.objects.non_polymorphic().filter(status=Status.PENDING).update(run_after=Now())
        dispatch_due()
        return self.run_scheduled()

    def run(self, *names: str) -> None:
        """Plan and work until nothing moves."""
        from transfer.engine.dispatch import dispatch_due

        for _ in range(ROUNDS):
            planned = self.plan(*names)
            dispatch_due()
            if not self.run_scheduled() and not planned:
                return
        raise AssertionError(f"still moving after {ROUNDS} rounds: {self.failures()}")

    @staticmethod
    def failures() -> list[str]:
        """Operations that are not completed, with their errors."""
        return [
            f"{op.operation_type} {op.status} {op.error_code} {op.error_message}"
            for op in Operation.objects.non_polymorphic().exclude(status=Status.COMPLETED)
        ]

    def object_path(self, location: S3DataLocation, key: str) -> Path:
        """Where the S3 server keeps an object."""
        return self.server.root / location.bucket_name / key


DEMO_FIELDS: dict[str, Any] = {"settle_seconds": 0, "bundle_max_age_seconds": 0, "retention_days": 0}


def members_of(tar: Path) -> dict[str, bytes]:
    """Names and contents of a tar, read by Python's own reader."""
    with tarfile.open(tar) as archive:
        found = {}
        for member in archive:
            stream = archive.extractfile(member)
            assert stream is not None, f"{member.name} is no regular file"
            found[member.name] = stream.read()
        return found


def digest_of(path: Path) -> str:
    """BLAKE3 digest of a file."""
    with path.open("rb") as stream:
        return digest_stream(stream)[1]
