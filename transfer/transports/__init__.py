"""How bytes get from one location to another: the transports in order of preference. One line adds one, and one in
transfer/models/transport_parameters.py says what a route may tell it.
"""

from __future__ import annotations

from typing import Any

from ccatdc.common.errors import ConfigurationError, LocationIdentityError
from transfer.models.transport_parameters import TransportParameters
from transfer.transports.base import CRASHED, Attempt, Cargo, Place, Transport
from transfer.transports.bbcp import Bbcp
from transfer.transports.copying import Copying
from transfer.transports.rsync import Rsync

TRANSPORTS: tuple[type[Transport], ...] = (Copying, Rsync, Bbcp)

__all__ = ["CRASHED", "TRANSPORTS", "Attempt", "Cargo", "Place", "Transport", "choose_transport"]


def choose_transport(origin: Place, destination: Place, method: str = "", parameters: Any = None) -> Transport:
    """The named transport, or the first that can move from one to the other from this host; with a route's parameters."""
    named = [transport for transport in TRANSPORTS if method in ("", transport.name)]
    if not named:
        known = ", ".join(transport.name for transport in TRANSPORTS)
        raise ConfigurationError(
            f"There is no transport called {method!r}; there are: {known}.",
            code="transport.unknown",
            remedy="Correct the method of the route.",
        )
    checked = TransportParameters.of(method, parameters or {})
    for transport in (kind(checked) for kind in named):
        if transport.can_move(origin, destination):
            return transport
    raise LocationIdentityError(
        f"No transport reaches {destination} from the host that has {origin}.",
        code="transport.none_can",
        remedy=f"Mount {destination} here (its marker was not found), name its host, or correct the route.",
    )
