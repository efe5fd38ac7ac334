"""Two hosts far apart, on one machine: for tests and benchmarks of what crosses the long link.

Each host is a network namespace with a TUN device; one process carries the packets between the two
with a delay, a loss and a rate, and can cut the link. In user space, so that it needs no kernel
module (``sch_netem``), no ``ip`` command and, where user namespaces are allowed, no root.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self, cast

from ccatdc.common.errors import ConfigurationError, ExternalError
from ccatdc.dev.processes import end

_ROOT: Final = Path(__file__).resolve().parents[1]
_CARRIER: Final = ("-m", "benchmarks.wide_area_carrier")


class Host(Enum):
    """The two ends; the value is its address on the link."""

    NEAR = "10.213.0.1"
    FAR = "10.213.0.2"


@dataclass(frozen=True)
class Conditions:
    """What the link is like, in both directions. Defaults: nothing in the way."""

    delay: float = 0.0
    """Seconds one way; half of the round trip."""
    loss: float = 0.0
    """Probability that a packet is lost."""
    rate: float = 0.0
    """Bytes a second, 0 for as fast as it can."""


class WideAreaLink:
    """A context manager; inside it :meth:`start` runs programs on either host.

    ``log`` gets what the carrier says. Raises ConfigurationError where the machine allows no
    network namespaces or TUN devices.
    """

    def __init__(self, conditions: Conditions, *, log: Path) -> None:
        self._conditions = conditions
        self._log = log
        self._carrier: subprocess.Popen[bytes] | None = None
        self._wishes: IO[bytes]
        self._answers: IO[bytes]
        self._holders: dict[Host, int] = {}

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._carrier = subprocess.Popen(
                [sys.executable, *_CARRIER],
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        # Both are there: they were asked for as pipes.
        self._wishes = cast("IO[bytes]", self._carrier.stdin)
        self._answers = cast("IO[bytes]", self._carrier.stdout)
        answer = self._answers.readline()
        if not answer:
            code = self._carrier.wait()
            raise ConfigurationError(
                f"No two hosts on this machine: the carrier ended with {code}; see {self._log}.",
                code="link.no_network_namespaces",
                remedy="Run it as root, or allow user namespaces and /dev/net/tun.",
            )
        near, far = json.loads(answer)
        self._holders = {Host.NEAR: near, Host.FAR: far}
        self.change(self._conditions)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            self._wishes.close()
            self._answers.close()
            end(carrier, [(signal.SIGTERM, 5.0)])

    def change(self, conditions: Conditions) -> None:
        """What the link is like from now on; also mends it."""
        self._say({"delay": conditions.delay, "loss": conditions.loss, "rate": conditions.rate})
        self._conditions = conditions

    def cut(self) -> None:
        """Not a packet passes any more, those under way included. As with a cable, nobody is told."""
        self._say({"cut": True})

    def mend(self) -> None:
        """The link as it was before it was cut."""
        self.change(self._conditions)

    def start(
        self,
        host: Host,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        output: IO[bytes] | int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a program on one of the hosts; the caller ends it. Files, unix sockets and processes
        are shared, only the network is the host's own.
        """
        holder = self._holders[host]
        enter = ["nsenter", f"--net=/proc/{holder}/ns/net"]
        if os.geteuid() != 0:
            enter += [f"--user=/proc/{holder}/ns/user", "--preserve-credentials"]
        return subprocess.Popen(
            [*enter, "--", *(str(part) for part in command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            env=None if environment is None else dict(environment),
            start_new_session=True,
        )

    def holder(self, host: Host) -> int:
        """The process whose network namespace is the host's."""
        return self._holders[host]

    def _say(self, wish: Mapping[str, float | bool]) -> None:
        self._wishes.write(json.dumps(wish).encode() + b"\n")
        self._wishes.flush()
        if self._answers.readline() != b"ok\n":
            raise ExternalError(f"The carrier of the link has ended; see {self._log}.", code="link.gone")
