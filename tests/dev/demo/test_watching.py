"""How far a night is: the questions that decide when the demo goes on."""

from __future__ import annotations

import pytest

from ccatdc.common.states import Status
from ccatdc.dev.demo.watching import look, night_state, obstacles
from datamgmt.models import PhysicalCopy, RawDataPackage
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus
from planning.models import ExecutedObsUnit
from tests.factories.datamgmt import (
    BufferLocationFactory,
    RawDataFileFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
)
from tests.factories.planning import ExecutedObsUnitFactory
from tests.factories.transfer import RawDataPackageCreationFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def execution() -> ExecutedObsUnit:
    return ExecutedObsUnitFactory.create()


@pytest.fixture
def package(execution: ExecutedObsUnit) -> RawDataPackage:
    """A package of one file; file at SOURCE, tar in the BUFFER."""
    made = RawDataPackageFactory.create(executed_obs_unit=execution)
    file = RawDataFileFactory.create(executed_obs_unit=execution, raw_data_package=made)
    RawDataFilePhysicalCopyFactory.create(raw_data_file=file)
    RawDataPackagePhysicalCopyFactory.create(raw_data_package=made, data_location=BufferLocationFactory.create())
    return made


def test_a_night_is_archived_when_every_package_is(execution: ExecutedObsUnit, package: RawDataPackage) -> None:
    assert not night_state([execution.pk], None).all_archived

    RawDataPackage.objects.update(state=PackageState.ARCHIVED)

    assert night_state([execution.pk], None).all_archived


def test_a_file_in_no_package_keeps_the_night_open(execution: ExecutedObsUnit, package: RawDataPackage) -> None:
    RawDataPackage.objects.update(state=PackageState.ARCHIVED)
    RawDataFileFactory.create(executed_obs_unit=execution, raw_data_package=None, relative_path="late")

    state = night_state([execution.pk], None)

    assert not state.all_archived
    assert str(state) == "1 of 2 files packaged, 1 of 1 packages archived"


def test_a_night_without_packages_is_not_archived(execution: ExecutedObsUnit) -> None:
    assert not night_state([execution.pk], None).all_archived


def test_copies_at_source_and_buffer_are_left_until_they_are_deleted(
    execution: ExecutedObsUnit, package: RawDataPackage
) -> None:
    assert night_state([execution.pk], None).left == 2

    PhysicalCopy.objects.non_polymorphic().update(status=PhysicalCopyStatus.DELETED)

    assert night_state([execution.pk], None).left == 0


def test_other_executions_do_not_count(package: RawDataPackage) -> None:
    other = ExecutedObsUnitFactory.create()

    state = night_state([other.pk], None)

    assert (state.files, state.packages, state.left) == (0, 0, 0)


def test_trouble_is_seen(execution: ExecutedObsUnit, package: RawDataPackage) -> None:
    RawDataPackage.objects.update(state=PackageState.FAILED)
    PhysicalCopy.objects.non_polymorphic().filter(raw_data_file__isnull=False).update(integrity=Integrity.MISSING)

    state = night_state([execution.pk], None)

    assert (state.failed, state.set_aside) == (1, 1)


def test_what_waits_is_named_with_its_reason(package: RawDataPackage) -> None:

    operation = RawDataPackageCreationFactory.create(raw_data_package=package)

    (line,) = obstacles()

    assert line == (f"{operation} at {operation.location} is pending. No worker runs for {operation.location}.")


def test_the_tables_count_work_and_copies(package: RawDataPackage) -> None:

    RawDataPackageCreationFactory.create(raw_data_package=package, status=Status.FAILED)

    (_, stages), (_, places) = look()

    assert [row[0] for row in stages if row[4] != "0"] == ["package"]
    held = {row[0]: row[2] for row in places}
    assert held["ccat_output_buffer"] == "1"
