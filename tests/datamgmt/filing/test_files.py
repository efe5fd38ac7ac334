"""Step 0, files: each is filed once with its copy at SOURCE, or refused with a reason."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from ccatdc.common.errors import NotAllowedError
from datamgmt.filing.executions import FileReport, Registered, register_files
from datamgmt.filing.reports import FilingConflictError, FilingError
from datamgmt.models import PhysicalCopy, RawDataFile, RawDataFilePhysicalCopy
from tests.datamgmt.reports import file_report, foreign_token
from tests.factories.accounts import ApiTokenFactory
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    BufferLocationFactory,
    RawDataFileFactory,
    RawDataPackageFactory,
    SiteFactory,
    SourceLocationFactory,
)
from tests.factories.observatory import InstrumentFactory, InstrumentModuleFactory
from tests.factories.planning import END, START, ExecutedObsUnitFactory, ObsModeFactory, ObsUnitFactory

pytestmark = pytest.mark.django_db


class TestFiles:
    def test_a_file_has_a_copy_present_and_unverified_at_source(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        report = file_report(
            execution,
            checksum="ab" * 32,
            checksum_algorithm="sha256",
            file_type="detector_timestream",
            created_at=START,
            description="first light",
        )

        assert register_files([report]) == Registered(created=1, unchanged=0)

        file = RawDataFile.objects.get(pk=report.id)
        assert file.relative_path == report.relative_path
        assert file.name == report.name
        assert (file.checksum, file.checksum_algorithm) == ("ab" * 32, "sha256")
        assert (file.file_type, file.description) == ("detector_timestream", "first light")
        assert file.created_at == START
        assert file.digest == ""
        assert file.raw_data_package is None
        assert file.executed_obs_unit == execution
        copy = PhysicalCopy.objects.get()
        assert isinstance(copy, RawDataFilePhysicalCopy), "bulk rows know their kind"
        assert copy.raw_data_file == file
        assert copy.data_location.full_name == "ccat_primecam_raw_data"
        assert (copy.status, copy.integrity) == ("present", "unverified")
        assert copy.size == 1000
        assert copy.verified_at is None

    def test_an_empty_file_and_the_largest_possible_are_filed(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        register_files([file_report(execution, size=size) for size in (0, 2**63 - 1)])
        assert set(RawDataFile.objects.values_list("size", flat=True)) == {0, 2**63 - 1}

    def test_the_module_may_be_named_by_its_id(self) -> None:
        module = InstrumentModuleFactory.create(short_name="eor")
        report = file_report(ExecutedObsUnitFactory.create(), instrument_module=module.pk)
        register_files([report])
        assert RawDataFile.objects.get().instrument_module == module

    def test_the_same_files_again_change_nothing(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        reports = [file_report(execution) for _ in range(3)]
        register_files(reports)
        before = list(RawDataFile.objects.values())

        assert register_files(reports) == Registered(created=0, unchanged=3)

        assert list(RawDataFile.objects.values()) == before
        assert PhysicalCopy.objects.count() == 3

    def test_a_call_with_old_and_new_files_makes_the_new_ones(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        old, new = file_report(execution), file_report(execution)
        register_files([old])
        assert register_files([new, old]) == Registered(created=1, unchanged=1)
        assert PhysicalCopy.objects.count() == 2

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("size", 1001),
            ("relative_path", "elsewhere/a.g3"),
            ("name", "other.g3"),
            ("file_type", "log"),
            ("description", "x"),
        ],
    )
    def test_another_file_under_the_same_uuid_says_what_differs(self, field: str, value: Any) -> None:
        execution = ExecutedObsUnitFactory.create()
        first = file_report(execution, relative_path="a/b.g3")
        register_files([first])
        changed = {"relative_path": "a/b.g3", "name": "b.g3", field: value}

        with pytest.raises(FilingConflictError) as refused:
            register_files([file_report(execution), file_report(execution, id=first.id, **changed)])

        (error,) = refused.value.extra["errors"]
        assert error["index"] == 1
        assert field in error["differences"]
        assert error["differences"][field]["sent"] == value
        assert RawDataFile.objects.count() == 1, "all or nothing"

    def test_what_does_not_change_the_data_is_no_conflict(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        first = file_report(execution, relative_path="a/b.g3", created_at=START)
        register_files([first])
        checksum = {"checksum": "0" * 64, "checksum_algorithm": "sha256"}

        touched = file_report(execution, id=first.id, relative_path="a/b.g3", created_at=END)
        with_checksum = file_report(execution, id=first.id, relative_path="a/b.g3", created_at=START, **checksum)
        assert register_files([touched]) == Registered(created=0, unchanged=1)
        assert register_files([with_checksum]) == Registered(created=0, unchanged=1)
        assert register_files([first]) == Registered(created=0, unchanged=1)

        stored = RawDataFile.objects.get()
        assert stored.created_at == START, "as it was filed first"
        assert stored.checksum == "0" * 64, "to be checked when it is packaged"
        other = file_report(execution, id=first.id, relative_path="a/b.g3", **{**checksum, "checksum": "1" * 64})
        with pytest.raises(FilingConflictError):
            register_files([other])

    def test_a_checksum_that_comes_after_packaging_changes_nothing(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        first = file_report(execution, relative_path="a/b.g3")
        register_files([first])
        RawDataFile.objects.update(raw_data_package=RawDataPackageFactory.create(executed_obs_unit=execution))
        again = file_report(
            execution, id=first.id, relative_path="a/b.g3", checksum="0" * 64, checksum_algorithm="sha256"
        )
        assert register_files([again]) == Registered(created=0, unchanged=1)
        assert RawDataFile.objects.get().checksum == ""

    def test_the_same_file_for_another_execution_differs(self) -> None:
        first = file_report(ExecutedObsUnitFactory.create(), relative_path="a/b.g3")
        register_files([first])
        other = ExecutedObsUnitFactory.create()
        with pytest.raises(FilingConflictError) as refused:
            register_files([file_report(other, id=first.id, relative_path="a/b.g3")])
        assert list(refused.value.extra["errors"][0]["differences"]) == ["executed_obs_unit"]

    def test_a_path_that_is_taken_names_the_file_that_has_it(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        first = file_report(execution, relative_path="a/b.g3")
        register_files([first])

        with pytest.raises(FilingConflictError) as refused:
            register_files([file_report(execution, relative_path="a/b.g3")])

        (error,) = refused.value.extra["errors"]
        assert error["code"] == "filing.path_taken"
        assert error["existing"] == first.id

    def test_the_same_path_at_another_location_is_another_file(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        SourceLocationFactory.create(name="chai_raw_data")
        register_files([file_report(execution, relative_path="a/b.g3")])
        register_files([file_report(execution, relative_path="a/b.g3", source_location="ccat_chai_raw_data")])
        assert RawDataFile.objects.filter(relative_path="a/b.g3").count() == 2

    def test_rows_of_one_call_may_not_name_an_id_or_a_path_twice(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        first = file_report(execution, relative_path="a")
        same_id = file_report(execution, id=first.id, relative_path="b")
        same_path = file_report(execution, relative_path="a")

        with pytest.raises(FilingError) as refused:
            register_files([first, same_id, same_path])

        errors = [(e["index"], e["field"], e["code"]) for e in refused.value.extra["errors"]]
        assert errors == [(1, "id", "twice"), (2, "relative_path", "twice")]
        assert not RawDataFile.objects.exists()

    @pytest.mark.parametrize(
        ("change", "field", "code"),
        [
            ({"executed_obs_unit": UUID(int=7)}, "executed_obs_unit", "does_not_exist"),
            ({"module": "nothing"}, "module", "does_not_exist"),
            ({"instrument_module": 2**62}, "module", "does_not_exist"),
            ({"source_location": "ccat_nowhere"}, "source_location", "does_not_exist"),
            ({"source_location": "ccat_output_buffer"}, "source_location", "not_a_source"),
            ({"source_location": "cologne_long_term_archive"}, "source_location", "not_a_source"),
            ({"source_location": "ccat_chai_raw_data"}, "source_location", "other_instrument"),
        ],
    )
    def test_what_a_row_names_must_exist_and_fit(self, change: dict[str, Any], field: str, code: str) -> None:
        BufferLocationFactory.create()
        ArchiveLocationFactory.create()
        SourceLocationFactory.create(name="chai_raw_data", instrument=InstrumentFactory.create(short_name="chai"))
        execution = ExecutedObsUnitFactory.create()

        with pytest.raises(FilingError) as refused:
            register_files([file_report(execution), file_report(execution, **change)])

        (error,) = refused.value.extra["errors"]
        assert (error["index"], error["field"], error["code"]) == (1, field, code)
        assert not RawDataFile.objects.exists(), "all or nothing"

    def test_an_inactive_source_still_takes_files(self) -> None:
        SourceLocationFactory.create(active=False)
        register_files([file_report(ExecutedObsUnitFactory.create())])
        assert RawDataFile.objects.exists(), "the data is there, whatever the switch says"

    def test_a_full_name_that_two_sites_share_is_refused(self) -> None:
        SourceLocationFactory.create(site=SiteFactory.create(short_name="a"), name="b_c")
        SourceLocationFactory.create(site=SiteFactory.create(short_name="a_b"), name="c")
        with pytest.raises(FilingError) as refused:
            register_files([file_report(ExecutedObsUnitFactory.create(), source_location="a_b_c")])
        assert refused.value.extra["errors"][0]["field"] == "source_location"

    def test_files_for_an_observation_of_another_instrument_are_refused(self) -> None:
        mode = ObsModeFactory.create(name="otf", instrument=InstrumentFactory.create(short_name="chai"))
        execution = ExecutedObsUnitFactory.create(obs_unit=ObsUnitFactory.create(obs_mode=mode))
        with pytest.raises(FilingError) as refused:
            register_files([file_report(execution)])
        assert refused.value.extra["errors"][0]["code"] == "foreign_execution"

    def test_a_bound_token_files_its_own_modules_only(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        with pytest.raises(NotAllowedError) as refused:
            register_files([file_report(execution)], token=foreign_token())
        assert refused.value.code == "token.other_instrument"
        own = ApiTokenFactory.create(instrument=InstrumentFactory.create())
        assert register_files([file_report(execution)], token=own).created == 1

    def test_a_bound_token_adds_its_files_beside_those_of_others(self) -> None:
        token = foreign_token()
        module = InstrumentModuleFactory.create(instrument=token.instrument, short_name="lfa")
        execution = ExecutedObsUnitFactory.create()
        RawDataFileFactory.create(executed_obs_unit=execution)
        report = file_report(execution, instrument="chai", module=module.short_name)
        assert register_files([report], token=token).created == 1

    def test_a_bound_token_may_not_add_to_what_another_instrument_started(self) -> None:
        other = ApiTokenFactory.create(instrument=InstrumentFactory.create())
        execution = ExecutedObsUnitFactory.create(reported_by_token=other)
        token = foreign_token()
        InstrumentModuleFactory.create(instrument=token.instrument, short_name="lfa")
        with pytest.raises(NotAllowedError):
            register_files([file_report(execution, instrument="chai", module="lfa")], token=token)

    def test_files_of_a_finished_and_packaged_execution_are_late_and_accepted(self) -> None:
        execution = ExecutedObsUnitFactory.create(finished=True)
        RawDataPackageFactory.create(executed_obs_unit=execution, archived=True)
        assert register_files([file_report(execution)]).created == 1
        assert RawDataFile.objects.unpackaged().of_finished_executions().count() == 1

    def test_ten_thousand_rows_take_as_many_queries_as_ten(self, django_assert_max_num_queries: Any) -> None:
        execution = ExecutedObsUnitFactory.create()
        for count in (10, 10_000):
            reports = [file_report(execution) for _ in range(10)]
            template = reports[0]
            reports += [
                FileReport(
                    id=uuid4(),
                    executed_obs_unit=execution.pk,
                    source_location=template.source_location,
                    relative_path=f"{count}/{number}",
                    name=str(number),
                    size=1,
                    instrument=template.instrument,
                    module=template.module,
                )
                for number in range(count - 10)
            ]
            with django_assert_max_num_queries(12):
                register_files(reports)
        assert RawDataFile.objects.count() == PhysicalCopy.objects.count() == 10_010
