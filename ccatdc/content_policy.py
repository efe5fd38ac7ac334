"""What a browser may load for our pages: the header Content-Security-Policy.

Our own pages have neither inline scripts nor foreign sources. The portal's look (unfold) brings Alpine, which evaluates
attributes, and inline scripts; the API's documentation (Swagger) brings an inline script and inline styles. Only these
pages get more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

HEADER: Final = "Content-Security-Policy"
OURS: Final[Mapping[str, str]] = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
#: By the beginning of the path; scripts that the page brings along.
SCRIPTS: Final[Mapping[str, str]] = {
    "/portal/": "'self' 'unsafe-inline' 'unsafe-eval'",
    "/api/docs/": "'self' 'unsafe-inline'",
}


class ContentPolicy:
    """Adds the header to every answer that has none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response.setdefault(HEADER, policy_for(request.path))
        return response


def policy_for(path: str) -> str:
    """The policy of a page. Forms may lead on to GitHub where people log in with it."""
    scripts = next((more for start, more in SCRIPTS.items() if path.startswith(start)), None)
    policy = {**OURS, **({"script-src": scripts} if scripts else {})}
    if settings.GITHUB is not None:
        policy["form-action"] += f" {settings.GITHUB.url}"
    return "; ".join(f"{name} {sources}" for name, sources in policy.items())
