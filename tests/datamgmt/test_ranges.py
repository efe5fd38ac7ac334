"""Ranges that the database keeps by itself, whoever writes: every test goes around the models' own ``clean``."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError

from datamgmt.models import DataLocation, RawDataFile, RawDataPackageMetadata, Site
from tests.factories.datamgmt import (
    BufferLocationFactory,
    RawDataFileFactory,
    RawDataPackageMetadataFactory,
    SiteFactory,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "place",
    [
        {"lon_deg": 181.0, "lat_deg": 0.0},
        {"lon_deg": 0.0, "lat_deg": -90.5},
        {"lon_deg": None, "lat_deg": 50.9},
        {"lon_deg": 6.9, "lat_deg": None},
    ],
)
def test_a_site_is_on_earth(place: dict[str, Any]) -> None:
    SiteFactory.create(lon_deg=6.9, lat_deg=50.9)
    with pytest.raises(IntegrityError, match="site_place_on_earth"):
        Site.objects.update(**place)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"warning_pct": -1.0}, "location_thresholds_range"),
        ({"emergency_pct": 101.0}, "location_thresholds_range"),
        ({"retention_days": -1.0}, "location_days_not_negative"),
        ({"evidence_max_age_days": -1.0}, "location_days_not_negative"),
    ],
)
def test_the_thresholds_of_a_location_are_possible(fields: dict[str, Any], constraint: str) -> None:
    BufferLocationFactory.create()
    with pytest.raises(IntegrityError, match=constraint):
        DataLocation.objects.non_polymorphic().update(**fields)


def test_the_type_of_a_file_is_known() -> None:
    RawDataFileFactory.create()
    with pytest.raises(IntegrityError, match="raw_file_type_known"):
        RawDataFile.objects.update(file_type="poem")


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"em_min_m": 0.0}, "metadata_wavelengths"),
        ({"em_max_m": -1.0}, "metadata_wavelengths"),
        ({"em_min_m": 2e-3, "em_max_m": 1e-3}, "metadata_wavelengths"),
        ({"s_fov_deg": 0.0}, "metadata_extent"),
        ({"s_fov_deg": 361.0}, "metadata_extent"),
        ({"t_exptime_s": -1.0}, "metadata_extent"),
    ],
)
def test_what_a_record_overrides_is_possible(fields: dict[str, Any], constraint: str) -> None:
    RawDataPackageMetadataFactory.create()
    with pytest.raises(IntegrityError, match=constraint):
        RawDataPackageMetadata.objects.update(**fields)
