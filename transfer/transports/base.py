"""The contract of transports: move one file from one location to another and say what was proved about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Final, Self

from datamgmt.models import DataLocation
from datamgmt.storage import storage_for
from datamgmt.storage.base import LocationStorage
from transfer.engine.worker.lease import LeaseHandle
from transfer.models.transport_parameters import TransportParameters

#: The code of an error that says that a program broke down: fewer streams may help.
CRASHED: Final = "transport.crashed"


class Place:
    """One end of a move: the location's row, and its bytes as this host sees them (if it does)."""

    def __init__(self, location: DataLocation) -> None:
        self.location = location

    @cached_property
    def storage(self) -> LocationStorage:
        """The bytes; made when first asked for, since a remote end may have no storage here."""
        return storage_for(self.location)

    def __str__(self) -> str:
        return self.location.full_name


@dataclass(frozen=True, slots=True)
class Cargo:
    """One file to move. ``digest`` (``blake3:<hex>``) and ``size`` (bytes) are what must arrive."""

    origin_key: str
    destination_key: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who moves: its name, and the destination keys and names of the attempts before it at the same file."""

    name: str
    earlier: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Transport(ABC):
    """A way to move bytes, with the parameters of a route. Everything it writes holds the attempt in its name and appears
    whole or not at all.
    """

    parameters: TransportParameters = field(default_factory=TransportParameters)

    name: ClassVar[str]
    #: Whether the BLAKE3 of the received bytes is compared before the file gets its name; else stage 40 reads what arrived.
    proves: ClassVar[bool]

    def with_streams(self, streams: int) -> Self:
        """The same with so many streams."""
        return replace(self, parameters=replace(self.parameters, streams=streams))

    @property
    def streams(self) -> int:
        """How many TCP streams it uses in all."""
        return 1

    @property
    def files_at_once(self) -> int:
        """How many files :meth:`move` may move at the same time, each called by a thread of its own."""
        return 1

    @abstractmethod
    def can_move(self, origin: Place, destination: Place) -> bool:
        """Whether this host can move from one to the other this way."""

    @abstractmethod
    def move(self, cargo: Cargo, origin: Place, destination: Place, attempt: Attempt, lease: LeaseHandle) -> None:
        """Move one file; ``lease`` is told the bytes of it. What an earlier attempt left of it is gone on with, where
        the destination can do that. :class:`TransportError` or :class:`StorageError` when a retry may help,
        :class:`OriginError` when the origin does not have what it should.
        """

    def received(self, key: str, destination: Place) -> int | None:
        """Bytes of the file that is at the destination under ``key``; None when there is none."""
        storage = destination.storage
        return storage.stat(key).size if storage.exists(key) else None

    def discard_attempt(self, key: str, attempt: str, destination: Place) -> None:
        """Remove what a killed attempt left of writing ``key`` at the destination; no finished file."""
        destination.storage.discard_attempt(key, attempt)
