"""``python -m benchmarks long_link``: the transport rsync over a link of 220 ms with losses, with N streams and with one, in turns.

Two hosts in network namespaces (wide_area), a real sshd and real rsync. Prints the rate of each, medians, and their ratio.
Needs root, openssh-server, rsync and /dev/net/tun; no database.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Final
from uuid import uuid4

from benchmarks.wide_area import Conditions, Host, WideAreaLink
from ccatdc.dev.processes import end

PORT: Final = 2222
MIB: Final = 1 << 20


class Held:
    """A lease that nobody takes away."""

    def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
        """Go on."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--packages", type=int, default=16)
    parser.add_argument("--mib", type=int, default=8, help="of each package")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loss", type=float, default=2e-4)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    os.environ.setdefault("CCATDC_DEBUG", "1")
    os.environ.setdefault("DATABASE_URL", "postgres://unused/unused")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ccatdc.settings.base")
    import django

    django.setup()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with WideAreaLink(Conditions(delay=0.11, loss=given.loss, rate=125e6), log=folder / "link.log") as link:
            ssh = start_sshd(link, folder)
            try:
                wait_for_sshd(folder)
                rates = measure(folder, given)
            finally:
                end(ssh, [(signal.SIGTERM, 5.0)])
    one, many = (statistics.median(rates[n]) for n in (1, given.streams))
    result = {"rates_mb_s": rates, "one_mb_s": one, "many_mb_s": many, "ratio": many / one}
    if given.json:
        print(json.dumps(result))
    else:
        print(f"1 stream {one:.2f} MB/s, {given.streams} streams {many:.2f} MB/s: {many / one:.1f} times. {rates}")
    return 0


def start_sshd(link: WideAreaLink, folder: Path) -> subprocess.Popen[bytes]:
    """At the far host; the ssh command of the near one is put into the environment."""
    for key in ("host", "user"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
        subprocess.run(make, check=True, timeout=30)
    shutil.copy(folder / "user.pub", folder / "authorized")
    Path("/run/sshd").mkdir(exist_ok=True)
    options = {
        "Port": PORT,
        "ListenAddress": Host.FAR.value,
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "yes",
        "MaxStartups": 100,
        "PidFile": folder / "pid",
    }
    words = [word for option, value in options.items() for word in ("-o", f"{option}={value}")]
    namespace = f"/proc/{link.holder(Host.NEAR)}/ns/net"
    os.environ["CCATDC_SSH_COMMAND"] = (
        f"nsenter --net={namespace} ssh -p {PORT} -i {folder}/user -o StrictHostKeyChecking=no"
        f" -o UserKnownHostsFile={folder}/known -o LogLevel=ERROR"
    )
    with (folder / "sshd.log").open("wb") as log:
        program = shutil.which("sshd") or "/usr/sbin/sshd"
        return link.start(Host.FAR, [program, "-D", "-e", "-f", "/dev/null", *words], output=log)


def wait_for_sshd(folder: Path) -> None:
    """Until a login succeeds."""
    for _ in range(30):
        command = [*os.environ["CCATDC_SSH_COMMAND"].split(), f"{getpass.getuser()}@{Host.FAR.value}", "true"]
        if subprocess.run(command, check=False, timeout=60, stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.5)
    raise SystemExit((folder / "sshd.log").read_text())


def measure(folder: Path, given: argparse.Namespace) -> dict[int, list[float]]:
    """Bytes a second of each run, in 10^6, by number of streams."""
    from datamgmt.models import DiskDataLocation, Site
    from datamgmt.storage.identity import Marker
    from datamgmt.storage.keys import MARKER_KEY
    from transfer.engine.worker.lease import LeaseHandle
    from transfer.models.transport_parameters import TransportParameters
    from transfer.operations.streams import Streams
    from transfer.transports import Attempt, Cargo, Place
    from transfer.transports.rsync import Rsync

    places = []
    for name, host in (("near", ""), ("far", Host.FAR.value)):
        root = folder / name
        location = DiskDataLocation(
            site=Site(short_name="link"), name=name, path=str(root), host=host, user=getpass.getuser(), uuid=uuid4()
        )
        marker = root / MARKER_KEY
        marker.parent.mkdir(parents=True)
        marker.write_bytes(Marker(location.uuid, location.full_name).to_bytes())
        places.append(Place(location))
    near, far = places
    for number in range(given.packages):
        (folder / "near" / f"{number}.tar").write_bytes(os.urandom(given.mib * MIB))
    _ = near.storage
    rates: dict[int, list[float]] = {1: [], given.streams: []}
    for number in range(given.rounds):
        for streams, found in rates.items():
            transport = Rsync(TransportParameters(streams=streams))
            attempt = Attempt(f"{number}-{streams}")

            def move(key: str, lease: LeaseHandle, transport: Rsync = transport, attempt: Attempt = attempt) -> None:
                cargo = Cargo(key, f"{attempt.name}/{key}", given.mib * MIB, "")
                transport.move(cargo, near, far, attempt, lease)

            began = time.monotonic()
            keys = [f"{n}.tar" for n in range(given.packages)]
            with closing(Streams[str, None](Held(), transport.files_at_once).run(keys, move)) as ended:
                for _key, result in ended:
                    result()
            rate = given.packages * given.mib * MIB / (time.monotonic() - began) / 1e6
            found.append(round(rate, 2))
            print(f"{streams} streams: {rate:.2f} MB/s", file=sys.stderr, flush=True)
            shutil.rmtree(folder / "far" / attempt.name)
    return rates


if __name__ == "__main__":
    sys.exit(main())
