"""Step 0, executions: they start and finish once, or are refused with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from ccatdc.common.errors import ConflictError, NotAllowedError, NotFoundError, RequestError
from datamgmt.filing.executions import finish_execution, start_execution
from planning.models import ExecutedObsUnit, ExecutionStatus
from tests.datamgmt.reports import finish_report, foreign_token, start_report
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.factories.datamgmt import RawDataFileFactory
from tests.factories.observatory import InstrumentFactory
from tests.factories.planning import END, START, ExecutedObsUnitFactory, ObsModeFactory, ObsUnitFactory

pytestmark = pytest.mark.django_db


class TestStart:
    def test_starting_makes_a_running_execution(self) -> None:
        token = ApiTokenFactory.create()
        report = start_report(operator=UserFactory.create(username="ana").username)

        execution, created = start_execution(report, token=token)

        assert created
        stored = ExecutedObsUnit.objects.get(pk=report.id)
        assert stored == execution
        assert stored.status == ExecutionStatus.RUNNING
        assert stored.start_time == START
        assert stored.parameters == {"scan": "daisy", "radius": 1.5}
        assert stored.operator is not None
        assert stored.operator.username == "ana"
        assert stored.reported_by_token == token

    def test_the_same_start_again_changes_nothing(self) -> None:
        report = start_report()
        start_execution(report)
        before = ExecutedObsUnit.objects.values().get(pk=report.id)

        _, created = start_execution(report)

        assert not created
        assert ExecutedObsUnit.objects.values().get(pk=report.id) == before

    def test_the_same_moment_in_another_time_zone_is_the_same_start(self) -> None:
        report = start_report()
        start_execution(report)
        chile = timezone.get_fixed_timezone(-240)
        again = start_report(id=report.id, obs_unit_id=report.obs_unit_id, start_time=START.astimezone(chile))
        assert start_execution(again)[1] is False

    def test_a_start_that_comes_again_after_the_finish_changes_nothing(self) -> None:
        report = start_report()
        start_execution(report)
        finish_execution(report.id, finish_report())

        execution, created = start_execution(report)

        assert not created
        assert execution.status == ExecutionStatus.COMPLETED

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"start_time": START + timedelta(seconds=1)}, "start_time"),
            ({"parameters": {"scan": "pong"}}, "parameters"),
            ({"operator": "ana"}, "operator"),
        ],
    )
    def test_another_start_under_the_same_uuid_says_what_differs(self, change: dict[str, Any], field: str) -> None:
        UserFactory.create(username="ana")
        report = start_report()
        start_execution(report)

        with pytest.raises(ConflictError) as refused:
            start_execution(start_report(id=report.id, obs_unit_id=report.obs_unit_id, **change))

        assert list(refused.value.extra["differences"]) == [field]  # type: ignore[attr-defined]
        assert refused.value.code == "filing.differs"

    def test_an_execution_that_was_not_filed_is_compared_by_its_columns(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        same = start_report(id=execution.pk, obs_unit_id=execution.obs_unit_id, parameters={})
        assert start_execution(same) == (execution, False)

    def test_an_unknown_obs_unit_is_refused(self) -> None:
        with pytest.raises(RequestError) as refused:
            start_execution(start_report(obs_unit_id=999_999))
        assert refused.value.code == "filing.unknown_obs_unit"

    def test_an_unknown_operator_is_refused(self) -> None:
        with pytest.raises(RequestError) as refused:
            start_execution(start_report(operator="nobody"))
        assert refused.value.code == "filing.unknown_operator"
        assert not ExecutedObsUnit.objects.exists()

    @pytest.mark.parametrize(
        "moment", [datetime(1980, 1, 6, tzinfo=UTC), datetime(2019, 12, 31, tzinfo=UTC), "in two days"]
    )
    def test_a_clock_that_is_years_off_is_refused(self, moment: Any) -> None:
        if isinstance(moment, str):
            moment = timezone.now() + timedelta(days=2)
        with pytest.raises(RequestError) as refused:
            start_execution(start_report(start_time=moment))
        assert refused.value.code == "filing.clock"

    def test_a_bound_token_starts_what_has_no_instrument_or_its_own(self) -> None:
        token = foreign_token()
        own = ObsModeFactory.create(name="otf", instrument=token.instrument)
        for mode in (own, ObsModeFactory.create(name="any", instrument=None)):
            unit = ObsUnitFactory.create(obs_mode=mode)
            assert start_execution(start_report(obs_unit_id=unit.pk), token=token)[1]

    def test_a_bound_token_may_not_start_another_instruments_observation(self) -> None:
        mode = ObsModeFactory.create(name="pong", instrument=InstrumentFactory.create())
        unit = ObsUnitFactory.create(obs_mode=mode)
        with pytest.raises(NotAllowedError) as refused:
            start_execution(start_report(obs_unit_id=unit.pk), token=foreign_token())
        assert refused.value.code == "token.other_instrument"


class TestFinish:
    def test_finishing_sets_outcome_conditions_and_our_clock(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        before = timezone.now()

        finished, changed = finish_execution(execution.pk, finish_report(status="aborted", quality_comment="wind"))

        assert changed
        assert finished.status == ExecutionStatus.ABORTED
        assert finished.end_time == END
        assert finished.pwv_mm_mean == 0.4
        assert finished.humidity is None
        assert (finished.quality, finished.quality_comment) == ("good", "wind")
        assert finished.finished_at is not None
        assert abs(finished.finished_at - before) < timedelta(minutes=1)

    def test_the_same_finish_again_changes_nothing(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        finish_execution(execution.pk, finish_report())
        before = ExecutedObsUnit.objects.values().get(pk=execution.pk)

        _, changed = finish_execution(execution.pk, finish_report())

        assert not changed
        assert ExecutedObsUnit.objects.values().get(pk=execution.pk) == before

    def test_a_finish_that_comes_again_keeps_what_an_operator_corrected(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        finish_execution(execution.pk, finish_report())
        ExecutedObsUnit.objects.filter(pk=execution.pk).update(quality="bad")

        _, changed = finish_execution(execution.pk, finish_report())

        assert not changed
        assert ExecutedObsUnit.objects.get(pk=execution.pk).quality == "bad"

    def test_another_finish_says_what_differs(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        finish_execution(execution.pk, finish_report())
        other = finish_report(status="failed", conditions={"humidity": 20.0})

        with pytest.raises(ConflictError) as refused:
            finish_execution(execution.pk, other)

        differences = refused.value.extra["differences"]  # type: ignore[attr-defined]
        assert differences["status"] == {"stored": "completed", "sent": "failed"}
        assert set(differences) == {"status", "humidity", "pwv_mm_mean"}

    def test_an_execution_that_an_operator_closed_is_compared_by_its_columns(self) -> None:
        execution = ExecutedObsUnitFactory.create(finished=True, pwv_mm_mean=0.4, quality="good")
        assert finish_execution(execution.pk, finish_report())[1] is False
        with pytest.raises(ConflictError):
            finish_execution(execution.pk, finish_report(status="aborted"))

    def test_an_unknown_execution_is_not_found(self) -> None:
        with pytest.raises(NotFoundError) as refused:
            finish_execution(uuid4(), finish_report())
        assert refused.value.code == "filing.unknown_execution"

    def test_an_observation_cannot_end_before_it_began(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        with pytest.raises(RequestError) as refused:
            finish_execution(execution.pk, finish_report(end_time=START - timedelta(seconds=1)))
        assert refused.value.code == "filing.ends_before_start"
        assert ExecutedObsUnit.objects.get(pk=execution.pk).status == ExecutionStatus.RUNNING

    def test_a_bound_token_may_not_finish_what_another_instrument_started(self) -> None:
        other = ApiTokenFactory.create(instrument=InstrumentFactory.create())
        execution = ExecutedObsUnitFactory.create(reported_by_token=other)
        with pytest.raises(NotAllowedError):
            finish_execution(execution.pk, finish_report(), token=foreign_token())

    def test_another_token_of_the_same_instrument_may_finish(self) -> None:
        first, second = (ApiTokenFactory.create(instrument=InstrumentFactory.create()) for _ in range(2))
        execution = ExecutedObsUnitFactory.create(reported_by_token=first)
        assert finish_execution(execution.pk, finish_report(), token=second)[1]

    def test_a_bound_token_may_not_finish_what_has_files_of_others(self) -> None:
        execution = ExecutedObsUnitFactory.create()
        RawDataFileFactory.create(executed_obs_unit=execution)
        with pytest.raises(NotAllowedError) as refused:
            finish_execution(execution.pk, finish_report(), token=foreign_token())
        assert refused.value.code == "token.other_instrument"
