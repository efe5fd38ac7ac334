"""rsync over ssh, for real: an sshd on loopback is the other host. Needs rsync, openssh-server and root (Debian packages)."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
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
from transfer.transports.rsync import Rsync, _part

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


class Stopped(Exception):
    """The lease says stop."""


@pytest.fixture(scope="module")
def ssh_command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An sshd of our own with one key; the ssh command that reaches it."""
    missing = [
        package
        for program, package in ((SSHD, "openssh-server"), ("rsync", "rsync"), ("ssh", "openssh-client"))
        if shutil.which(program) is None
    ]
    if missing or os.geteuid() != 0:
        reason = f"needs root and {', '.join(missing) or 'nothing else'}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True, timeout=30)
    shutil.copy(folder / "user.pub", folder / "authorized")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    Path("/run/sshd").mkdir(exist_ok=True)
    options = [
        f"Port={port}",
        "ListenAddress=127.0.0.1",
        f"HostKey={folder}/host",
        f"AuthorizedKeysFile={folder}/authorized",
        "StrictModes=no",
        "UsePAM=no",
        "PermitRootLogin=yes",
        f"PidFile={folder}/pid",
    ]
    command = [SSHD, "-D", "-e", "-f", "/dev/null"]
    for option in options:
        command += ["-o", option]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield (
            f"ssh -p {port} -i {folder}/user -o StrictHostKeyChecking=no"
            f" -o UserKnownHostsFile={folder}/known -o LogLevel=ERROR"
        )
    finally:
        server.terminate()
        server.wait(timeout=10)


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
        return Path(_part(self.destination, key, attempt))

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
