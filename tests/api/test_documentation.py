"""docs/api.md names every address and every error that the API has."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from tests.api.test_access import ENDPOINTS

PAGE = Path(settings.BASE_DIR, "docs/api.md").read_text()
CODE = re.compile(r'(?:code=|default_code = |OTHER_INSTRUMENT = )"([a-z_]+\.[a-z_]+)"')


def test_every_code_of_filing_and_staging_is_explained() -> None:
    sources = [
        *Path(settings.BASE_DIR, "datamgmt", "filing").glob("*.py"),
        Path(settings.BASE_DIR, "transfer/staging/requests.py"),
    ]
    codes = {code for source in sources for code in CODE.findall(source.read_text())}
    assert len(codes) > 20, "the pattern finds them"
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


def test_every_address_is_named() -> None:
    missing = set()
    for address, _, _ in ENDPOINTS:
        resource = address.removeprefix("/api/").split("/")[0]
        act = address.rstrip("/").rpartition("/")[2]
        named = f"/api/{resource}" in PAGE and (not act.isalpha() or f"/{act}" in PAGE)
        if not named and act != "primecam":
            missing.add(address)
    assert missing == set()
