"""Two hosts and the link between them: what the tests of the telescope's gateway stand on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.wide_area import Conditions, Host, WideAreaLink
from ccatdc.common.errors import ConfigurationError

PATIENCE = 60.0
PORT = "9000"
#: Sends everything back.
ECHO = """
import socket, sys
with socket.create_server((sys.argv[1], int(sys.argv[2]))) as server:
    print("up", flush=True)
    while True:
        connection, _ = server.accept()
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)
"""
#: Prints the seconds until its byte is back, or what became of it within so many seconds.
ASK = """
import socket, sys, time
address = sys.argv[1], int(sys.argv[2])
try:
    with socket.create_connection(address, timeout=float(sys.argv[3])) as connection:
        begin = time.monotonic()
        connection.sendall(b"?")
        assert connection.recv(1) == b"?"
        print(time.monotonic() - begin)
except OSError as error:
    print(type(error).__name__)
"""


@pytest.fixture
def link(tmp_path: Path) -> Iterator[WideAreaLink]:
    try:
        with WideAreaLink(Conditions(), log=tmp_path / "carrier.log") as link:
            yield link
    except ConfigurationError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture
def echo(link: WideAreaLink) -> Iterator[None]:
    command = [sys.executable, "-c", ECHO, Host.FAR.value, PORT]
    server = link.start(Host.FAR, command, output=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.readline() == b"up\n"
    yield
    server.kill()
    server.wait()
    server.stdout.close()


def ask(link: WideAreaLink, patience: float = PATIENCE) -> str:
    command = [sys.executable, "-c", ASK, Host.FAR.value, PORT, str(patience)]
    asker = link.start(Host.NEAR, command, output=subprocess.PIPE)
    answer, _ = asker.communicate(timeout=PATIENCE + 30)
    return answer.decode().strip()


@pytest.mark.usefixtures("echo")
def test_a_byte_takes_both_ways(link: WideAreaLink) -> None:
    link.change(Conditions(delay=0.11))
    assert float(ask(link)) >= 0.22


@pytest.mark.usefixtures("echo")
def test_what_is_lost_does_not_arrive(link: WideAreaLink) -> None:
    link.change(Conditions(loss=1.0))
    assert ask(link, patience=1.5) == "TimeoutError"


@pytest.mark.usefixtures("echo")
def test_a_cut_link_carries_nothing_until_it_is_mended(link: WideAreaLink) -> None:
    link.cut()
    assert ask(link, patience=1.5) == "TimeoutError"
    link.mend()
    assert float(ask(link)) >= 0.0


def test_the_hosts_share_no_network_with_us(link: WideAreaLink) -> None:
    interfaces = "import socket; print(sorted(name for _, name in socket.if_nameindex()))"
    asker = link.start(Host.NEAR, [sys.executable, "-c", interfaces], output=subprocess.PIPE)
    answer, _ = asker.communicate(timeout=PATIENCE)
    # Kernels may add tunnels that are down (sit0) to every namespace.
    assert "'lo'" in answer.decode()
    assert "'wan0'" in answer.decode()
    assert "'eth0'" not in answer.decode()


def test_it_goes_when_we_are_killed(tmp_path: Path) -> None:
    """The carrier ends with its input, and the holders of the hosts with the carrier."""
    script = (
        "from pathlib import Path; import sys, time\n"
        "from benchmarks.wide_area import *\n"
        "with WideAreaLink(Conditions(), log=Path(sys.argv[1])) as link:\n"
        "    print(*link._holders.values(), flush=True)\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "carrier.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        holders = [int(pid) for pid in starter.stdout.readline().split()]
        starter.kill()
    if not holders and not os.environ.get("CI"):
        pytest.skip("No network namespaces on this machine.")
    assert len(holders) == 2
    deadline = time.monotonic() + PATIENCE
    while any(Path(f"/proc/{pid}").exists() for pid in holders):
        assert time.monotonic() < deadline, "the hosts outlive who made them"
        time.sleep(0.05)


def test_a_machine_without_namespaces_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.wide_area._CARRIER", ("-c", "raise SystemExit('not permitted')"))
    with (
        pytest.raises(ConfigurationError, match="user namespaces") as caught,
        WideAreaLink(Conditions(), log=tmp_path / "carrier.log"),
    ):
        pass
    assert caught.value.code == "link.no_network_namespaces"
    assert (tmp_path / "carrier.log").read_text() == "not permitted\n"
