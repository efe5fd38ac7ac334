"""The commands of operators: list_queues, ops, run_location, run_managers."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections
from django.utils import timezone

from datamgmt.models import DataLocation
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    BufferLocationFactory,
    ProcessingLocationFactory,
    SiteFactory,
    SourceLocationFactory,
)
from tests.factories.transfer import DeletionFactory
from transfer.engine import database
from transfer.engine.processes.supervisor import Supervisor
from transfer.engine.queue import location_named
from transfer.management.commands import run_location
from transfer.models import CircuitBreaker, ServiceHeartbeat

pytestmark = pytest.mark.django_db


def output(*arguments: str, **options: Any) -> str:
    """What a command prints."""
    stdout = StringIO()
    call_command(*arguments, stdout=stdout, **options)
    return stdout.getvalue()


def status_of_the_unwell(**options: Any) -> str:
    """What ``ops status`` prints where a person is needed."""
    stdout = StringIO()
    with pytest.raises(CommandError, match="A person is needed"):
        call_command("ops", "status", stdout=stdout, **options)
    return stdout.getvalue()


@pytest.fixture
def locations() -> None:
    """One of each type, at two sites, and one that is switched off."""
    SourceLocationFactory.create()
    BufferLocationFactory.create()
    ArchiveLocationFactory.create()
    ProcessingLocationFactory.create()
    BufferLocationFactory.create(site=SiteFactory.create(short_name="us"), active=False)


@pytest.mark.usefixtures("locations")
def test_list_queues_prints_the_matrix_of_the_seeds() -> None:
    assert sorted(output("list_queues").split()) == [
        "ccat_output_buffer_data_transfer",
        "ccat_output_buffer_data_transfer_package_creation",
        "ccat_output_buffer_data_transfer_unpacking",
        "ccat_output_buffer_deletion",
        "ccat_output_buffer_inventory",
        "ccat_output_buffer_monitoring",
        "ccat_output_buffer_verification",
        "ccat_primecam_raw_data_deletion",
        "ccat_primecam_raw_data_inventory",
        "ccat_primecam_raw_data_monitoring",
        "ccat_primecam_raw_data_raw_data_package_creation",
        "cologne_long_term_archive_inventory",
        "cologne_long_term_archive_long_term_archive_transfer",
        "cologne_long_term_archive_monitoring",
        "cologne_long_term_archive_verification",
        "cologne_ramses_processing_deletion",
        "cologne_ramses_processing_inventory",
        "cologne_ramses_processing_monitoring",
        "cologne_ramses_processing_run_collection",
        "cologne_ramses_processing_run_following",
        "cologne_ramses_processing_run_submission",
        "cologne_ramses_processing_staging",
    ]


@pytest.mark.usefixtures("locations")
def test_list_queues_can_be_narrowed_down() -> None:
    assert output("list_queues", site="cologne").count("\n") == 11
    assert output("list_queues", location="ccat_output_buffer").count("\n") == 7
    assert output("list_queues", location="output_buffer", site="cologne") == ""


@pytest.mark.usefixtures("locations")
def test_list_queues_prints_json() -> None:
    assert json.loads(output("list_queues", json=True, location="long_term_archive")) == {
        "cologne_long_term_archive": [
            "cologne_long_term_archive_long_term_archive_transfer",
            "cologne_long_term_archive_monitoring",
            "cologne_long_term_archive_verification",
            "cologne_long_term_archive_inventory",
        ]
    }


@pytest.mark.usefixtures("locations")
def test_run_location_names_the_locations_that_exist() -> None:
    with pytest.raises(CommandError) as caught:
        call_command("run_location", "ccat_output_bufer")
    message = str(caught.value)
    assert "no location 'ccat_output_bufer'" in message
    for name in ("ccat_output_buffer", "ccat_primecam_raw_data", "cologne_long_term_archive"):
        assert name in message


@pytest.mark.usefixtures("locations")
@pytest.mark.usefixtures("locations")
def test_run_location_waits_for_a_database_that_comes_up_later(monkeypatch: pytest.MonkeyPatch) -> None:
    real = location_named
    answers = [OperationalError("the database system is starting up"), None]
    begun: list[str] = []

    def asked(name: str) -> DataLocation:
        error = answers.pop(0)
        if error is not None:
            raise error
        return real(name)

    monkeypatch.setattr(run_location, "location_named", asked)
    monkeypatch.setattr(database, "ASK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(connections, "close_all", lambda: None)
    monkeypatch.setattr(Supervisor, "run", lambda self: begun.extend(each.full_name for each in self.slots))
    output("run_location", "ccat_primecam_raw_data")
    assert begun == 2 * ["ccat_primecam_raw_data"]  # one worker for its checks, one for its work


def test_run_location_wants_at_least_one_worker() -> None:
    with pytest.raises(CommandError, match="at least 1"):
        call_command("run_location", "ccat_output_buffer", workers=0)


def test_run_managers_names_the_stages_that_exist() -> None:
    with pytest.raises(CommandError, match=r"no stage paint. There are: package, bundle"):
        call_command("run_managers", "paint")


def test_run_managers_once_makes_one_pass_of_every_real_manager() -> None:
    assert output("run_managers", once=True) == "Found 0 pieces of work.\n"
    assert ServiceHeartbeat.objects.get().name == "managers"


def test_a_part_of_the_managers_beats_under_its_own_name() -> None:
    output("run_managers", "delete", "package", once=True)
    assert ServiceHeartbeat.objects.get().name == "managers package delete"


@pytest.fixture
def problem() -> None:
    """A silent worker, an open breaker, a paused and a failed operation."""
    paused = DeletionFactory.create(paused_at=timezone.now(), error_message="Killed 8 workers.")
    DeletionFactory.create(failed=True, subject="batch:failed")
    silent = ServiceHeartbeat.objects.create(
        service_type="location",
        name="ccat_output_buffer",
        host="buffer1",
        pid=4711,
        waiting=[{"what": "bundle", "why": "No route."}],
    )
    ServiceHeartbeat.objects.filter(pk=silent.pk).update(last_seen=timezone.now() - timedelta(minutes=5))
    CircuitBreaker.objects.create(
        location=paused.location,
        scope="location",
        failures=5,
        opened_at=timezone.now(),
        next_trial_at=timezone.now() + timedelta(minutes=5),
        error_code="storage.io",
        error_message="The disk did not answer.",
    )


@pytest.mark.usefixtures("problem")
def test_ops_status_tells_a_person_what_is_wrong() -> None:
    text = status_of_the_unwell()
    assert "SILENT, last heard 5 min" in text
    assert "Held back: All work at ccat_output_buffer" in text
    assert "The disk did not answer." in text
    assert "Killed 8 workers." in text
    assert "waits: bundle: No route." in text
    row = next(line for line in text.splitlines() if line.startswith("delete"))
    assert row.split()[1:5] == ["1", "0", "0", "1"]


@pytest.mark.usefixtures("problem")
def test_ops_status_tells_programs_the_same() -> None:
    document = json.loads(status_of_the_unwell(json=True))
    deletion = next(each for each in document["stages"] if each["stage"] == "delete")
    assert (deletion["pending"], deletion["failed"]) == (1, 1)
    assert document["services"][0]["silent"] is True
    assert document["open_breakers"][0]["error_code"] == "storage.io"
    assert document["paused_operations"][0]["location"] == "ccat_output_buffer"


def test_ops_status_of_an_empty_database() -> None:
    assert "No service has ever run here." in status_of_the_unwell()
