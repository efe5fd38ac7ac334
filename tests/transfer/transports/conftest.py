"""Another host for the transports: an sshd of our own on loopback, one for the tests of a folder. Needs rsync,
openssh-server and root (Debian packages).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.transfer.bbcp import put_programs

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


@pytest.fixture(scope="package")
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


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with bbcp and what runs in place of ssh."""
    return put_programs(tmp_path / "bin")
