"""When the certificate of an endpoint ends: asked of a real TLS server, trusted as the S3 client trusts it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datamgmt.storage.s3 import certificates
from datamgmt.storage.s3.certificates import certificate_end

#: Of localhost, signed by itself, for a hundred years; nothing else has it.
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2cbS0cGJS711jOkF
XKLYMHZ6Sej1E9f9+Flpfx9O1mShRANCAAR3fyrFA6JxAvNK2rd7PJyLwAwEUqBR
W1g5n6EmqZs9iRcUe5FDxZEr6B2wViMXUEYYzJdTUMrto7KpBZMWCV2F
-----END PRIVATE KEY-----
"""
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUQO/EPsXsYolvwVSHVpwRpu3cuiswCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyODAwMjI0MFoYDzIxMjYxMTA0
MDAyMjQwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAR3fyrFA6JxAvNK2rd7PJyLwAwEUqBRW1g5n6EmqZs9iRcUe5FDxZEr
6B2wViMXUEYYzJdTUMrto7KpBZMWCV2Fo2kwZzAdBgNVHQ4EFgQU5bSaXbolxJn4
bXWjicmuc55wO5QwHwYDVR0jBBgwFoAU5bSaXbolxJn4bXWjicmuc55wO5QwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SAAwRQIhAKaNgItEVg6ZRkwRA3e/c/hWmlNWQXxfwwsHglnjWnTmAiAk4kJnLwz2
rBJxeCR/vtpR5AE4v0YBhUZybcGt3HAc5w==
-----END CERTIFICATE-----
"""


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Of a TLS server with this certificate, which the client trusts."""
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text(CERTIFICATE)
    key.write_text(KEY)
    monkeypatch.setattr(certificates, "get_cert_path", lambda _verify: str(chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                        secured.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1])


def test_the_end_is_that_of_the_certificate_that_is_shown(port: int) -> None:
    assert certificate_end("localhost", port) == datetime(2126, 11, 4, 0, 22, 40, tzinfo=UTC)


def test_one_that_is_not_trusted_is_an_error_of_the_connection(port: int) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        certificate_end("127.0.0.1", port)  # the certificate has another name
