"""What every transport must do, on real bytes. Subclass and say what moves, from where to where."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccatdc.common.errors import CcatError, LocationIdentityError
from datamgmt.checksums import digest_stream
from datamgmt.models import DiskDataLocation
from transfer.transports import Attempt, Cargo, Place, Transport

CONTENT = b"\x00\xffbytes of a package\n" * 5000
KEY = "packages/2026/05/01/GEco name ü.7-1.tar"


class StillHeld:
    """A lease that nobody takes away."""

    def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
        """Go on."""


class TransportContract:
    """Cases for every transport."""

    transport: Transport
    origin: DiskDataLocation
    destination: DiskDataLocation

    def cargo(self, digest: str | None = None) -> Cargo:
        """One file at the origin."""
        source = Path(self.origin.path) / "bundles/file 1"
        source.parent.mkdir(exist_ok=True)
        source.write_bytes(CONTENT)
        with source.open("rb") as stream:
            size, found = digest_stream(stream)
        return Cargo("bundles/file 1", KEY, size, digest or found)

    def move(self, cargo: Cargo, attempt: str = "7-1", earlier: tuple[tuple[str, str], ...] = ()) -> None:
        """Move it."""
        places = (Place(self.origin), Place(self.destination))
        self.transport.move(cargo, *places, Attempt(attempt, earlier), StillHeld())

    def part(self, key: str, attempt: str) -> Path:
        """Where an attempt that was killed has left what it had received of a file."""
        raise NotImplementedError

    def leave(self, key: str, attempt: str, content: bytes) -> Path:
        """What a killed attempt left."""
        part = self.part(key, attempt)
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        return part

    def left_at_destination(self) -> list[str]:
        """Every file there but the marker."""
        root = Path(self.destination.path)
        files = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
        return [name for name in files if name != ".ccatdc/location.json"]

    def test_it_can_move_between_these(self) -> None:
        assert self.transport.can_move(Place(self.origin), Place(self.destination))

    def test_the_file_arrives_whole_under_its_key(self) -> None:
        self.move(self.cargo())

        assert (Path(self.destination.path) / KEY).read_bytes() == CONTENT
        assert self.left_at_destination() == [KEY]
        assert self.transport.received(KEY, Place(self.destination)) == len(CONTENT)

    def test_what_is_not_there_was_not_received(self) -> None:
        assert self.transport.received(KEY, Place(self.destination)) is None

    def test_nothing_is_replaced(self) -> None:
        there = Path(self.destination.path) / KEY
        there.parent.mkdir(parents=True)
        there.write_bytes(b"here first")
        cargo = self.cargo()
        with pytest.raises(CcatError):
            self.move(cargo)

        assert there.read_bytes() == b"here first"

    def test_a_destination_without_its_marker_gets_nothing(self) -> None:
        (Path(self.destination.path) / ".ccatdc/location.json").unlink()
        cargo = self.cargo()
        with pytest.raises(LocationIdentityError):
            self.move(cargo)

        assert self.left_at_destination() == []

    def test_what_an_earlier_attempt_received_is_not_sent_again(self) -> None:
        cargo = self.cargo()
        self.leave("packages/a.7-0.tar", "7-0", CONTENT[:50_000])
        origin = Path(self.origin.path) / cargo.origin_key
        origin.write_bytes(b"X" * 50_000 + CONTENT[50_000:])
        self.move(cargo, earlier=(("packages/a.7-0.tar", "7-0"),))

        assert (Path(self.destination.path) / KEY).read_bytes() == CONTENT
        assert self.left_at_destination() == [KEY]

    def test_the_longest_part_is_gone_on_with_and_the_others_go(self) -> None:
        cargo = self.cargo()
        earlier = tuple((f"packages/a.7-{n}.tar", f"7-{n}") for n in range(4))
        for (key, attempt), length in zip(earlier, (10, 60_000, 0, len(CONTENT) + 1), strict=True):
            self.leave(key, attempt, (CONTENT + b"more")[:length])
        origin = Path(self.origin.path) / cargo.origin_key
        origin.write_bytes(b"X" * 60_000 + CONTENT[60_000:])
        self.move(cargo, attempt="7-4", earlier=earlier)

        assert (Path(self.destination.path) / KEY).read_bytes() == CONTENT
        assert self.left_at_destination() == [KEY]

    def test_one_that_is_whole_gets_its_name(self) -> None:
        cargo = self.cargo()
        self.leave("packages/a.7-0.tar", "7-0", CONTENT)
        self.move(cargo, earlier=(("packages/a.7-0.tar", "7-0"),))

        assert (Path(self.destination.path) / KEY).read_bytes() == CONTENT
        assert self.left_at_destination() == [KEY]

    def test_leftovers_of_an_attempt_go_and_finished_files_stay(self) -> None:
        self.move(self.cargo())
        self.transport.discard_attempt(KEY, "7-1", Place(self.destination))

        assert self.left_at_destination() == [KEY]
