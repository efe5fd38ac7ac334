"""An observation of four files, archived on a real disk, and who may download it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from datamgmt.checksums import digest_of
from datamgmt.models import DataLocation, DiskDataLocation, LocationType, RawDataPackage
from datamgmt.packaging.tarballs import Member, write_tar
from datamgmt.storage import storage_for
from datamgmt.storage.registration import register
from planning.models import ExecutedObsUnit
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.factories.datamgmt import (
    RawDataFileFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    SiteFactory,
)
from tests.factories.planning import ExecutedObsUnitFactory
from tests.transfer.downloads.asking import Caller

FILES = {"run1/b.dat": b"second " * 100_000, "run1/a": b"first", "run1/ü -x": b"", "run1/" + "n" * 120: b"long name"}
Archive = Callable[..., ExecutedObsUnit]


@pytest.fixture
def place(db: None, tmp_path: Path) -> Callable[[str], DiskDataLocation]:
    """Makes an archive on a disk."""

    def make(name: str) -> DiskDataLocation:
        location: DiskDataLocation = DiskDataLocation.objects.create(
            site=SiteFactory.create(short_name="cologne"),
            name=name,
            location_type=LocationType.LONG_TERM_ARCHIVE,
            path=str(tmp_path / name),
        )
        register(location, create=True)
        return location

    return make


@pytest.fixture
def archived(place: Callable[[str], DiskDataLocation]) -> Archive:
    """Files become an observation with one package, at these locations or a new one."""

    def make(
        files: Mapping[str, bytes], *, at: Sequence[DataLocation] = (), order: Callable[[Any], Any] = sorted
    ) -> ExecutedObsUnit:
        row: ExecutedObsUnit = ExecutedObsUnitFactory.create(finished=True)
        package: RawDataPackage = RawDataPackageFactory.create(executed_obs_unit=row, archived=True)
        for name, content in files.items():
            RawDataFileFactory.create(
                executed_obs_unit=row,
                raw_data_package=package,
                relative_path=name,
                size=len(content),
                digest=digest_of(content),
            )
        for number, location in enumerate(at or [place("archive")]):
            key = f"{package.pk}.{number}-1.tar"
            members = [Member(name, len(files[name]), partial(io.BytesIO, files[name])) for name in order(files)]
            with storage_for(location).writer(key, f"{number}-1") as out:
                written = write_tar(members, out)
            RawDataPackage.objects.filter(pk=package.pk).update(size=written.size, digest=written.digest)
            package.refresh_from_db()
            RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, data_location=location, key=key)
        return row

    return make


@pytest.fixture
def observed(archived: Archive) -> ExecutedObsUnit:
    """The observation."""
    return archived(FILES)


@pytest.fixture
def scientist(db: None) -> User:
    """Somebody who may stage, and sees all programs."""
    user: User = UserFactory.create(
        username="scientist", permissions=["read:observations", "stage:data", "read:all_programs"]
    )
    return user


@pytest.fixture
def caller(scientist: User) -> Caller:
    """Their program, with a token."""
    token = ApiTokenFactory.create(user=scientist, scopes=["stage:data", "read:observations"])
    return Caller(token.secret)  # type: ignore[attr-defined]
