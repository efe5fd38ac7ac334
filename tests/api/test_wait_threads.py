"""Waiting calls in the web process as it runs in production: they occupy some threads, never all."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.conf import settings

from datamgmt.models import RawDataFile
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.factories.datamgmt import RawDataFileFactory, RawDataPackageFactory
from tests.factories.planning import ExecutedObsUnitFactory

WORKERS, THREADS, WAITERS, CALLERS = 2, 4, 2, 12


@pytest.fixture
def web(database_url: str) -> Iterator[str]:
    """The address of a gunicorn with two workers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "ccatdc.wsgi", f"--bind=127.0.0.1:{port}"),
            *(f"--workers={WORKERS}", f"--threads={THREADS}", "--graceful-timeout=1", "--preload"),
        ],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": database_url, "CCATDC_DEBUG": "1", "CCATDC_MAX_WAITERS": str(WAITERS)},
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{url}/health", timeout=60)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline, "gunicorn does not start"
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def test_others_are_served_while_as_many_wait_as_may(web: str) -> None:
    execution = ExecutedObsUnitFactory.create(finished=True)
    RawDataFileFactory.create(executed_obs_unit=execution)
    reader = ApiTokenFactory.create(user=UserFactory.create(permissions=["read:observations"]))
    secret = reader.secret  # type: ignore[attr-defined]
    address = f"{web}/api/executed_obs_units/{execution.pk}"
    headers = {"Authorization": f"Bearer {secret}"}

    def wait() -> httpx.Response:
        return httpx.get(f"{address}/wait?state=archived&timeout=50", headers=headers, timeout=120)

    with ThreadPoolExecutor(CALLERS) as callers:
        calls = [callers.submit(wait) for _ in range(CALLERS)]
        most = WORKERS * WAITERS
        deadline = time.monotonic() + 40
        while sum(call.done() for call in calls) < CALLERS - most:
            assert time.monotonic() < deadline, "callers that may not wait are answered"
            time.sleep(0.05)
        for _ in range(4 * WORKERS):  # of either worker
            assert httpx.get(address, headers=headers, timeout=60).status_code == 200
        waiting = [call for call in calls if not call.done()]
        assert 0 < len(waiting) <= most, "they still wait"

        package = RawDataPackageFactory.create(executed_obs_unit=execution, archived=True)
        RawDataFile.objects.update(raw_data_package=package)
        answers = [call.result() for call in calls]

    reached = [answer for answer in answers if answer.status_code == 200]
    assert [answer.json()["reached"] for answer in reached] == [True] * len(waiting)
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {answer.status_code for answer in refused} == {429}
    assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
