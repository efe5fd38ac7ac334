"""The client in an event loop: the loop goes on while calls wait for the disk or the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ccat_file import AsyncFiling, FiledFile, RefusedError, Settings, UsageError
from ccat_file.spool import Spool
from planning.models import ExecutedObsUnit, ExecutionStatus, ObsUnit
from tests.client.conftest import Instrument, place

#: Seconds that whatever is slow takes here; the loop must not stand still for a good part of it.
SLOW = 1.0


async def longest_gap(act: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    """The longest time for which the loop stood still during ``act``, and how long that took; seconds."""
    gaps: list[float] = []

    async def tick() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            last, before = time.monotonic(), last
            gaps.append(last - before)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.02)
    began = time.monotonic()
    await act()
    took = time.monotonic() - began
    await asyncio.sleep(0.01)
    ticking.cancel()
    return max(gaps), took


def test_an_observation_is_filed_from_a_loop(instrument: Instrument, unit: ObsUnit) -> None:
    _, name, _, module, _, location = place()

    async def observe() -> None:
        async with AsyncFiling(instrument.settings) as filing:
            observation = await filing.start(obs_unit=unit.pk)
            file = FiledFile("17500/a.g3", 4)
            assert await observation.add_files([file], instrument=name, module=module, location=location) == 1
            await observation.finish(quality="good")
            await observation.wait(30)
            assert (await filing.status())["waiting"] == 0
            with pytest.raises(UsageError):
                await (await filing.observation(observation.id)).finish("over")

    asyncio.run(observe())
    execution = ExecutedObsUnit.objects.get()
    assert (execution.status, execution.raw_data_files.count()) == (ExecutionStatus.COMPLETED, 1)


def test_what_the_server_refuses_is_raised_where_it_is_waited_for(instrument: Instrument, unit: ObsUnit) -> None:
    async def observe() -> None:
        async with AsyncFiling(instrument.settings) as filing:
            observation = await filing.start(obs_unit=unit.pk, operator="nobody-of-that-name")
            with pytest.raises(RefusedError, match="unknown_operator"):
                await observation.wait(30)

    asyncio.run(observe())


def test_the_loop_goes_on_while_the_disk_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = Spool.append

    def slowly(self: Spool, calls: Any) -> Any:
        time.sleep(SLOW)
        return append(self, calls)

    monkeypatch.setattr(Spool, "append", slowly)

    async def observe() -> tuple[float, float]:
        async with AsyncFiling(Settings(tmp_path), send=False) as filing:
            return await longest_gap(lambda: filing.start(obs_unit=1))

    gap, took = asyncio.run(observe())
    assert took >= SLOW
    assert gap < SLOW / 2


def test_the_loop_goes_on_while_the_server_is_slow(tmp_path: Path) -> None:
    """A server that answers after a second that all is archived."""

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(SLOW)
            body = b"""{"state": "archived", "reached": true, "failures": [], "execution": {"status": "completed",
                "files": {"count": 1, "bytes": 4, "unpackaged": 0}, "packages": {"archived": 1}}}"""
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"

    async def observe() -> tuple[float, float]:
        async with AsyncFiling(Settings(tmp_path, url, "ccatdc_of-a-test"), send=False) as filing:
            observation = await filing.observation("7b0f3a52-6f0e-4a64-9d1f-2f4f6c1f0a11")
            await asyncio.to_thread(__import__, "httpx")  # importing holds the interpreter
            return await longest_gap(lambda: observation.watch(seconds=20))

    gap, took = asyncio.run(observe())
    server.shutdown()
    server.server_close()
    assert took >= SLOW
    assert gap < SLOW / 2


def test_calls_are_carried_out_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    async def observe() -> list[str]:
        async with AsyncFiling(Settings(tmp_path), send=False) as filing:
            observation = await filing.start(obs_unit=1)
            files = [FiledFile(f"a/{number}.g3", number) for number in range(20)]
            place = {"instrument": "prime-cam", "module": "280ghz", "location": "ccat_primecam_raw_data"}
            await asyncio.gather(*(observation.add_files([file], **place) for file in files), observation.finish())
        return [entry.document()["path"].rpartition("/")[2] for entry in Spool(tmp_path).waiting()]

    assert asyncio.run(observe()) == ["start", *["bulk"] * 20, "finish"]
