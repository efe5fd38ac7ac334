"""A small data center for each test of the operations."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccatdc.dev.s3server import S3Server
from tests.flow import Flow


@pytest.fixture
def flow(transactional_db: None, tmp_path: Path, s3_server: S3Server) -> Flow:
    """Two sites on real files and a real S3 server."""
    return Flow(tmp_path, s3_server, ("ccat-test-access", "ccat-test-secret"))
