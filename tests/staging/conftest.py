"""A scientist, and archived packages to choose from."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from datamgmt.models import RawDataPackage
from tests.factories.accounts import RoleFactory
from tests.factories.datamgmt import ProcessingLocationFactory, RawDataPackageFactory, archive_package
from tests.portal.conftest import logged_in, person


def member() -> User:
    """Somebody with the role of a viewer, not of the staff, who sees all programs: whose data it is, is tested elsewhere
    (tests/accounts).
    """
    user = person("viewer", staff=False)
    user.roles.add(RoleFactory.create(name="oversight", permissions=["read:all_programs"]))
    return user


@pytest.fixture
def scientist(db: None) -> User:
    """A scientist."""
    return member()


@pytest.fixture
def client(scientist: User) -> Client:
    """The scientist's browser."""
    return logged_in(scientist)


def archived(name: str, size: int = 1000, **more: object) -> RawDataPackage:
    """A package with a good archive copy."""
    package: RawDataPackage = RawDataPackageFactory.create(name=name, size=size, archived=True, **more)
    archive_package(package)
    return package


@pytest.fixture
def two_packages(db: None) -> list[RawDataPackage]:
    """Of 1.5 and 2.5 GB, and a place for them."""
    ProcessingLocationFactory.create(used_bytes=10**12, capacity_bytes=10**13, critical_pct=85)
    return [archived("orion_a", 15 * 10**8), archived("orion_b", 25 * 10**8)]
