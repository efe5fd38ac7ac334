"""A store or its link answers oddly for a while. Everything goes on by itself afterwards: no click, nothing FAILED, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ccatdc.dev.s3server import S3Server
from datamgmt.models import PhysicalCopy, S3DataLocation
from tests.factories.transfer import StagingJobFactory
from tests.faults.proxy import Fault, FaultyStore, faulty_store, xml
from tests.faults.world import ALL, at_rest, failed
from tests.flow import Flow
from transfer.models import StagingJob

pytestmark = pytest.mark.django_db(transaction=True)

WRITES = ("PUT", "POST")
READS = ("GET", "HEAD")
ANY = (*WRITES, *READS)
HTML = b"<html><body>Please log in to the network</body></html>"
#: Rounds of managers and waits until everything is done.
ROUNDS = 12

#: As servers answer (transfer/…/errors: docs/operations/errors.md). So often that the library's own tries are used up.
ANSWERS = {
    "404 after PUT": Fault("answer", READS, 4, 404, xml("NoSuchKey"), suffix=".tar"),
    "404 without a word": Fault("answer", READS, 4, 404, suffix=".tar"),
    "IncompleteBody": Fault("answer", WRITES, 4, 400, xml("IncompleteBody"), suffix=".tar"),
    "InvalidPart": Fault("answer", WRITES, 4, 400, xml("InvalidPart"), suffix=".tar"),
    "OperationAborted": Fault("answer", WRITES, 4, 409, xml("OperationAborted"), suffix=".tar"),
    "bare 400": Fault("answer", ANY, 4, 400),
    "200 with HTML": Fault("answer", READS, 4, 200, HTML, suffix=".tar"),
    "200 with HTML to a write": Fault("answer", WRITES, 2, 200, HTML, suffix=".tar"),
    "NoSuchBucket": Fault("answer", ANY, 4, 404, xml("NoSuchBucket")),
    "AccessDenied": Fault("answer", ANY, 4, 403, xml("AccessDenied")),
    "InvalidAccessKeyId": Fault("answer", ANY, 4, 403, xml("InvalidAccessKeyId")),
    "ExpiredToken": Fault("answer", ANY, 4, 400, xml("ExpiredToken")),
    "RequestTimeTooSkewed": Fault("answer", ANY, 4, 403, xml("RequestTimeTooSkewed")),
    "QuotaExceeded": Fault("answer", WRITES, 4, 403, xml("QuotaExceeded")),
    "SlowDown": Fault("answer", ANY, 4, 503, xml("SlowDown")),
    "InternalError": Fault("answer", ANY, 4, 500, xml("InternalError")),
    "502 of a proxy": Fault("answer", ANY, 4, 502, HTML),
    "reset": Fault("reset", ANY, 4),
    "answer lost": Fault("lose", WRITES, 2, suffix=".tar"),
    "cut": Fault("cut", ("GET",), 4, suffix=".tar"),
    "bit flipped on the way back": Fault("flip", ("GET",), 2, suffix=".tar"),
    "bit flipped on the way there": Fault("damage", WRITES, 2, suffix=".tar"),
}


@pytest.fixture
def flow(tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Flow:
    settings.LEASE_SECONDS = 300.0  # the library waits between its own tries
    monkeypatch.setenv("CCATDC_LOG_DIR", str(tmp_path / "log"))
    return Flow(tmp_path / "stores", s3_server, ("ccat-test-access", "ccat-test-secret"))


@pytest.fixture
def store(flow: Flow, s3_server: S3Server) -> Iterator[FaultyStore]:
    """The archive is reached through a proxy from now on."""
    with faulty_store(s3_server.port) as (store, address):
        S3DataLocation.objects.filter(pk=flow.archive.pk).update(endpoint_url=address)
        yield store


def go_on(flow: Flow, *names: str) -> None:
    """Managers and workers, and the waits between, until nothing is left; without a person."""
    for _ in range(ROUNDS):
        flow.run(*names)
        assert failed() == []
        if not flow.retry_now():
            return


def test_an_archive_that_answers_oddly_for_a_while(flow: Flow, store: FaultyStore) -> None:
    for number, (name, fault) in enumerate(ANSWERS.items()):
        flow.observe({f"run{number}/a": b"a" * 3000 + bytes([number]), f"run{number}/b": bytes([number])})
        flow.run("package", "bundle", "transfer", "unpack")
        fault.hit, store.fault = 0, fault
        go_on(flow, "archive", "resend", "scrub")
        assert fault.hit > 0, f"{name} was not met"
        store.fault = None
        go_on(flow, "archive", "resend", "scrub")
        assert PhysicalCopy.objects.at(flow.archive).good().count() == number + 1, name
    go_on(flow, *ALL)
    assert [str(finding) for finding in at_rest(flow).findings] == []


def test_staging_and_deletion_from_such_an_archive(flow: Flow, store: FaultyStore) -> None:
    names = (
        "404 without a word",
        "bit flipped on the way back",
        "AccessDenied",
        "SlowDown",
        "InternalError",
        "reset",
        "cut",
    )
    for number, name in enumerate(names):
        fault = ANSWERS[name]
        flow.observe({f"run{number}/a": b"a" * 3000 + bytes([number]), f"run{number}/b": bytes([number])})
        flow.run("package", "bundle", "transfer", "unpack", "archive")
        copy = PhysicalCopy.objects.at(flow.archive).good().latest("pk")
        job = StagingJobFactory.create(packages=[copy.raw_data_package], destination_location=flow.processing)
        fault.hit, store.fault = 0, fault
        go_on(flow, "stage")
        go_on(flow, "delete", "scrub", "resend", "archive")
        assert fault.hit > 0, f"{name} was not met"
        store.fault = None
        go_on(flow, *ALL, "stage")
        assert StagingJob.objects.get(pk=job.pk).status == "completed", name
    assert [str(finding) for finding in at_rest(flow).findings] == []
