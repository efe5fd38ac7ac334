"""The contract of transports: move one file from one location to another and say what was proved about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from datamgmt.storage.base import LocationStorage
from transfer.holding import Held


@dataclass(frozen=True, slots=True)
class Cargo:
    """One file to move. ``digest`` (``blake3:<hex>``) and ``size`` (bytes) are what must arrive."""

    origin_key: str
    destination_key: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What arrived. ``verified``: the BLAKE3 of the received bytes was compared before the file got its name."""

    size: int
    seconds: float
    verified: bool


class Transport(ABC):
    """A way to move bytes. Everything it writes holds the attempt in its name and appears whole or not at all."""

    name: ClassVar[str]

    @abstractmethod
    def can_move(self, origin: LocationStorage, destination: LocationStorage) -> bool:
        """Whether this host can move from one to the other this way."""

    @abstractmethod
    def move(
        self,
        cargo: Cargo,
        origin: LocationStorage,
        destination: LocationStorage,
        attempt: str,
        lease: Held,
    ) -> Moved:
        """Move one file. :class:`TransportError` or :class:`StorageError` when a retry may help,
        :class:`DataIntegrityError` when the origin does not have what it should.
        """
