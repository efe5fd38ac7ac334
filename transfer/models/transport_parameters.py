"""What a route may tell its transport: the names, limits and units of ``route.parameters``, by method.

Stands beside transfer/models/routes.py, which refuses a route whose parameters are wrong when it is saved; stage 30 reads
them once more from the row. They stand on command lines of ssh, rsync and bbcp: every value is a number within limits or
one of few forms, never a command, a file name or a host.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from ccatdc.common.errors import ConfigurationError

#: Window and rate of bbcp end at 1 GiB.
_GIB: Final = 1 << 30
_MOST_STREAMS: Final = 64
_NAMES: Final = re.compile(r"[a-z0-9][a-z0-9@.,-]{0,255}")
_PORTS: Final = re.compile(r"([0-9]{1,5}):([0-9]{1,5})")
#: Options of ssh(1) that neither run a command nor name a file, a host or an account, nor weaken who is trusted. No value
#: has a blank: bbcp cuts the command at blanks.
_SSH_OPTIONS: Final[Mapping[str, re.Pattern[str]]] = {
    "AddressFamily": re.compile(r"any|inet|inet6"),
    "Ciphers": _NAMES,
    "Compression": re.compile(r"yes|no"),
    "ConnectTimeout": re.compile(r"[1-9][0-9]{0,2}"),
    "IPQoS": re.compile(r"[a-z0-9]{1,16}"),
    "MACs": _NAMES,
    "Port": re.compile(r"[1-9][0-9]{0,4}"),
    "ServerAliveCountMax": re.compile(r"[1-9][0-9]{0,2}"),
    "ServerAliveInterval": re.compile(r"[1-9][0-9]{0,2}"),
}


class ParameterError(ConfigurationError):
    """The parameters of a route are wrong; the message says which one and what it may be."""

    default_code = "route.parameters"

    def __init__(self, message: str) -> None:
        super().__init__(message, remedy="Correct the parameters of the route.")


@dataclass(frozen=True, slots=True)
class TransportParameters:
    """The parameters of one route. None: what the transport takes by itself."""

    streams: int | None = None
    """Files at once (rsync) or TCP streams for one file (bbcp)."""
    window_bytes: int | None = None
    """TCP window of each stream."""
    limit_bytes_per_second: int | None = None
    """Of all streams together."""
    ports: str | None = None
    """``first:last``, the ports on which data connections are accepted (bbcp)."""
    ssh_options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, method: str, parameters: Any) -> Self:
        """Those of a route with this method, checked. Raises :class:`ParameterError`."""
        if not isinstance(parameters, Mapping):
            raise ParameterError("Parameters are an object of names and values.")
        known = METHODS.get(method, frozenset(_CHECKS))
        for name, value in parameters.items():
            if name not in known:
                has = f"has: {', '.join(sorted(known))}" if known else "has none"
                raise ParameterError(f"There is no parameter {str(name)[:64]!r}; {method or 'a route'} {has}.")
            _CHECKS[name](name, value)
        return cls(**parameters)

    @property
    def ssh(self) -> list[str]:
        """The ssh options as arguments. The first value that ssh gets for an option is the one that it takes."""
        return [part for name, value in sorted(self.ssh_options.items()) for part in ("-o", f"{name}={value}")]


def _whole_number(least: int, most: int) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ParameterError(f"{name} is a whole number from {least} to {most}.")

    return check


def _ports(name: str, value: Any) -> None:
    found = _PORTS.fullmatch(value) if isinstance(value, str) else None
    if found is None or not 1024 <= int(found[1]) <= int(found[2]) <= 65535:
        raise ParameterError(f"{name} is first:last, from 1024 to 65535.")


def _ssh_options(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise ParameterError(f"{name} is an object of names and values.")
    for option, setting in value.items():
        form = _SSH_OPTIONS.get(option)
        if form is None:
            raise ParameterError(
                f"The ssh option {str(option)[:64]!r} may not be set; there are: {', '.join(_SSH_OPTIONS)}."
            )
        if not isinstance(setting, str) or form.fullmatch(setting) is None:
            raise ParameterError(f"{option} is a text like {form.pattern}.")


_CHECKS: Final[Mapping[str, Callable[[str, Any], None]]] = {
    "streams": _whole_number(1, _MOST_STREAMS),
    "window_bytes": _whole_number(1 << 16, _GIB),
    "limit_bytes_per_second": _whole_number(1 << 16, _GIB),
    "ports": _ports,
    "ssh_options": _ssh_options,
}
#: The transports (transfer/transports/) by name, and what each takes.
METHODS: Final[Mapping[str, frozenset[str]]] = {
    "cp": frozenset(),
    "rsync": frozenset({"streams", "limit_bytes_per_second", "ssh_options"}),
    "bbcp": frozenset(_CHECKS),
}
