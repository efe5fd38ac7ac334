"""Whatever instruments send to a gateway: no fault of ours, and what it accepts is in its outbox."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.models import OutboxItem
from tests.api.test_access import ALL_PERMISSIONS
from tests.fuzz.campaign import WRITING, campaign
from tests.fuzz.furniture import furnish
from tests.fuzz.test_schema import bearer

pytestmark = pytest.mark.django_db(transaction=True)


def test_no_call_that_files_finds_a_fault(settings: Any) -> None:
    settings.ROOT_URLCONF = "ccatdc.gateway_site.urls"
    furniture = furnish()
    outcome = campaign(
        furniture,
        bearer(*ALL_PERMISSIONS, is_superuser=True),
        examples=2,
        phases=["coverage", "fuzzing"],
        only=WRITING | {"path_regex": "/(executed_obs_units|raw_data_files)/"},
    )
    assert outcome.findings == {}, outcome.report()
    assert len(outcome.statuses) == 4
    assert outcome.never_succeeded() == set()
    assert OutboxItem.objects.exists()
