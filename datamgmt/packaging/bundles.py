"""The manifest of a bundle: which packages travel, with size and BLAKE3 of each. Written by stage 20, moved by stage 30."""

from __future__ import annotations

import json
from collections.abc import Sequence

from datamgmt.models import DataTransferPackage, RawDataPackage

MANIFEST_FORMAT = "ccatdc-bundle-manifest"
MANIFEST_VERSION = 1


def manifest_of(bundle: DataTransferPackage, packages: Sequence[RawDataPackage]) -> bytes:
    """The manifest as UTF-8 JSON, the same bytes for the same bundle; sizes in bytes."""
    document = {
        "format": MANIFEST_FORMAT,
        "version": MANIFEST_VERSION,
        "bundle": bundle.name,
        "destination_site": bundle.destination_site.short_name,
        "final_site": bundle.final_site.short_name,
        "packages": [
            {"id": str(package.pk), "name": package.name, "size": package.size, "digest": package.digest}
            for package in packages
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
