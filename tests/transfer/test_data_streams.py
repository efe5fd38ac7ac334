"""Data streams from filing to a scientist's folder: packaged by time, staged with the observations that they overlap."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import F

from ccatdc.common.errors import RequestError
from ccatdc.dev.s3server import S3Server
from datamgmt.models import RawDataFile, RawDataPackage
from datamgmt.rebuilding.catalogue import rebuild
from observatory.models import DataStream
from planning.models import ExecutedObsUnit, ExecutionStatus
from tests.factories.accounts import UserFactory
from tests.factories.observatory import DataStreamFactory, InstrumentFactory, InstrumentModuleFactory
from tests.factories.planning import START, ExecutedObsUnitFactory, ObsModeFactory, ProgramMembershipFactory
from tests.flow import Flow
from tests.transfer.parallel import race
from transfer.managers import s10_package
from transfer.managers.s10_package import PackageManager
from transfer.staging.requests import request_staging

ARCHIVED = ("package", "bundle", "transfer", "unpack", "archive")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def flow(transactional_db: None, tmp_path: Path, s3_server: S3Server) -> Flow:
    return Flow(tmp_path, s3_server, ("ccat-test-access", "ccat-test-secret"))


def observation(minutes: tuple[int, int], **fields: Any) -> ExecutedObsUnit:
    """An observation with Prime-Cam that lasted from and to so many minutes after START."""
    begin, end = (START + each * MINUTE for each in minutes)
    mode = ObsModeFactory.create(instrument=InstrumentModuleFactory.create().instrument)
    return ExecutedObsUnitFactory.create(
        **{
            "start_time": begin,
            "end_time": end,
            "finished_at": end,
            "status": ExecutionStatus.COMPLETED,
            "obs_unit__obs_mode": mode,
            **fields,
        }
    )


def aged(hours: float) -> None:
    """All that was filed, was filed so long ago."""
    RawDataFile.objects.update(registered_at=F("registered_at") - timedelta(hours=hours))


def packaged() -> list[list[str]]:
    packages = RawDataPackage.objects.filter(data_stream__isnull=False).order_by("start_time")
    return [list(each.raw_data_files.order_by("start_time").values_list("name", flat=True)) for each in packages]


class TestPackaging:
    def test_a_stream_is_packaged_by_spans_of_time(self, flow: Flow) -> None:
        stream = DataStreamFactory.create(package_seconds=1800)
        flow.stream(stream, {f"s/{n}.g3": b"x" for n in range(7)}, START)
        assert flow.plan("package") == 2
        assert packaged() == [["0.g3", "1.g3", "2.g3"], ["3.g3", "4.g3", "5.g3"]]

    def test_the_last_span_waits_until_its_first_file_is_old_enough(self, flow: Flow) -> None:
        flow.stream(DataStreamFactory.create(package_seconds=1800), {"s/0.g3": b"x", "s/1.g3": b"x"}, START)
        aged(0.49)
        assert flow.plan("package") == 0
        aged(0.02)
        assert flow.plan("package") == 1

    def test_files_that_came_a_moment_ago_may_be_followed_by_others(self, flow: Flow) -> None:
        stream = DataStreamFactory.create(package_seconds=1800, settle_seconds=60)
        flow.stream(stream, {f"s/{n}.g3": b"x" for n in range(4)}, START)
        assert flow.plan("package") == 0
        aged(61 / 3600)
        assert flow.plan("package") == 1

    def test_a_package_holds_at_most_so_many_bytes(self, flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(s10_package, "PACKAGE_MAX_BYTES", 20_480)
        flow.stream(DataStreamFactory.create(), {f"s/{n}.g3": b"x" * 4000 for n in range(5)}, START)
        assert flow.plan("package") == 1
        assert [len(files) for files in packaged()] == [4]

    def test_streams_are_packaged_apart(self, flow: Flow) -> None:
        for name in ("a", "b"):
            flow.stream(DataStreamFactory.create(name=name), {f"{name}/0.g3": b"x"}, START)
        aged(2)
        assert flow.plan("package") == 2
        assert flow.plan("package") == 0

    def test_two_managers_make_one_package(self, flow: Flow) -> None:
        flow.stream(DataStreamFactory.create(), {f"s/{n}.g3": b"x" for n in range(3)}, START)
        aged(2)
        race(PackageManager)
        assert packaged() == [["0.g3", "1.g3", "2.g3"]]

    def test_a_package_has_the_times_of_its_files(self, flow: Flow) -> None:
        flow.stream(DataStreamFactory.create(priority=2), {"s/b.g3": b"x", "s/a.g3": b"x"}, START)
        aged(2)
        flow.plan("package")
        package = RawDataPackage.objects.get()
        assert (package.start_time, package.end_time) == (START, START + 20 * MINUTE - timedelta(seconds=1))
        assert package.name.startswith("primecam_f280_timestreams_20260501T220000_")
        assert package.priority == 2
        assert package.creations.get().priority == 2

    def test_a_book_that_is_made_after_the_end_is_not_late(self, flow: Flow) -> None:
        books = DataStreamFactory.create(name="books", settle_seconds=1800)
        execution = flow.observe({"run1/a": b"a"})
        flow.run("package")
        flow.file(execution, {"run1/level0.h5": b"book", "run1/other": b"late"})
        RawDataFile.objects.filter(name="level0.h5").update(data_stream=books)
        flow.run("package")
        late = dict(RawDataFile.objects.values_list("name", "raw_data_package__is_late"))
        assert late == {"a": False, "level0.h5": False, "other": True}


def shown(flow: Flow, job: Any) -> set[str]:
    """Names of all files that a job's folder shows; each can be read."""
    found = set()
    for folder, _, names in os.walk(Path(flow.processing.path) / job.folder_key, followlinks=True):
        assert all((Path(folder) / name).read_bytes() for name in names)
        found |= set(names)
    return found


class TestStaging:
    @pytest.fixture
    def hk(self, flow: Flow) -> DataStream:
        """Six files of ten minutes, archived in two packages; observations from 12 to 17 and from 19 to 31."""
        hk = DataStreamFactory.create(name="hk", package_seconds=1800)
        flow.stream(hk, {f"hk/{n}.g3": f"{n}".encode() for n in range(6)}, START)
        aged(2)
        return hk

    def test_an_observation_brings_exactly_the_files_that_overlap_it(self, flow: Flow, hk: DataStream) -> None:
        first, second = observation((12, 17)), observation((19, 31))
        flow.file(first, {"run1/own": b"own"})
        flow.run(*ARCHIVED)
        user = UserFactory.create(is_superuser=True)
        jobs = [request_staging(user, [], flow.processing, executions=[each.pk]) for each in (first, second)]
        flow.run("stage")
        assert [job.raw_data_packages.count() for job in jobs] == [2, 2]
        assert shown(flow, jobs[0]) == {"own", "1.g3"}
        assert shown(flow, jobs[1]) == {"1.g3", "2.g3", "3.g3"}

    def test_one_job_for_both_shows_what_overlaps_either(self, flow: Flow, hk: DataStream) -> None:
        executions = [observation((12, 17)), observation((41, 42))]
        flow.run(*ARCHIVED)
        user = UserFactory.create(is_superuser=True)
        job = request_staging(user, [], flow.processing, executions=[each.pk for each in executions])
        flow.run("stage")
        assert shown(flow, job) == {"1.g3", "4.g3"}

    def test_a_package_that_was_asked_for_is_shown_whole(self, flow: Flow, hk: DataStream) -> None:
        flow.run(*ARCHIVED)
        package = RawDataPackage.objects.order_by("start_time")[0]
        job = request_staging(UserFactory.create(is_superuser=True), [package.pk], flow.processing)
        flow.run("stage")
        assert shown(flow, job) == {"0.g3", "1.g3", "2.g3"}

    def test_the_links_go_when_the_job_is_over(self, flow: Flow, hk: DataStream) -> None:
        execution = observation((12, 31))
        flow.run(*ARCHIVED)
        user = UserFactory.create(is_superuser=True)
        job = request_staging(user, [], flow.processing, executions=[execution.pk])
        flow.run("stage")
        assert shown(flow, job)
        type(job).objects.update(expires_at=START)
        flow.run("delete")
        assert not (Path(flow.processing.path) / job.folder_key).exists()

    def test_an_observation_waits_for_what_is_not_packaged(self, flow: Flow, hk: DataStream) -> None:
        execution = observation((12, 17))
        with pytest.raises(RequestError) as refused:
            request_staging(UserFactory.create(is_superuser=True), [], flow.processing, executions=[execution.pk])
        assert refused.value.code == "staging.not_archived"

    def test_one_that_is_not_over_is_refused(self, flow: Flow) -> None:
        running = ExecutedObsUnitFactory.create()
        with pytest.raises(RequestError) as refused:
            request_staging(UserFactory.create(is_superuser=True), [], flow.processing, executions=[running.pk])
        assert refused.value.code == "staging.not_archived"

    def test_an_unknown_one_is_named(self, flow: Flow) -> None:
        with pytest.raises(RequestError) as refused:
            request_staging(UserFactory.create(is_superuser=True), [], flow.processing, executions=[uuid4()])
        assert refused.value.code == "staging.unknown_execution"


class TestBelonging:
    """Which files of streams belong to an observation from 10 to 20 minutes after START."""

    @pytest.mark.parametrize(
        ("start", "end", "belongs"),
        [(0, 9.99, False), (0, 10, True), (12, 13, True), (5, 25, True), (20, 30, True), (20.01, 30, False)],
    )
    def test_both_ends_count(self, flow: Flow, start: float, end: float, belongs: bool) -> None:
        execution = observation((10, 20))
        (file,) = flow.stream(DataStreamFactory.create(), {"s/0": b"x"}, START)
        RawDataFile.objects.update(start_time=START + start * MINUTE, end_time=START + end * MINUTE)
        assert RawDataFile.objects.belonging_to(execution).contains(file) == belongs

    def test_a_running_one_has_what_was_written_since(self, flow: Flow) -> None:
        running = observation((10, 20), end_time=None, finished_at=None, status=ExecutionStatus.RUNNING)
        flow.stream(DataStreamFactory.create(), {"s/0": b"x", "s/1": b"x", "s/2": b"x"}, START)
        assert set(RawDataFile.objects.belonging_to(running).values_list("name", flat=True)) == {"1", "2"}

    def test_streams_of_another_instrument_do_not_belong_unless_they_are_of_the_telescope(self, flow: Flow) -> None:
        execution = observation((10, 20))
        chai = InstrumentModuleFactory.create(instrument=InstrumentFactory.create(short_name="chai"), short_name="lfa")
        stream = DataStreamFactory.create(instrument_module=chai, name="pointing")
        (file,) = flow.stream(stream, {"s/0": b"x"}, START + 12 * MINUTE)
        assert not RawDataFile.objects.belonging_to(execution).exists()
        DataStream.objects.update(of_telescope=True)
        assert RawDataFile.objects.belonging_to(execution).get() == file

    def test_an_observation_of_no_particular_instrument_has_all_of_the_telescope(self, flow: Flow) -> None:
        execution = observation((10, 20), obs_unit__obs_mode=ObsModeFactory.create(name="any", instrument=None))
        flow.stream(DataStreamFactory.create(), {"s/0": b"x"}, START + 12 * MINUTE)
        assert RawDataFile.objects.belonging_to(execution).count() == 1


class TestVisibility:
    """A member of the program sees what overlaps its observation, others see what is public."""

    @pytest.fixture
    def execution(self, flow: Flow) -> ExecutedObsUnit:
        flow.stream(DataStreamFactory.create(), {f"s/{n}": b"x" for n in range(3)}, START)
        return observation((12, 17))

    def seen_by(self, user: Any) -> set[str]:
        return set(RawDataFile.objects.visible_to(user).values_list("name", flat=True))

    @pytest.mark.usefixtures("execution")
    def test_a_stranger_sees_nothing_of_it(self) -> None:
        assert self.seen_by(UserFactory.create()) == set()

    def test_a_member_sees_what_overlaps(self, execution: ExecutedObsUnit) -> None:
        member = ProgramMembershipFactory.create(observing_program=execution.obs_unit.observing_program).user
        assert self.seen_by(member) == {"1"}

    def test_not_while_the_observation_runs(self, execution: ExecutedObsUnit) -> None:
        member = ProgramMembershipFactory.create(observing_program=execution.obs_unit.observing_program).user
        ExecutedObsUnit.objects.filter(pk=execution.pk).update(end_time=None)
        assert self.seen_by(member) == set()

    @pytest.mark.usefixtures("execution")
    def test_everybody_sees_a_public_stream(self) -> None:
        DataStream.objects.update(is_public=True)
        assert self.seen_by(UserFactory.create()) == {"0", "1", "2"}

    def test_packages_follow_the_same_rule(self, flow: Flow, execution: ExecutedObsUnit) -> None:
        aged(2)
        flow.plan("package")
        member = ProgramMembershipFactory.create(observing_program=execution.obs_unit.observing_program).user
        assert RawDataPackage.objects.visible_to(member).count() == 1
        assert RawDataPackage.objects.visible_to(UserFactory.create()).count() == 0


def test_a_package_with_files_of_others_is_not_staged_whole(flow: Flow) -> None:
    flow.stream(DataStreamFactory.create(), {f"s/{n}": b"x" for n in range(3)}, START)
    execution = observation((12, 17))
    aged(2)
    flow.run(*ARCHIVED)
    package = RawDataPackage.objects.get()
    member = ProgramMembershipFactory.create(observing_program=execution.obs_unit.observing_program).user
    with pytest.raises(RequestError) as refused:
        request_staging(member, [package.pk], flow.processing)
    assert refused.value.code == "staging.not_all_visible"
    job = request_staging(member, [], flow.processing, executions=[execution.pk])
    flow.run("stage")
    assert shown(flow, job) == {"1"}
    DataStream.objects.update(is_public=True)
    assert request_staging(member, [package.pk], flow.processing).raw_data_packages.get() == package


def test_an_archived_stream_comes_back_from_its_sidecars(flow: Flow) -> None:
    stream = DataStreamFactory.create(description="All of the night.")
    before = flow.stream(stream, {"s/0": b"x", "s/1": b"y"}, START)
    books = DataStreamFactory.create(name="books")
    execution = flow.observe({"run1/level0.h5": b"book"})
    RawDataFile.objects.filter(name="level0.h5").update(data_stream=books)
    aged(2)
    flow.run(*ARCHIVED)
    names = set(RawDataPackage.objects.values_list("name", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE raw_data_package, raw_data_file, data_stream, executed_obs_unit CASCADE")
    rebuilt = rebuild(flow.archive)
    assert (rebuilt.packages, rebuilt.files, rebuilt.problems) == (2, 3, [])
    assert set(RawDataPackage.objects.values_list("name", flat=True)) == names
    assert DataStream.objects.get(name="timestreams").description == "All of the night."
    for file in before:
        now = RawDataFile.objects.get(pk=file.pk)
        assert (now.start_time, now.end_time) == (file.start_time, file.end_time)
        assert now.data_stream is not None
        assert now.executed_obs_unit is None
    book = RawDataFile.objects.get(name="level0.h5")
    assert book.data_stream is not None
    assert (book.data_stream.name, book.executed_obs_unit_id) == ("books", execution.pk)
