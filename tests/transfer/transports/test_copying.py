"""Copying between two mounted disks."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from ccatdc.common.errors import DataIntegrityError, TransportError
from datamgmt.storage.disk.parts import part_prefix
from datamgmt.storage.registration import register
from tests.factories.datamgmt import DiskDataLocationFactory, SiteFactory
from tests.transfer.transports.contract import CONTENT, KEY, StillHeld, TransportContract
from transfer.transports import Attempt, Place
from transfer.transports.copying import Copying


@pytest.mark.django_db
class TestCopying(TransportContract):
    """Both ends are folders here."""

    transport = Copying()

    @pytest.fixture(autouse=True)
    def places(self, tmp_path: Path, db: None) -> None:
        self.origin = DiskDataLocationFactory.create(name="origin", path=str(tmp_path / "origin"), registered_at=None)
        self.destination = DiskDataLocationFactory.create(
            site=SiteFactory.create(short_name="cologne"),
            name="destination",
            registered_at=None,
            path=str(tmp_path / "destination"),
        )
        register(self.origin, create=True)
        register(self.destination, create=True)

    def part(self, key: str, attempt: str) -> Path:
        name = f"{part_prefix(key, attempt)}{uuid4().hex}.part"
        return Path(self.destination.path) / ".ccatdc/parts" / name

    def test_one_that_was_spoiled_is_sent_again_from_the_beginning(self) -> None:
        cargo = self.cargo()
        self.leave("packages/a.7-0.tar", "7-0", b"\0" * 50_000)
        self.move(cargo, earlier=(("packages/a.7-0.tar", "7-0"),))

        assert (Path(self.destination.path) / KEY).read_bytes() == CONTENT
        assert self.left_at_destination() == [KEY]

    def test_one_that_a_worker_still_has_open_is_left_to_it(self) -> None:
        cargo = self.cargo()
        part = self.leave("packages/a.7-0.tar", "7-0", CONTENT[:50_000])
        with part.open("ab") as stream:
            self.move(cargo, earlier=(("packages/a.7-0.tar", "7-0"),))
            stream.write(b"and woke up")

        assert (Path(self.destination.path) / KEY).read_bytes() == CONTENT
        assert self.left_at_destination() == [KEY]

    def test_what_was_received_when_it_failed_is_kept_for_the_next_attempt(self) -> None:
        class Gone(StillHeld):
            def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
                if done_bytes:
                    raise TransportError("The link is cut.")

        cargo = self.cargo()
        places = (Place(self.origin), Place(self.destination))
        with pytest.raises(TransportError):
            self.transport.move(cargo, *places, Attempt("7-0"), Gone())
        assert len(self.left_at_destination()) == 1
        (Path(self.origin.path) / cargo.origin_key).write_bytes(b"X" * len(CONTENT))
        self.move(cargo, earlier=((KEY, "7-0"),))

        assert (Path(self.destination.path) / KEY).read_bytes() == CONTENT
        assert self.left_at_destination() == [KEY]

    def test_bytes_that_differ_from_the_digest_never_get_the_name(self) -> None:
        cargo = self.cargo(digest="blake3:" + "00" * 32)
        with pytest.raises(DataIntegrityError) as caught:
            self.move(cargo)

        assert caught.value.code == "origin.damaged"
        assert self.left_at_destination() == []

    def test_it_cannot_move_to_a_place_that_is_not_mounted(self) -> None:
        (Path(self.destination.path) / ".ccatdc/location.json").unlink()

        assert not self.transport.can_move(Place(self.origin), Place(self.destination))
        assert self.transport.received(KEY, Place(self.origin)) is None
