"""docs/api.md names every address and every error that the API has."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from tests.api.test_access import ENDPOINTS

PAGE = Path(settings.BASE_DIR, "docs/api.md").read_text()
CODE = re.compile(r'(?:code=|default_code = |OTHER_INSTRUMENT = )"([a-z_]+\.[a-z_]+)"')

ANSWERED = re.compile(r'"code": "([a-z_]+\.[a-z_]+)"')
#: In ``RowError(index, field, code, …)``, ``Bad(code, …)``, ``_Problem(field, code, …)`` and ``yield field, code, …``.
ROW_CODE = re.compile(r'(?:RowError\([^,]+, [^,]+, |\bBad\(|_Problem\("[a-z_]+", |yield "[a-z_]+", )"([a-z_.]+)"')


def test_every_code_of_filing_and_staging_is_explained() -> None:
    sources = [
        # What unrecorded.py says, the portal says to operators.
        *(p for p in Path(settings.BASE_DIR, "datamgmt", "filing").glob("*.py") if p.name != "unrecorded.py"),
        Path(settings.BASE_DIR, "transfer/staging/requests.py"),
    ]
    codes = {code for source in sources for code in CODE.findall(source.read_text())}
    assert len(codes) > 20, "the pattern finds them"
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


def test_every_code_of_access_and_planning_is_explained() -> None:
    """Also what middleware and authentication answer, and the codes of rows."""
    base = Path(settings.BASE_DIR)
    sources = [
        base / "accounts/rates.py",
        base / "accounts/auth/relaying.py",
        *base.glob("ccatdc/common/api/*.py"),
        *base.glob("planning/api/*.py"),
        *base.glob("planning/sky/*.py"),
        base / "planning/scheduling/timelines.py",
        base / "planning/scheduling/candidates.py",
        base / "ccatdc/reference/api.py",
    ]
    texts = [source.read_text() for source in sources]
    codes = {code for text in texts for code in (*CODE.findall(text), *ANSWERED.findall(text))}
    assert {"token.too_many_requests", "request.too_large", "source.no_position"} <= codes, "the patterns find them"
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


def test_every_code_of_rows_is_explained() -> None:
    base = Path(settings.BASE_DIR)
    sources = [*base.glob("datamgmt/filing/*.py"), base / "planning/scheduling/timelines.py"]
    codes = {code for source in sources for code in ROW_CODE.findall(source.read_text())}
    assert {"twice", "not_storable", "not_a_source", "slot_taken", "other_telescope"} <= codes, "the pattern finds them"
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
