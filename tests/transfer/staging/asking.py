"""What tests of staging requests share."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from ccatdc.common.errors import RequestError
from datamgmt.models import RawDataPackage
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import ProcessingLocationFactory, RawDataPackageFactory, archive_package
from transfer.models import StagingJob
from transfer.staging.requests import request_staging


def scientist() -> User:
    return UserFactory.create(permissions=["stage:data"])


def archived(**fields: Any) -> RawDataPackage:
    package = RawDataPackageFactory.create(archived=True, **fields)
    archive_package(package)
    return package


def refusal(packages: list[RawDataPackage], location: Any = None) -> RequestError:
    with pytest.raises(RequestError) as refused:
        request_staging(
            scientist(), [package.pk for package in packages], location or ProcessingLocationFactory.create()
        )
    assert not StagingJob.objects.exists()
    return refused.value
