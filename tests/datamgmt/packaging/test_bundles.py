"""The manifest of a bundle: which packages travel, with size and digest of each."""

from __future__ import annotations

import json

import pytest

from datamgmt.packaging.bundles import MANIFEST_FORMAT, MANIFEST_VERSION, manifest_of
from tests.factories.datamgmt import DIGEST, DataTransferPackageFactory, RawDataPackageFactory, SiteFactory

pytestmark = pytest.mark.django_db


def test_a_manifest_names_the_hop_and_every_package() -> None:
    packages = [RawDataPackageFactory.create(built=True, name=name) for name in ("b", "a")]
    bundle = DataTransferPackageFactory.create(
        name="ccat_hub_1",
        packages=packages,
        destination_site=SiteFactory.create(short_name="hub"),
        final_site=SiteFactory.create(short_name="cologne"),
    )
    assert json.loads(manifest_of(bundle, packages)) == {
        "format": MANIFEST_FORMAT,
        "version": MANIFEST_VERSION,
        "bundle": "ccat_hub_1",
        "destination_site": "hub",
        "final_site": "cologne",
        "packages": [
            {"id": str(packages[0].pk), "name": "b", "size": 10_240, "digest": DIGEST},
            {"id": str(packages[1].pk), "name": "a", "size": 10_240, "digest": DIGEST},
        ],
    }
    assert (MANIFEST_FORMAT, MANIFEST_VERSION) == ("ccatdc-bundle-manifest", 1)


def test_the_same_bundle_has_the_same_manifest_byte_for_byte() -> None:
    packages = [RawDataPackageFactory.create(built=True) for _ in range(3)]
    bundle = DataTransferPackageFactory.create(packages=packages)
    again = type(bundle).objects.get(pk=bundle.pk)
    manifest = manifest_of(bundle, packages)
    assert manifest == manifest_of(again, list(packages))
    assert manifest.endswith(b"}\n")


def test_another_size_or_digest_is_another_manifest() -> None:
    package = RawDataPackageFactory.create(built=True)
    bundle = DataTransferPackageFactory.create(packages=[package])
    before = manifest_of(bundle, [package])
    package.size = 10_241
    changed = manifest_of(bundle, [package])
    package.size = 10_240
    package.digest = "blake3:" + "00" * 32
    assert len({before, changed, manifest_of(bundle, [package])}) == 3
