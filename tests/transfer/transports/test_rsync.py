"""rsync over ssh, for real: an sshd on loopback is the other host."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest

from ccatdc.common.errors import TransportError
from datamgmt.models import DiskDataLocation
from datamgmt.storage.registration import register
from tests.factories.datamgmt import DiskDataLocationFactory, SiteFactory
from tests.transfer.operations.spoiling import put_on_bad_sector
from tests.transfer.transports.contract import StillHeld, TransportContract
from transfer.routing.sources import OriginUnreadableError
from transfer.transports import Attempt, Place
from transfer.transports.other_host import OtherHost
from transfer.transports.rsync import Rsync


class Stopped(Exception):
    """The lease says stop."""


@pytest.mark.django_db
class TestRsync(TransportContract):
    """The destination is a folder of "another host"."""

    transport = Rsync()

    @pytest.fixture(autouse=True)
    def places(self, tmp_path: Path, db: None, ssh_command: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CCATDC_SSH_COMMAND", ssh_command)
        self.origin = DiskDataLocationFactory.create(name="origin", path=str(tmp_path / "origin"), registered_at=None)
        self.destination = DiskDataLocationFactory.create(
            site=SiteFactory.create(short_name="cologne"),
            name="destination",
            registered_at=None,
            path=str(tmp_path / "destination with space"),
            host="127.0.0.1",
            user=getpass.getuser(),
        )
        register(self.origin, create=True)
        register(self.destination, create=True)

    def part(self, key: str, attempt: str) -> Path:
        return Path(OtherHost.of(Place(self.destination), "rsync", self.transport.parameters).part(key, attempt))

    def test_a_disk_without_a_host_is_not_for_rsync(self) -> None:
        here = DiskDataLocation(path="/nowhere", site=self.origin.site, name="here")

        assert not self.transport.can_move(Place(self.origin), Place(here))

    def test_a_host_that_refuses_is_an_error_that_may_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CCATDC_SSH_COMMAND", "ssh -p 1")
        cargo = self.cargo()
        with pytest.raises(TransportError) as caught:
            self.move(cargo)

        assert (caught.value.code, caught.value.retryable) == ("transport.rsync", True)

    def test_a_stopped_operation_takes_rsync_along(self) -> None:
        class TakenAway(StillHeld):
            def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
                raise Stopped

        cargo = self.cargo()
        with pytest.raises(Stopped):
            self.transport.move(cargo, Place(self.origin), Place(self.destination), Attempt("7-1"), TakenAway())

        assert not (Path(self.destination.path) / cargo.destination_key).exists()
        self.transport.discard_attempt(cargo.destination_key, "7-1", Place(self.destination))
        assert self.left_at_destination() == []

    @pytest.mark.parametrize("is_bad", [True, False], ids=["bad sector", "good disk"])
    def test_who_is_to_blame_when_rsync_could_not_do_all_is_found_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_bad: bool
    ) -> None:
        program = tmp_path / "bin" / "rsync"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\necho 'some files were not transferred' >&2\nexit 23\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        cargo = self.cargo()
        if is_bad:
            put_on_bad_sector(monkeypatch, Path(self.origin.path) / cargo.origin_key)
        with pytest.raises(OriginUnreadableError if is_bad else TransportError):
            self.move(cargo)

        assert self.transport.received(cargo.destination_key, Place(self.destination)) is None
