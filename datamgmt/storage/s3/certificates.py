"""When the certificate of an endpoint ends."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import Final

from botocore.httpsession import get_cert_path

_SECONDS: Final = 10.0


def certificate_end(host: str, port: int) -> datetime:
    """The end of the certificate that this host shows, trusted as the S3 client trusts it. OSError without an answer."""
    trust = ssl.create_default_context(cafile=get_cert_path(True))
    with (
        socket.create_connection((host, port), timeout=_SECONDS) as connection,
        trust.wrap_socket(connection, server_hostname=host) as secured,
    ):
        shown = secured.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
