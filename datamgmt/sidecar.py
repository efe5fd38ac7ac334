"""The sidecar: a versioned JSON document beside each archived package, complete enough to rebuild the catalogue from the archive alone.

Written by stage 50 (decision 15). Sizes in bytes, times ISO 8601 UTC, digests ``blake3:<hex>``; a filed checksum as ``algorithm:hex``.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone

from datamgmt.models import RawDataFile, RawDataPackage, RawDataPackageMetadata

SIDECAR_FORMAT = "ccatdc-package-sidecar"
SIDECAR_VERSION = 1


def sidecar_of(package: RawDataPackage, archive: str, object_key: str) -> bytes:
    """The document as UTF-8 JSON."""
    package = RawDataPackage.objects.select_related(
        "executed_obs_unit__obs_unit__observing_program",
        "executed_obs_unit__obs_unit__sub_observing_program",
        "executed_obs_unit__obs_unit__obs_mode",
        "instrument_module__instrument__telescope__observatory",
        "source_location__site",
    ).get(pk=package.pk)
    execution = package.executed_obs_unit
    obs_unit = execution.obs_unit
    module = package.instrument_module
    metadata = RawDataPackageMetadata.objects.filter(raw_data_package=package).first()
    document = {
        "format": SIDECAR_FORMAT,
        "version": SIDECAR_VERSION,
        "written_at": timezone.now(),
        "archive": {"location": archive, "object_key": object_key},
        "package": _columns(package),
        "executed_obs_unit": _columns(execution),
        "obs_unit": _columns(obs_unit),
        "observing_program": _columns(obs_unit.observing_program),
        "sub_observing_program": _columns(obs_unit.sub_observing_program),
        "obs_mode": _columns(obs_unit.obs_mode),
        "source": _columns(obs_unit.source.get_real_instance()),
        "instrument_module": _columns(module),
        "instrument": _columns(module.instrument),
        "telescope": _columns(module.instrument.telescope),
        "observatory": _columns(module.instrument.telescope.observatory),
        "source_location": package.source_location.full_name,
        "metadata": _columns(metadata),
        "files": [
            _file(file)
            for file in RawDataFile.objects.filter(raw_data_package=package).order_by(
                "relative_path"
            )
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, default=_plain).encode() + b"\n"


def _columns(row: models.Model | None) -> dict[str, Any] | None:
    """Every column of a row under its own name: whatever the model gains later is described too."""
    if row is None:
        return None
    return {field.attname: field.value_from_object(row) for field in row._meta.concrete_fields}


def _file(file: RawDataFile) -> dict[str, Any]:
    return {
        "id": file.pk,
        "relative_path": file.relative_path,
        "size": file.size,
        "digest": file.digest,
        "filed_checksum": f"{file.checksum_algorithm}:{file.checksum}" if file.checksum else None,
        "file_type": file.file_type,
        "created_at": file.created_at,
        "registered_at": file.registered_at,
        "description": file.description,
    }


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
