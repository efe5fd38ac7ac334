"""Copying between two mounted disks."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccatdc.common.errors import DataIntegrityError
from datamgmt.storage.registration import register
from tests.factories.datamgmt import DiskDataLocationFactory, SiteFactory
from tests.transfer.transports.contract import KEY, TransportContract
from transfer.transports import Place
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
