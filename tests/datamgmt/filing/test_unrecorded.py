"""Files at a SOURCE that nobody filed are filed by a person, or because a data stream claims their paths."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import SystemLog
from ccatdc.common.errors import NotFoundError, RequestError
from datamgmt.filing.unrecorded import file_by_rule, file_unrecorded, owner_named
from datamgmt.models import Decision, PhysicalCopy, RawDataFile, UnrecordedFile
from datamgmt.states import Integrity, PhysicalCopyStatus
from observatory.models import DataStream
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import SourceLocationFactory, UnrecordedFileFactory
from tests.factories.observatory import DataStreamFactory, InstrumentFactory, InstrumentModuleFactory
from tests.factories.planning import ExecutedObsUnitFactory

WRITTEN = datetime(2026, 4, 1, 5, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def stream() -> DataStream:
    """Housekeeping, in packages of an hour; what lies below hk/ is its own."""
    made: DataStream = DataStreamFactory.create(name="housekeeping", unrecorded_paths="hk/*.g3")
    return made


def found(key: str = "hk/17/1.g3", **fields: Any) -> UnrecordedFile:
    """Two inventories have seen it; it was last changed at 05:00."""
    location = fields.pop("location", None) or SourceLocationFactory.create()
    file: UnrecordedFile = UnrecordedFileFactory.create(
        location=location, key=key, size=7, **{"modified_at": WRITTEN, **fields}
    )
    return file


def left() -> list[str]:
    return sorted(UnrecordedFile.objects.values_list("key", flat=True))


def name_of(stream: DataStream) -> str:
    module = stream.instrument_module
    return f"{module.instrument.short_name}/{module.short_name}/{stream.name}"


# By rule


def test_what_a_stream_claims_is_filed_with_the_span_before_its_last_change(stream: DataStream) -> None:
    file = found()

    assert file_by_rule() == 1

    filed = RawDataFile.objects.get()
    assert (filed.relative_path, filed.size, filed.name) == ("hk/17/1.g3", 7, "1.g3")
    assert (filed.data_stream, filed.executed_obs_unit) == (stream, None)
    assert (filed.start_time, filed.end_time) == (WRITTEN - timedelta(hours=1), WRITTEN)
    copy = PhysicalCopy.objects.get(raw_data_file=filed)
    assert (copy.data_location_id, copy.status) == (file.location_id, PhysicalCopyStatus.PRESENT)
    assert copy.integrity == Integrity.UNVERIFIED
    assert left() == []
    assert SystemLog.objects.filter(component="unrecorded files").count() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"key": "hk/17/1.txt"},
        {"decision": Decision.KEEP},
        {"error_message": "It could not be filed before."},
        {"seen_at": datetime(2026, 4, 2, tzinfo=UTC), "found_at": datetime(2026, 4, 2, tzinfo=UTC)},
    ],
    ids=["other path", "kept by a person", "tried", "not settled"],
)
def test_what_no_rule_meets_stays(stream: DataStream, fields: dict[str, Any]) -> None:
    file = found(**fields)
    assert file_by_rule() == 0
    assert left() == [file.key]


def test_a_stream_that_is_off_claims_nothing(stream: DataStream) -> None:
    DataStream.objects.update(active=False)
    found()
    assert file_by_rule() == 0


def test_the_disk_of_another_instrument_is_not_its_own(stream: DataStream) -> None:
    other = InstrumentFactory.create(name="CHAI", short_name="CHAI")
    found(location=SourceLocationFactory.create(instrument=other))
    assert file_by_rule() == 0


@pytest.mark.parametrize("moment", [None, datetime(1969, 1, 1, tzinfo=UTC)])
def test_what_has_no_time_waits_for_a_person_and_says_why(stream: DataStream, moment: datetime | None) -> None:
    file = found(modified_at=moment)
    assert (file_by_rule(), file_by_rule()) == (0, 0)
    file.refresh_from_db()
    assert "time" in file.error_message or "1969" in file.error_message or "Nobody knows" in file.error_message
    assert not RawDataFile.objects.exists()


# By hand


def test_a_person_files_as_of_an_execution(stream: DataStream) -> None:
    execution, file = ExecutedObsUnitFactory.create(finished=True), found("run9/c")
    module = stream.instrument_module
    owner = owner_named(f"{module.instrument.short_name}/{module.short_name}/{execution.pk}")

    outcome = file_unrecorded([file], owner, user=UserFactory.create(username="vera"), reason="The client was away.")

    assert outcome.changed == (file.pk,)
    filed = RawDataFile.objects.get()
    assert (filed.executed_obs_unit_id, filed.instrument_module_id) == (execution.pk, module.pk)
    assert filed.created_at == WRITTEN
    assert "The client was away." in SystemLog.objects.get(component="unrecorded files").message


def test_the_same_file_twice_is_filed_once(stream: DataStream) -> None:
    file = found()
    file_by_rule()
    again = found(location=file.location)
    assert file_unrecorded([again], owner_named(name_of(stream))).changed == (again.pk,)
    assert RawDataFile.objects.count() == 1
    assert left() == []


def test_what_contradicts_a_filed_file_is_left_with_the_reason(stream: DataStream) -> None:
    file = found()
    file_by_rule()
    again = found(location=file.location)
    again.size = 8
    outcome = file_unrecorded([again], owner_named(name_of(stream)))
    assert [kept.pk for kept in outcome.kept] == [again.pk]
    assert left() == ["hk/17/1.g3"]


@pytest.mark.parametrize("text", ["", "a/b", "Prime-Cam//x", "nothing of it"])
def test_an_owner_has_three_names(text: str) -> None:
    with pytest.raises(RequestError, match="three names"):
        owner_named(text)


def test_an_owner_exists(stream: DataStream) -> None:
    module = stream.instrument_module
    with pytest.raises(NotFoundError, match="no module"):
        owner_named(f"nobody/{module.short_name}/housekeeping")
    InstrumentModuleFactory.create()
    for last in ("timestreams9", "5b0ea0a5-6d29-4f5c-9d5b-5c8b7a4be0c1"):
        with pytest.raises(NotFoundError, match="no data stream"):
            owner_named(f"{module.instrument.short_name}/{module.short_name}/{last}")
