"""Copies that need attention are checked again when a person says so."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import SystemLog
from ccatdc.common.errors import ConflictError
from datamgmt.copies.needs_attention import check_again
from datamgmt.models import PhysicalCopy, RawDataFile
from datamgmt.states import Integrity, PhysicalCopyStatus
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import RawDataFileFactory, RawDataFilePhysicalCopyFactory
from tests.factories.planning import ExecutedObsUnitFactory

pytestmark = pytest.mark.django_db


def copies(*wanted: PhysicalCopy) -> Any:
    return PhysicalCopy.objects.non_polymorphic().filter(pk__in=[copy.pk for copy in wanted])


def needing_attention(integrity: str, **more: Any) -> PhysicalCopy:
    file = RawDataFileFactory.create(executed_obs_unit=ExecutedObsUnitFactory.create(finished=True))
    copy: PhysicalCopy = RawDataFilePhysicalCopyFactory.create(
        raw_data_file=file, integrity=integrity, error_code="source.missing", error_message="It is not there.", **more
    )
    return copy


def test_a_file_that_was_set_aside_is_packaged_again() -> None:
    copy = needing_attention(Integrity.MISSING)
    ready = RawDataFile.objects.unpackaged().of_finished_executions().usable()
    assert not ready.exists()

    assert check_again(copies(copy), UserFactory.create()) == 1

    assert ready.get() == copy.raw_data_file
    assert not RawDataFile.objects.set_aside().exists()


def test_what_was_said_against_a_copy_stays_in_the_diary() -> None:
    user = UserFactory.create()
    copy = needing_attention(Integrity.DAMAGED)

    check_again(copies(copy), user)

    line = SystemLog.objects.get()
    assert line.user == user
    assert "which was damaged" in line.message
    assert line.context == {"code": "source.missing", "said": "It is not there."}
    assert line.object_id == str(copy.pk)


def test_copies_that_are_well_or_gone_are_left_alone() -> None:
    well = needing_attention(Integrity.OK)
    gone = needing_attention(Integrity.MISSING, status=PhysicalCopyStatus.DELETED)
    suspect = needing_attention(Integrity.SUSPECT)

    assert check_again(copies(well, gone, suspect), UserFactory.create()) == 1

    assert PhysicalCopy.objects.get(pk=well.pk).integrity == Integrity.OK
    assert PhysicalCopy.objects.get(pk=gone.pk).integrity == Integrity.MISSING
    assert PhysicalCopy.objects.get(pk=suspect.pk).integrity == Integrity.UNVERIFIED


def test_nothing_in_trouble_is_an_error_that_says_so() -> None:
    with pytest.raises(ConflictError) as raised:
        check_again(copies(needing_attention(Integrity.OK)), UserFactory.create())

    assert raised.value.code == "copy.needs_no_attention"
    assert not SystemLog.objects.exists()
