"""What the tests of evidence share."""

from __future__ import annotations

import pytest

from datamgmt.models import PhysicalCopy
from tests.flow import Flow
from tests.transfer.operations.evidence.spoiled import ARCHIVED, FILES


@pytest.fixture
def archived(flow: Flow) -> PhysicalCopy:
    """A package that was archived; nothing has been deleted yet."""
    flow.observe(FILES)
    flow.run(*ARCHIVED)
    copy: PhysicalCopy = PhysicalCopy.objects.with_subjects().at(flow.archive).get()
    return copy
