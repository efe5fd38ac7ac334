"""Observations whose instrument never said that they ended are closed by an operator, and their files go their way."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from accounts.models import SystemLog
from ccatdc.common.errors import RequestError
from datamgmt.models import RawDataFile
from planning.models import ExecutedObsUnit, ExecutionStatus
from planning.scheduling.closing import close_executions
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import RawDataFileFactory, RawDataFilePhysicalCopyFactory
from tests.factories.planning import ExecutedObsUnitFactory

pytestmark = pytest.mark.django_db
PAGE = "/portal/planning/executedobsunit/"


def close(client: Client, *rows: ExecutedObsUnit, **more: Any) -> Any:
    body = {"action": "close_selected", "index": "0", "_selected_action": [row.pk for row in rows]}
    return client.post(PAGE, {**body, **more})


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def test_a_closed_execution_is_over_and_its_files_are_packaged(operator: Client) -> None:
    execution = ExecutedObsUnitFactory.create()
    file = RawDataFileFactory.create(executed_obs_unit=execution)
    RawDataFilePhysicalCopyFactory.create(raw_data_file=file)
    ready = RawDataFile.objects.unpackaged().of_finished_executions()
    assert not ready.exists()

    close(operator, execution, confirmed="1", reason="The power failed at 23:10.")

    execution.refresh_from_db()
    assert execution.status == ExecutionStatus.ABORTED
    assert execution.finished_at is not None
    assert execution.end_time is None, "nobody knows"
    assert ready.get() == file
    line = SystemLog.objects.get(message__startswith="Closed")
    assert "The power failed at 23:10." in line.message
    assert line.user is not None


def test_it_is_asked_for_first(operator: Client) -> None:
    execution = ExecutedObsUnitFactory.create()
    response = close(operator, execution)
    assert b"never said that they ended" in response.content
    execution.refresh_from_db()
    assert execution.status == ExecutionStatus.RUNNING


def test_without_a_reason_nothing_is_closed(operator: Client) -> None:
    execution = ExecutedObsUnitFactory.create()
    response = close(operator, execution, confirmed="1", reason="  ")
    assert "Nobody said why" in said(response)
    execution.refresh_from_db()
    assert execution.status == ExecutionStatus.RUNNING


def test_what_is_over_stays_as_it_ended() -> None:
    over = ExecutedObsUnitFactory.create(finished=True)
    running = ExecutedObsUnitFactory.create()
    outcome = close_executions(ExecutedObsUnit.objects.all(), user=UserFactory.create(), reason="Lost.")

    assert outcome.changed == (running.pk,)
    assert [(row.pk, row.reason) for row in outcome.kept] == [(over.pk, "it is over already")]
    before = over.finished_at
    over.refresh_from_db()
    assert (over.status, over.finished_at) == (ExecutionStatus.COMPLETED, before)


def test_the_reason_is_not_the_pages_business_alone() -> None:
    ExecutedObsUnitFactory.create()
    with pytest.raises(RequestError) as caught:
        close_executions(ExecutedObsUnit.objects.all(), user=None, reason="")
    assert caught.value.code == "execution.no_reason"


def test_who_only_reads_closes_nothing(viewer: Client) -> None:
    execution = ExecutedObsUnitFactory.create()
    close(viewer, execution, confirmed="1", reason="Lost.")
    execution.refresh_from_db()
    assert execution.status == ExecutionStatus.RUNNING
