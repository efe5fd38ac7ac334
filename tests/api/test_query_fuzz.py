"""Addresses and query parameters that nobody should send: never a fault of ours."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import ApiClient, client_with
from tests.api.test_access import ALL_PERMISSIONS, ENDPOINTS
from tests.factories.datamgmt import RawDataFileFactory, RawDataPackageFactory
from tests.factories.transfer import StagingJobFactory

pytestmark = pytest.mark.django_db

NASTY = [
    "",
    " ",
    "\x00",
    "ü🔭",
    "-1",
    "0",
    "9" * 40,
    "1e999",
    "1e-999",
    "nan",
    "inf",
    "[]",
    "{}",
    "%",
    "' OR 1=1 --",
    "a" * 5000,
    "2026-02-30",
    "0000-00-00",
    "9999-12-31",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999-23:59",
    "00000000-0000-0000-0000-000000000000",
    "true",
    "١٢",
]
LISTS = [(address, view) for address, method, view in ENDPOINTS if method == "GET"]


@pytest.fixture
def everything_api(db: None) -> ApiClient:
    package = RawDataPackageFactory.create()
    RawDataFileFactory.create(raw_data_package=package)
    StagingJobFactory.create(packages=[package])
    return client_with(*ALL_PERMISSIONS)


@pytest.mark.parametrize(("address", "view"), LISTS, ids=[address for address, _ in LISTS])
def test_no_value_of_a_parameter_is_a_fault(everything_api: ApiClient, address: str, view: Any) -> None:
    filterset = getattr(view, "filterset_class", None)
    names = {"cursor", "page_size", "format", "nonsense", "\x00"}
    names |= set(filterset.base_filters) if filterset else set()
    for number, name in enumerate(sorted(names)):
        # Half of the values for each name: every kind of filter stands in several lists.
        for value in NASTY[(len(address) + number) % 2 :: 2]:
            answer = everything_api.get(address, **{name: value})
            assert answer.status_code in {200, 400, 404}, (name, value, answer.content)


@pytest.mark.parametrize(
    "address",
    [
        "/api/\x00",
        "/api/%00/",
        "/api/instruments/%00/",
        "/api/instruments/" + "a" * 3000 + "/",
        "/api/obs_units/" + "9" * 4000 + "/",
        "/api/obs_units/" + "9" * 5000 + "/",
        "/api/obs_units/١٢/",
        "/api/raw_data_files/%F0%9F%94%AD",
        "/api/../api/",
        "/api//",
        "/api/transfer/operations/0/retry",
        "/api/transfer/operations/99999999999999999999/cancel",
        "/api/staging/jobs/99999999999999999999/",
    ],
)
def test_no_address_is_a_fault(everything_api: ApiClient, address: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
        answer = everything_api.send(method, address, None)
        assert answer.status_code in {400, 403, 404, 405}, (method, answer.content)
