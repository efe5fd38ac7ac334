"""The main site, spoken to over HTTP: kept-alive connections, one token, answers as verdicts."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

import httpx
from django.conf import settings

from accounts.auth.relaying import FILED_BY_HEADER
from ccatdc.common.errors import ConfigurationError
from gateway.models import ItemKind
from gateway.outbox.answers import Meaning, Verdict, judge
from gateway.outbox.batches import Batch

CONNECT_SECONDS: Final = 10.0
#: Ten thousand files take the main site a second; a busy one takes longer.
ANSWER_SECONDS: Final = 60.0
#: Bulk bodies beyond this go packed: a new connection sends the first 14 kB in one round trip, then twice as much in
#: each. Higher levels gain nothing on digests.
PACKED_FROM_BYTES: Final = 14_000
PACKING_LEVEL: Final = 1
SNAPSHOT_PATH: Final = "/api/reference/snapshot"


class PrimarySite:
    """A client of the main site; threads may share it. Raises ConfigurationError without address or token."""

    def __init__(self, *, connections: int) -> None:
        missing = [
            name
            for name, value in (
                ("CCATDC_PRIMARY_URL", settings.PRIMARY_URL),
                ("CCATDC_PRIMARY_TOKEN", settings.PRIMARY_TOKEN),
            )
            if not value
        ]
        if missing:
            raise ConfigurationError(
                f"{' and '.join(missing)} not set: where is the main site, and who are we there?",
                code="gateway.not_configured",
            )
        self.url = settings.PRIMARY_URL
        self._client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {settings.PRIMARY_TOKEN}", "Accept": "application/json"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(
                max_connections=connections + 1, max_keepalive_connections=connections + 1, keepalive_expiry=300.0
            ),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def send(self, batch: Batch) -> Verdict:
        """Send a call, and what its answer means."""
        headers = {"Content-Type": "application/json", FILED_BY_HEADER: batch.filed_by}
        content = batch.body
        if batch.kind == ItemKind.FILES and len(content) > PACKED_FROM_BYTES:
            headers["Content-Encoding"] = "gzip"
            content = gzip.compress(content, compresslevel=PACKING_LEVEL, mtime=0)
        return self._ask(batch.method, batch.path, batch.expect, content=content, headers=headers)[0]

    def snapshot(self, etag: str) -> tuple[Verdict, httpx.Response | None]:
        """The reference data, unless it is still what ``etag`` names (then the answer is 304)."""
        headers = {"If-None-Match": f'"{etag}"'} if etag else {}
        return self._ask("GET", SNAPSHOT_PATH, {"format": 1}, headers=headers)

    def _ask(
        self, method: str, path: str, expect: Mapping[str, Any], **request: Any
    ) -> tuple[Verdict, httpx.Response | None]:
        try:
            response = self._client.request(method, path.lstrip("/"), **request)
            if response.status_code == httpx.codes.NOT_MODIFIED:
                return Verdict(Meaning.ACCEPTED, "unchanged"), response
            return judge(response, expect), response
        except (httpx.TransportError, httpx.DecodingError) as error:
            said = f"{self.url} does not answer ({type(error).__name__}: {error})."
            return Verdict(Meaning.AWAY, said), None
