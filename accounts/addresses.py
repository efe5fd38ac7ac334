"""Where a request comes from, as far as the proxies in front can be believed."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest

#: For a request that came without an address, as over a unix socket.
UNKNOWN = "0.0.0.0"  # noqa: S104 - nothing is bound to it


def client_address(request: HttpRequest) -> str:
    """The address that the outermost of our own proxies saw. What stands further left in the header was written by the
    client and proves nothing.
    """
    hops = [request.META.get("REMOTE_ADDR", "")]
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    hops += [hop.strip() for hop in reversed(forwarded) if hop.strip()]
    found = hops[min(settings.PROXIES, len(hops) - 1)]
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return UNKNOWN
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
