"""Bodies that come compressed (``Content-Encoding: gzip``): ten thousand files are 5 MB, or a tenth of it.

On a link with a long round trip a connection is slow at first, so that size is time. Unpacked after the
caller was let in, and never to more than a body may have.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError

from ccatdc.common.api import StrictJsonParser


class CompressedJsonParser(StrictJsonParser):
    """JSON as it is, or packed with gzip."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The document. ParseError for what is no gzip, RequestDataTooBig for what unpacks to too much."""
        request = (parser_context or {}).get("request")
        encoding = request.headers.get("Content-Encoding", "") if request is not None else ""
        if encoding.lower() == "gzip":
            stream = BytesIO(_unpacked(stream.read()))
        return super().parse(stream, media_type, parser_context)


def _unpacked(packed: bytes) -> bytes:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)  # gzip's own head and end
    try:
        body = unpacking.decompress(packed, limit + 1)
    except zlib.error as error:
        raise ParseError(f"The body is not packed with gzip: {error}") from error
    if len(body) > limit:
        raise RequestDataTooBig
    if not unpacking.eof or unpacking.unused_data:
        raise ParseError("The body is not one whole gzip stream.")
    return body
