"""The sidecar: a versioned JSON document beside each archived package, complete enough to rebuild the catalogue from
the archive alone.

Written by stage 50 (decision 15). It holds the package, its files, and every row of the operations database that these
rest on; of a package of products the run that made them with the ids of its inputs, its software, and the products:
each column under its own name, and under ``related`` by table what is referred to beyond the main rows. Left
out are people, tokens and places: they are not the archive's to remember, and the rebuilt catalogue has its own. Sizes
in bytes, times ISO 8601 UTC, digests ``blake3:<hex>``; a filed checksum as ``algorithm:hex``. The last entry,
``digest``, is that of the document without it: a damaged sidecar shows, whatever the catalogue says by then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, Final

from django.db import models
from django.utils import timezone

from datamgmt.checksums import digest_of
from datamgmt.models import (
    DataProduct,
    ProcessingRun,
    RawDataFile,
    RawDataPackage,
    RawDataPackageMetadata,
    ReductionSoftware,
    ReductionSoftwareVersion,
)
from observatory.models import DataStream
from planning.models import ExecutedObsUnit

SIDECAR_FORMAT: Final = "ccatdc-package-sidecar"
SIDECAR_VERSION: Final = 1

#: Apps whose rows are remembered where others refer to them, and further tables.
REMEMBERED: Final = ("observatory", "planning")
REMEMBERED_TABLES: Final = tuple(
    model._meta.db_table for model in (DataProduct, ProcessingRun, ReductionSoftware, ReductionSoftwareVersion)
)
#: Relations to rows of other sidecars: their keys are written down, and linked when all sidecars are read.
LINKED_LATER: Final = ("input_packages", "input_observations", "input_products", "superseded_by")
#: Rows that belong to another one as its parts, by the name under which that one knows them.
PARTS: Final = ("observation_configuration", "inpar_parameters", "azimuth_ranges")


def sidecar_of(package: RawDataPackage, archive: str, object_key: str) -> bytes:
    """The document as UTF-8 JSON."""
    package = RawDataPackage.objects.select_related(
        "executed_obs_unit__obs_unit__observing_program",
        "executed_obs_unit__obs_unit__sub_observing_program",
        "executed_obs_unit__obs_unit__obs_mode",
        "data_stream",
        "processing_run",
        "instrument_module__instrument__telescope__observatory",
        "source_location__site",
    ).get(pk=package.pk)
    module = package.instrument_module
    rows: dict[str, models.Model | None] = {
        "package": package,
        **_observation(package.executed_obs_unit),
        "data_stream": package.data_stream,
        "processing_run": package.processing_run,
        "instrument_module": module,
        "instrument": module.instrument,
        "telescope": module.instrument.telescope,
        "observatory": module.instrument.telescope.observatory,
        "metadata": RawDataPackageMetadata.objects.filter(raw_data_package=package).first(),
    }
    files = RawDataFile.objects.filter(raw_data_package=package).order_by("relative_path")
    named: list[models.Model] = [
        *DataStream.objects.filter(pk__in=files.order_by().values("data_stream")),
        *DataProduct.objects.filter(pk__in=files.order_by().values("data_product")).order_by("pk"),
    ]
    document = {
        "format": SIDECAR_FORMAT,
        "version": SIDECAR_VERSION,
        "written_at": timezone.now(),
        "archive": {"location": archive, "object_key": object_key},
        **{name: _columns(row) if row is not None else None for name, row in rows.items()},
        "source_location": package.source_location.full_name,
        "related": _related([row for row in rows.values() if row is not None], named),
        "files": [_file(file) for file in files],
    }
    # As it is read again: times and ids are text.
    read_back: dict[str, Any] = json.loads(_written(document))
    return _written({**read_back, "digest": digest_of(_written(read_back))})


def _observation(execution: ExecutedObsUnit | None) -> dict[str, models.Model | None]:
    """What was observed; a package of a data stream has nothing of it."""
    obs_unit = execution.obs_unit if execution is not None else None
    source = obs_unit.source if obs_unit is not None else None
    return {
        "executed_obs_unit": execution,
        "obs_unit": obs_unit,
        "observing_program": obs_unit.observing_program if obs_unit is not None else None,
        "sub_observing_program": obs_unit.sub_observing_program if obs_unit is not None else None,
        "obs_mode": obs_unit.obs_mode if obs_unit is not None else None,
        "source": _real(source) if source is not None else None,
    }


def package_id_of(document: bytes) -> str | None:
    """The id of the package of a sidecar; None for one that is damaged."""
    try:
        content = json.loads(document)
        digest = content.pop("digest")
        return content["package"]["id"] if digest == digest_of(_written(content)) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _written(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=1, ensure_ascii=False, default=_plain).encode() + b"\n"


def _columns(row: models.Model) -> dict[str, Any]:
    """Every column under its own name, with the ids of many-to-many relations: whatever the model gains later is
    described too.
    """
    columns = {field.attname: field.value_from_object(row) for field in row._meta.concrete_fields}
    for field in row._meta.many_to_many:
        columns[field.name] = sorted(getattr(row, field.name).values_list("pk", flat=True))
    return columns


def _related(rows: Iterable[models.Model], named: Iterable[models.Model]) -> dict[str, list[dict[str, Any]]]:
    """What these rows refer to, directly or not, by table; and what the files name beyond them."""
    todo = list(rows)
    seen = {_identity(row) for row in todo}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in named:
        if _identity(row) not in seen:
            seen.add(_identity(row))
            todo.append(row)
            found.setdefault(row._meta.db_table, []).append(_columns(row))
    while todo:
        for row in _referred_to(todo.pop()):
            if _identity(row) not in seen:
                seen.add(_identity(row))
                todo.append(row)
                found.setdefault(row._meta.db_table, []).append(_columns(row))
    return dict(sorted(found.items()))


def _referred_to(row: models.Model) -> Iterator[models.Model]:
    """The rows to which one row refers, and its parts."""
    for field in (*row._meta.concrete_fields, *row._meta.many_to_many):
        target = field.related_model
        if (
            target is None
            or isinstance(target, str)
            or not is_remembered(target)
            or field.name in LINKED_LATER
            or getattr(field.remote_field, "parent_link", False)
        ):
            continue
        value = getattr(row, field.name)
        yield from _rows(value)
    for name in PARTS:
        yield from _rows(getattr(row, name, None))


def is_remembered(model: type[models.Model]) -> bool:
    """Whether rows of this table stand in a sidecar whose rows refer to them."""
    return model._meta.app_label in REMEMBERED or model._meta.db_table in REMEMBERED_TABLES


def _rows(value: Any) -> Iterator[models.Model]:
    """What a relation leads to: nothing, a row, or several."""
    if isinstance(value, models.Model):
        yield _real(value)
    elif value is not None:
        yield from (_real(row) for row in value.all())


def _real(row: models.Model) -> models.Model:
    """A polymorphic row as its own kind."""
    get_real_instance = getattr(row, "get_real_instance", None)
    real: models.Model = row if get_real_instance is None else get_real_instance()
    return real


def _identity(row: models.Model) -> tuple[str, Any]:
    return row._meta.label, row.pk


def _file(file: RawDataFile) -> dict[str, Any]:
    return {
        "id": file.pk,
        "relative_path": file.relative_path,
        "size": file.size,
        "digest": file.digest,
        "filed_checksum": f"{file.checksum_algorithm}:{file.checksum}" if file.checksum else None,
        "data_stream_id": file.data_stream_id,
        "data_product_id": file.data_product_id,
        "start_time": file.start_time,
        "end_time": file.end_time,
        "file_type": file.file_type,
        "created_at": file.created_at,
        "registered_at": file.registered_at,
        "description": file.description,
        "quality": file.quality,
        "quality_comment": file.quality_comment,
    }


def _plain(value: Any) -> str:
    """Times in ISO 8601; ids and decimals as text."""
    return value.isoformat() if isinstance(value, date) else str(value)
