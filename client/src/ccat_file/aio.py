"""The Python API for asyncio: the same calls, run one after another in a thread of their own.

A call that spools waits for the disk (fsync), and starting a sender takes a moment; neither may hold up an event loop
that reads out an instrument.

async with AsyncFiling() as filing:
    observation = await filing.start(program="GPS", obs_unit_name="Orion-KL polarization")
    await observation.add_files(files, instrument="prime-cam", module="280ghz", location="ccat_primecam_raw_data")
    await observation.finish(quality="good")

With Twisted, ``deferToThread(observation.add_files, files, …)`` does the same for :class:`ccat_file.Filing`, whose
objects may be used by several threads; ``Deferred.fromFuture(asyncio.ensure_future(…))`` takes the calls of this module
where the reactor is asyncio's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, TypeVar
from uuid import UUID

from ccat_file.filing import DataStream, Filing, Observation
from ccat_file.rows import FiledFile
from ccat_file.settings import Settings
from ccat_file.watching import Sight, watch

T = TypeVar("T")


class AsyncFiling:
    """:class:`ccat_file.Filing` for asyncio. Calls that were made are carried out in their order.

    Waiting (:meth:`AsyncObservation.wait`, :meth:`AsyncObservation.watch`) has threads of its own, so that it holds up no
    other call. A call whose task was cancelled is still carried out: cancelling ends the waiting for it.
    """

    def __init__(self, settings: Settings | None = None, *, send: bool = True) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="ccat-file")
        self._making = partial(Filing, settings, send=send)
        self._filing: Filing | None = None

    async def start(self, **fields: Any) -> AsyncObservation:
        """An observation begins; fields as of :meth:`ccat_file.Filing.start`. Raises UsageError, SpoolError."""
        return AsyncObservation(self, await self.run(lambda: self._made().start(**fields)))

    async def observation(self, observation: UUID | str) -> AsyncObservation:
        """One that was started before, here or elsewhere."""
        return AsyncObservation(self, await self.run(lambda: self._made().observation(observation)))

    async def stream(self, *, instrument: str, module: str, name: str) -> AsyncDataStream:
        """A data stream of a module, by short names."""
        made = await self.run(lambda: self._made().stream(instrument=instrument, module=module, name=name))
        return AsyncDataStream(self, made)

    async def status(self) -> dict[str, Any]:
        """Numbers of waiting calls, and the refused ones with the server's answers."""
        return await self.run(lambda: self._made().status())

    async def run(self, call: Callable[[], T]) -> T:
        """Carry out a call of this package in the thread, after those before it."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, call)

    async def watch(self, observation: Observation, **options: Any) -> Sight:
        """As :func:`ccat_file.watch`, in a thread of its own."""
        return await asyncio.to_thread(lambda: watch(self._made(), observation, **options))

    async def close(self) -> None:
        """Carry out what was called, then end the thread."""
        await asyncio.to_thread(self._worker.shutdown)

    async def __aenter__(self) -> AsyncFiling:
        """Look at the settings and the spool. Raises SettingsError, SpoolError."""
        await self.run(self._made)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As :meth:`close`."""
        await self.close()

    def _made(self) -> Filing:
        """It touches the disk, so that it is made in the thread too."""
        if self._filing is None:
            self._filing = self._making()
        return self._filing


class AsyncObservation:
    """:class:`ccat_file.Observation` for asyncio."""

    def __init__(self, filing: AsyncFiling, observation: Observation) -> None:
        self.id = observation.id
        self._filing, self._observation = filing, observation

    async def add_files(self, files: Iterable[FiledFile], *, instrument: str, module: str, location: str) -> int:
        """File any number of files, of one module at one SOURCE location. Raises UsageError, SpoolError."""
        add = partial(self._observation.add_files, instrument=instrument, module=module, location=location)
        return await self._filing.run(lambda: add(files))

    async def finish(self, status: str = "completed", **fields: Any) -> None:
        """It is over; fields as of :meth:`ccat_file.Observation.finish`. Raises UsageError, SpoolError."""
        await self._filing.run(lambda: self._observation.finish(status, **fields))

    async def wait(self, seconds: float) -> None:
        """Wait until the server has accepted every call of it. Raises RefusedError, StillWaitingError."""
        await asyncio.to_thread(self._observation.wait, seconds)

    async def watch(self, *, seconds: float | None = None, interval: float = 10.0, at: str = "") -> Sight:
        """Wait until it is archived. Raises RefusedError, SettingsError, StillWaitingError."""
        return await self._filing.watch(
            self._observation, seconds=seconds, interval=interval, at=at, tell=lambda _: None
        )


class AsyncDataStream:
    """:class:`ccat_file.DataStream` for asyncio."""

    def __init__(self, filing: AsyncFiling, stream: DataStream) -> None:
        self._filing, self._stream = filing, stream

    async def add_files(self, files: Iterable[FiledFile], *, location: str) -> int:
        """File any number of files, each with the times of its data. Raises UsageError, SpoolError."""
        return await self._filing.run(lambda: self._stream.add_files(files, location=location))
