"""Loading benchmarks/history.py into an empty, migrated database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from django.contrib.contenttypes.models import ContentType
from django.db import models

from accounts.models import SystemLog, User
from benchmarks import history_work as work
from benchmarks.history import History, Places
from benchmarks.loading import copy_text, without_indexes
from ccatdc.reference.load.loader import load_reference
from datamgmt.models import (
    DataLocation,
    DataTransferPackage,
    LocationType,
    PhysicalCopy,
    RawDataFile,
    RawDataPackage,
    RawDataPackageMetadata,
    Site,
)
from observatory.models import InstrumentModule
from planning.models import ExecutedObsUnit, FixedSource, ObservingProgram, ObsMode, ObsUnit
from transfer import models as transfer

REFERENCE_DATA = Path(__file__).resolve().parent.parent / "reference_data"
EXECUTIONS_PER_UNIT, UNITS_PER_SOURCE, EXECUTIONS_PER_SLOT = 100, 10, 200
FORMER = "former"
#: Tables that have more rows the more was observed.
GROWING = frozenset(
    [
        "executed_obs_unit",
        "raw_data_package",
        "raw_data_file",
        "data_transfer_package",
        "physical_copy",
        "operation",
        "staging_job",
        "deletion_item",
        "data_transfer_log",
        "long_term_archive_transfer_log",
        "staging_job_log",
        "system_log",
        "raw_data_package_metadata",
        "obs_unit",
        "source",
    ]
)


class Table(NamedTuple):
    """One COPY."""

    template: models.Model
    columns: str
    rows: Iterator[tuple[object, ...]]


def load_history(count: int) -> int:
    """Reference data, and the history of ``count`` executions; returns how many rows that is."""
    load_reference([REFERENCE_DATA])
    history = History(count, _places(count))
    tables = list(_tables(history))
    with without_indexes({table.template._meta.db_table for table in tables}):
        return sum(copy_text(each.template, each.columns.split(), each.rows) for each in tables)


def _places(count: int) -> Places:
    """Everything is in use, so that managers look at all of it."""
    Site.objects.update(active=True)
    DataLocation.objects.non_polymorphic().update(active=True, registered_at="2026-01-01T00:00Z")
    DataLocation.objects.non_polymorphic().filter(name="tape_vault").update(active=False)
    named = {each.full_name: each for each in DataLocation.objects.non_polymorphic().with_site()}
    former = _former_source(named["ccat_primecam_raw_data"])
    modules = list(InstrumentModule.objects.filter(instrument__short_name="prime-cam"))
    units = _units(count)
    return Places(
        units=[unit.pk for unit in units if unit.observing_program.short_name != FORMER],
        former_units=[unit.pk for unit in units if unit.observing_program.short_name == FORMER],
        modules=[module.pk for module in modules[1:]],
        former_module=modules[0].pk,
        source=named["ccat_primecam_raw_data"].pk,
        former_source=former.pk,
        origin_buffer=named["ccat_output_buffer"].pk,
        far_buffer=named["cologne_input_buffer"].pk,
        archives=(named["cologne_long_term_archive"].pk, named["us_lta"].pk),
        processing=named["cologne_ramses_processing"].pk,
        sites=(Site.objects.get(short_name="ccat").pk, Site.objects.get(short_name="cologne").pk),
        users=[User.objects.create(username=f"observer{n}").pk for n in range(5)],
    )


def _former_source(like: Any) -> Any:
    from datamgmt.models import DiskDataLocation

    return DiskDataLocation.objects.create(
        site=like.site, name="first_light_raw_data", location_type=LocationType.SOURCE,
        path="/data/first_light", registered_at=like.registered_at,
    )  # fmt: skip


def _units(count: int) -> Sequence[ObsUnit]:
    """Obs units and sources in proportion; a twentieth of a program that is over."""
    mode = ObsMode.objects.select_related("instrument").get(name="daisy")
    assert mode.instrument is not None  # noqa: S101 - daisy is a mode of Prime-Cam
    former = ObservingProgram.objects.create(short_name=FORMER, name="First light")
    programs = [former, *ObservingProgram.objects.exclude(pk=former.pk)]
    number = max(2 * len(programs), count // EXECUTIONS_PER_UNIT)
    sources = [
        FixedSource.objects.create(name=f"Field {n}", ra_deg=n * 0.03 % 360, dec_deg=n * 0.01 % 80)
        for n in range(max(2, number // UNITS_PER_SOURCE))
    ]
    return ObsUnit.objects.bulk_create(
        ObsUnit(
            observing_program=former if n % 20 == 0 else programs[1 + n % (len(programs) - 1)],
            name=f"Field {n // UNITS_PER_SOURCE} part {n}", source=sources[n % len(sources)],
            obs_mode=mode, telescope_id=mode.instrument.telescope_id,
            obs_unit_type="prime_cam_obs_unit", planned_duration_s=240,
        )
        for n in range(number)
    )  # fmt: skip


def _tables(rows: History) -> Iterator[Table]:
    """In the order of their foreign keys."""
    operation = transfer.Operation
    yield Table(
        ExecutedObsUnit(),
        "id obs_unit_id status start_time end_time finished_at quality operator_id created_at updated_at",
        rows.executions(),
    )
    yield Table(
        RawDataPackage(),
        "id name executed_obs_unit_id instrument_module_id source_location_id status state size"
        " digest file_count is_late created_at finalized_at archived_at",
        rows.packages(),
    )
    yield Table(
        RawDataFile(),
        "id name relative_path size digest executed_obs_unit_id instrument_module_id"
        " raw_data_package_id source_location_id file_type registered_at",
        rows.files(),
    )
    yield Table(
        DataTransferPackage(),
        "id name status origin_location_id destination_site_id final_site_id size created_at completed_at",
        rows.bundles(),
    )
    yield Table(
        DataTransferPackage.raw_data_packages.through(),
        "datatransferpackage_id rawdatapackage_id",
        rows.bundle_members(),
    )
    copies = {kind._meta.model_name: kind for kind in PhysicalCopy.__subclasses__()}
    types = {name: (_type_of(kind), kind.TYPE) for name, kind in copies.items()}
    yield Table(
        PhysicalCopy(),
        "id polymorphic_ctype_id type data_location_id raw_data_file_id raw_data_package_id"
        " data_transfer_package_id status integrity key size digest verified_at created_at"
        " deleted_at",
        ((key, *types[str(kind)], *rest) for key, kind, *rest in work.copies(rows)),
    )
    kinds = {kind._meta.model_name: _type_of(kind) for kind in operation.__subclasses__()}
    yield Table(
        operation(),
        "id polymorphic_ctype_id operation_type subject location_id status attempts error_code"
        " error_message problems created_at started_at finished_at",
        ((key, kinds[str(kind)], *rest) for key, kind, *rest in work.operations(rows)),
    )
    yield from _kinds(rows)
    yield from _stories(rows)


def _kinds(rows: History) -> Iterator[Table]:
    """The tables of the kinds of work."""
    yield Table(
        transfer.RawDataPackageCreation(),
        "operation_ptr_id raw_data_package_id destination_location_id",
        work.creations(rows),
    )
    yield Table(
        transfer.LongTermArchiveTransfer(),
        "operation_ptr_id raw_data_package_id origin_location_id destination_location_id object_key sidecar_key",
        work.archivings(rows),
    )
    yield Table(
        transfer.DataTransferPackageCreation(), "operation_ptr_id data_transfer_package_id", work.bundle_creations(rows)
    )
    yield Table(
        transfer.DataTransfer(),
        "operation_ptr_id data_transfer_package_id origin_location_id destination_location_id unpack_status",
        work.transfers(rows),
    )
    yield Table(transfer.DataTransferUnpacking(), "operation_ptr_id data_transfer_id", work.unpackings(rows))
    yield Table(transfer.Deletion(), "operation_ptr_id", work.deletions(rows))
    yield Table(
        transfer.StagingJob(),
        "id name requested_by_id destination_location_id status total_bytes created_at finished_at expires_at",
        work.jobs(rows),
    )
    yield Table(
        transfer.StagingJob.raw_data_packages.through(), "stagingjob_id rawdatapackage_id", work.job_members(rows)
    )
    yield Table(
        transfer.Staging(),
        "operation_ptr_id staging_job_id raw_data_package_id origin_location_id",
        work.stagings(rows),
    )


def _stories(rows: History) -> Iterator[Table]:
    """Logs, proofs, the audit log, metadata."""
    yield Table(transfer.DeletionItem(), "id deletion_id physical_copy_id outcome", work.deletion_items(rows))
    log = "timestamp status message "
    yield Table(transfer.DataTransferLog(), f"{log} data_transfer_id", work.transfer_logs(rows))
    yield Table(
        transfer.LongTermArchiveTransferLog(), f"{log} long_term_archive_transfer_id", work.archiving_logs(rows)
    )
    yield Table(transfer.StagingJobLog(), f"{log} staging_job_id raw_data_package_id", work.job_logs(rows))
    yield Table(SystemLog(), "timestamp level component user_id message object_type object_id", work.audit_log(rows))
    yield Table(RawDataPackageMetadata(), "raw_data_package_id t_exptime_s created_at updated_at", work.metadata(rows))


def _type_of(model: type[models.Model]) -> int:
    kinds = ContentType.objects
    return int(kinds.get_for_model(model, for_concrete_model=False).pk)
