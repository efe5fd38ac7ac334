"""bbcp: a stand-in (bbcp_stand_in.py) moves the bytes, over a command that runs in place of ssh, and once over an sshd on
loopback. With ``CCATDC_TEST_BBCP`` the path of a real bbcp, that one does, where a test needs none that misbehaves.
"""

from __future__ import annotations

import getpass
import os
import shutil
import sys
from pathlib import Path

import pytest

from ccatdc.common.errors import ConfigurationError, NoSpaceError, TransportError
from datamgmt.storage.registration import register
from tests.factories.datamgmt import DiskDataLocationFactory, SiteFactory
from tests.transfer.bbcp import REAL
from tests.transfer.operations.spoiling import put_on_bad_sector
from tests.transfer.transports import bbcp_stand_in
from tests.transfer.transports.contract import CONTENT, KEY, StillHeld, TransportContract
from transfer.models.transport_parameters import TransportParameters
from transfer.routing.sources import OriginUnreadableError
from transfer.transports import Attempt, Cargo, Place, program
from transfer.transports.bbcp import Bbcp
from transfer.transports.other_host import OtherHost

needs_stand_in = pytest.mark.skipif(bool(REAL), reason="a real bbcp does not misbehave on request")


class Counted(StillHeld):
    """A lease that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
        self.told.append(done_bytes or 0)


@pytest.mark.django_db
class TestBbcp(TransportContract):
    """The destination is a folder of "another host"; bbcp is in the PATH at both."""

    transport = Bbcp(TransportParameters.of("bbcp", {"streams": 2, "window_bytes": 1 << 20}))

    @pytest.fixture(autouse=True)
    def places(self, tmp_path: Path, db: None, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CCATDC_SSH_COMMAND", str(programs / "ssh_here"))
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
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
        host = OtherHost.of(Place(self.destination), "bbcp", self.transport.parameters, in_folders=True)
        return Path(host.part(key, attempt)) / "part"

    def move(self, cargo: Cargo, attempt: str = "7-1", earlier: tuple[tuple[str, str], ...] = ()) -> None:
        """Parts that :meth:`leave` made are signed, as bbcp would have done; its signature of a file is its own matter."""
        source = Path(self.origin.path) / cargo.origin_key
        for each in earlier:
            part = self.part(*each)
            if part.exists():
                found = bbcp_stand_in.signature(source).split()[:3]
                (part.parent / "bbcp.localhost.1.part").write_text(" ".join([*found, "part"]))
        super().move(cargo, attempt, earlier)

    @needs_stand_in
    def test_what_an_earlier_attempt_received_is_not_sent_again(self) -> None:
        super().test_what_an_earlier_attempt_received_is_not_sent_again()

    @needs_stand_in
    def test_the_longest_part_is_gone_on_with_and_the_others_go(self) -> None:
        super().test_the_longest_part_is_gone_on_with_and_the_others_go()

    def test_a_part_of_another_source_is_sent_anew(self) -> None:
        cargo = self.cargo()
        part = self.leave("packages/a.7-0.tar", "7-0", b"X" * 50_000)
        (part.parent / "bbcp.localhost.1.part").write_text("another file")
        super().move(cargo, earlier=(("packages/a.7-0.tar", "7-0"),))

        assert (Path(self.destination.path) / KEY).read_bytes() == CONTENT
        assert self.left_at_destination() == [KEY]

    def test_it_arrives_over_a_real_ssh(
        self, tmp_path: Path, ssh_command: str, programs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The PATH of the other side, which no test may change for the whole machine: a prefix of every command there.
        wrapper = tmp_path / "ssh_there"
        wrapper.write_text(
            f"#!{sys.executable} -I\nimport os, sys\nwords = sys.argv[1:]\nat = words.index('--') + 2\n"
            f"words[at] = 'PATH={programs}:$PATH; ' + words[at]\n"
            f"command = {ssh_command.split()!r} + words\nos.execvp(command[0], command)\n"
        )
        wrapper.chmod(0o755)
        monkeypatch.setenv("CCATDC_SSH_COMMAND", str(wrapper))
        self.move(self.cargo())

        assert (Path(self.destination.path) / KEY).read_bytes() == CONTENT
        assert self.left_at_destination() == [KEY]

    def test_its_progress_is_told(self) -> None:
        lease = Counted()
        self.transport.move(self.cargo(), Place(self.origin), Place(self.destination), Attempt("7-1"), lease)

        assert lease.told
        assert max(lease.told) <= len(CONTENT)

    @pytest.mark.parametrize("end", ["here", "there"])
    def test_where_it_is_missing_is_said_and_found_when_it_is_there(
        self, monkeypatch: pytest.MonkeyPatch, programs: Path, end: str
    ) -> None:
        cargo = self.cargo()
        with monkeypatch.context() as patch:
            if end == "there":
                patch.setenv("CCATDC_SSH_COMMAND", str(programs / "ssh_to_bare_host"))
            else:
                patch.setattr(shutil, "which", lambda _name: None)
            with pytest.raises(TransportError) as caught:
                self.move(cargo)

        assert (caught.value.code, caught.value.retryable) == ("transport.no_program", True)
        assert not caught.value.consumes_attempt
        assert ("127.0.0.1" in str(caught.value)) == (end == "there")
        self.move(cargo)
        assert self.left_at_destination() == [KEY]

    @needs_stand_in
    def test_one_that_crashes_is_gone_on_with(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cargo = self.cargo()
        with monkeypatch.context() as patch:
            patch.setenv("BBCP_STAND_IN", "crashes")
            patch.setenv("BBCP_BYTES", "60000")
            with pytest.raises(TransportError) as caught:
                self.move(cargo)
        assert caught.value.code == "transport.crashed"
        assert self.transport.received(KEY, Place(self.destination)) is None
        part = self.part(KEY, "7-1")
        assert part.stat().st_size == 60_000
        part.write_bytes(b"Y" * 60_000)
        super().move(cargo, attempt="7-2", earlier=((KEY, "7-1"),))

        # Not sent again: stage 40 reads what arrived.
        assert (Path(self.destination.path) / KEY).read_bytes() == b"Y" * 60_000 + CONTENT[60_000:]

    @needs_stand_in
    def test_one_that_hangs_is_ended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BBCP_STAND_IN", "hangs")
        monkeypatch.setattr(program, "SILENCE_SECONDS", 1.0)
        cargo = self.cargo()
        with pytest.raises(TransportError) as caught:
            self.move(cargo)

        assert caught.value.code == "transport.stalled"

    @needs_stand_in
    def test_one_that_lies_is_found_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BBCP_STAND_IN", "lies")
        cargo = self.cargo()
        with pytest.raises(TransportError) as caught:
            self.move(cargo)

        assert caught.value.code == "transport.incomplete"
        assert self.transport.received(KEY, Place(self.destination)) is None
        monkeypatch.delenv("BBCP_STAND_IN")
        self.move(cargo, attempt="7-2", earlier=((KEY, "7-1"),))
        assert self.left_at_destination() == [KEY]

    @needs_stand_in
    @pytest.mark.parametrize("is_bad", [True, False], ids=["bad sector", "good disk"])
    def test_who_is_to_blame_when_it_could_not_read_is_found_out(
        self, monkeypatch: pytest.MonkeyPatch, is_bad: bool
    ) -> None:
        monkeypatch.setenv("BBCP_STAND_IN", "bad sector")
        cargo = self.cargo()
        if is_bad:
            put_on_bad_sector(monkeypatch, Path(self.origin.path) / cargo.origin_key)
        with pytest.raises(OriginUnreadableError if is_bad else TransportError):
            self.move(cargo)

    def test_a_full_disk_there_is_no_fault_of_the_link(self) -> None:
        host = OtherHost.of(Place(self.destination), "bbcp", self.transport.parameters)
        said = "bbcp: Insufficient space to copy all the files from localhost"

        assert isinstance(host.failure("bbcp ended with 28", said), NoSpaceError)

    def test_a_path_that_it_cannot_be_told_is_refused(self) -> None:
        cargo = self.cargo()
        self.destination.path += "  two blanks"
        with pytest.raises(ConfigurationError) as caught:
            self.move(cargo)

        assert caught.value.code == "transport.none_can"
