"""Queries as jobs: by hand over the addresses of UWS, by PyVO, and what happens to them when processes die."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import pyvo
from django.core.files.storage import storages
from django.test import Client
from django.utils import timezone

from ccatdc.notification_loop import forget
from planning.models import ExecutedObsUnit, ObservingProgram
from tests.accounts.foreign import scientist
from tests.factories.transfer import QueryJobFactory
from tests.portal.conftest import logged_in
from tests.roles import as_role
from transfer.models import QueryJob
from transfer.models.queries import Phase
from transfer.tap import jobs

pytestmark = pytest.mark.django_db
QUERY = {"LANG": "ADQL", "QUERY": "SELECT target_name FROM ivoa.obscore ORDER BY 1", "RESPONSEFORMAT": "csv"}
UWS = "{http://www.ivoa.net/xml/UWS/v1.0}"


@pytest.fixture(autouse=True)
def results(settings: Any, tmp_path: Any) -> None:
    """Answers are kept here."""
    backend = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "results"}}
    settings.STORAGES = {**settings.STORAGES, "results": backend}


@pytest.fixture(autouse=True)
def two(orion: ExecutedObsUnit, center: ExecutedObsUnit) -> None:
    """One is public, one is not."""


def made(client: Client, **more: str) -> str:
    """The address of a new job."""
    answer = client.post("/tap/async", {**QUERY, **more})
    assert answer.status_code == 303, answer.content
    return str(answer["Location"]).removeprefix("http://testserver")


def phase(client: Client, job: str) -> str:
    return client.get(f"{job}/phase").content.decode()


def run() -> None:
    """As the loop does it."""
    with as_role("managers"):
        jobs.run_waiting(lambda: False)


def text(client: Client, job: str) -> bytes:
    answer: Any = client.get(f"{job}/results/result")
    return b"".join(answer.streaming_content)


def test_a_job_from_its_start_to_its_end() -> None:
    client = Client()
    job = made(client)
    assert phase(client, job) == "PENDING"
    run()
    assert phase(client, job) == "PENDING"
    assert client.post(f"{job}/phase", {"PHASE": "RUN"}).status_code == 303
    assert phase(client, job) == "QUEUED"
    run()
    found = ElementTree.fromstring(client.get(job).content)  # noqa: S314 - ours
    assert found.findtext(f"{UWS}phase") == "COMPLETED"
    (result,) = found.iter(f"{UWS}result")
    assert result.get("{http://www.w3.org/1999/xlink}href") == f"http://testserver{job}/results/result"
    assert text(client, job) == b"target_name\r\nOrion-KL\r\n"
    assert client.post(f"{job}/phase", {"PHASE": "RUN"}).status_code == 409
    row = QueryJob.objects.get()
    assert row.rows == 1
    assert client.delete(job).status_code == 303
    assert client.get(job).status_code == 404
    assert not storages["results"].exists(row.result)


def test_a_member_gets_what_members_see_and_nobody_else_the_job() -> None:
    user = scientist()
    ObservingProgram.objects.get(short_name="SECRET").members.add(user)
    client = logged_in(user)
    job = made(client, PHASE="RUN")
    run()
    assert text(client, job) == b"target_name\r\nOrion-KL\r\nSgr A*\r\n"
    for other in (Client(), logged_in(scientist(username="other"))):
        assert other.get(job).status_code == other.get(f"{job}/results/result").status_code == 404
        assert other.post(f"{job}/phase", {"PHASE": "ABORT"}).status_code == other.delete(job).status_code == 404
        assert b"jobref" not in other.get("/tap/async").content
    assert job.rpartition("/")[2].encode() in client.get("/tap/async", {"PHASE": "COMPLETED"}).content
    assert b"jobref" not in client.get("/tap/async", {"PHASE": "ERROR"}).content
    assert b"jobref" not in client.get("/tap/async", {"AFTER": "2100-01-01T00:00:00Z"}).content


def test_what_is_wrong_is_said() -> None:
    client = Client()
    nowhere = made(client, QUERY="SELECT 1 FROM nowhere", PHASE="RUN")
    foreign = made(client, LANG="SQL", PHASE="RUN")
    job = made(client, QUERY="SELECT 1 / 0", PHASE="RUN")
    run()
    assert b"no table nowhere" in client.get(f"{nowhere}/error").content
    assert b"LANG is ADQL" in client.get(f"{foreign}/error").content
    assert phase(client, job) == "ERROR"
    assert b"division by zero" in client.get(f"{job}/error").content
    assert b"division by zero" in client.get(job).content
    assert client.get(f"{job}/results/result").status_code == 404
    for part, wrong in (("phase", "GO"), ("executionduration", "long"), ("destruction", "never"), ("quote", "1")):
        assert client.post(f"{job}/{part}", {part.upper(): wrong}).status_code == 400


def test_parameters_and_limits_may_be_changed_before_it_starts(settings: Any) -> None:
    client = Client()
    job = made(client, QUERY="", MAXREC="5", RUNID="night")
    assert client.post(f"{job}/parameters", {"QUERY": QUERY["QUERY"], "MAXREC": "0"}).status_code == 303
    assert client.post(f"{job}/executionduration", {"EXECUTIONDURATION": "999999"}).status_code == 303
    assert client.get(f"{job}/executionduration").content == str(settings.TAP_JOB_SECONDS).encode()
    client.post(f"{job}/destruction", {"DESTRUCTION": "2100-01-01T00:00:00Z"})
    assert QueryJob.objects.get().destroyed_at < timezone.now() + timedelta(days=jobs.MOST_DAYS, seconds=1)
    assert b">0</uws:parameter>" in client.get(f"{job}/parameters").content
    client.post(f"{job}/phase", {"PHASE": "RUN"})
    assert client.post(f"{job}/parameters", {"MAXREC": "1"}).status_code == 409
    client.post(f"{job}/phase", {"PHASE": "ABORT"})
    run()
    assert phase(client, job) == "ABORTED"


def test_a_job_of_a_process_that_died_runs_again_but_not_for_ever() -> None:
    past = timezone.now() - timedelta(seconds=1)
    fields = {"phase": Phase.EXECUTING, "query": QUERY["QUERY"], "runs_until": past}
    once, often = QueryJobFactory.create(**fields, starts=1), QueryJobFactory.create(**fields, starts=3)
    alive = QueryJobFactory.create(**{**fields, "runs_until": timezone.now() + timedelta(minutes=1)})
    assert QueryJob.objects.for_work().count() == 2
    run()
    assert [QueryJob.objects.get(pk=each.pk).phase for each in (once, often, alive)] == [
        "COMPLETED", "ERROR", "EXECUTING",
    ]  # fmt: skip
    assert QueryJob.objects.get(pk=often.pk).error_code == "tap.abandoned"


def test_an_answer_that_nobody_waits_for_any_more_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    job = QueryJobFactory.create(phase=Phase.QUEUED, query=QUERY["QUERY"])
    answer = jobs._answer

    def aborted(row: QueryJob) -> Any:
        found = answer(row)
        jobs.abort(QueryJob.objects.get(pk=row.pk))
        return found

    monkeypatch.setattr(jobs, "_answer", aborted)
    run()
    assert QueryJob.objects.get(pk=job.pk).phase == "ABORTED"
    assert storages["results"].listdir("")[1] == []


def test_what_is_expired_is_removed() -> None:
    old = QueryJobFactory.create(destroyed_at=timezone.now() - timedelta(seconds=1))
    new = QueryJobFactory.create()
    with as_role("managers"):
        assert forget() == 1
    assert list(QueryJob.objects.values_list("pk", flat=True)) == [new.pk] != [old.pk]


def test_nobody_makes_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MOST_ANONYMOUS_JOBS", 1)
    made(Client())
    answer = Client().post("/tap/async", QUERY)
    assert (answer.status_code, b"Too many jobs" in answer.content) == (409, True)


@pytest.mark.parametrize(
    "path", ["capabilities", "availability", "tables", "tables/ivoa.obscore", "examples", "resource"]
)
def test_what_describes_the_service_is_xml(path: str) -> None:
    answer = Client().get(f"/tap/{path}")
    assert answer.status_code == 200
    assert ElementTree.fromstring(answer.content) is not None  # noqa: S314 - ours
    assert Client().get("/tap/tables/pg_class").status_code == 404


def test_pyvo_needs_no_special_case(live_server: Any, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    service = pyvo.dal.TAPService(f"{live_server.url}/tap")
    assert "ivoa.obscore" in service.tables
    assert service.tables["ivoa.obscore"].columns[9].name == "s_ra"
    cone = "CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.81, -5.37, 0.1)) = 1"
    (row,) = service.search(f"SELECT * FROM ivoa.obscore WHERE {cone}")  # noqa: S608 - ADQL
    assert (row["target_name"], row["calib_level"]) == ("Orion-KL", 0)
    for example in service.examples:
        assert example.execute() is not None
    with pytest.raises(pyvo.DALQueryError, match="no table"):
        service.search("SELECT * FROM nowhere.at_all")
    job = service.submit_job("SELECT COUNT(*) AS n FROM ccat.observations")
    job.run()
    run()
    job.wait(phases=["COMPLETED"], timeout=10)
    assert [each["n"] for each in job.fetch_result()] == [1]
    job.delete()
    assert not QueryJob.objects.exists()
