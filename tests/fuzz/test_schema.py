"""Whatever is sent to the API: no fault of ours, and only answers that its description knows."""

from __future__ import annotations

import pytest

from datamgmt.models import RawDataFile
from planning.models import ExecutedObsUnit
from tests.api.test_access import ALL_PERMISSIONS
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.fuzz.campaign import WRITING, campaign
from tests.fuzz.furniture import furnish

pytestmark = pytest.mark.django_db(transaction=True)


def bearer(*scopes: str, is_superuser: bool = False) -> dict[str, str]:
    user = UserFactory.create(permissions=list(ALL_PERMISSIONS), is_superuser=is_superuser)
    token = ApiTokenFactory.create(user=user, scopes=list(scopes))
    return {"Authorization": f"Bearer {token.secret}"}  # type: ignore[attr-defined]


def test_no_call_that_writes_finds_a_fault() -> None:
    """At and beyond the limits of every field, then calls that use what others answered."""
    furniture = furnish()
    outcome = campaign(
        furniture,
        bearer(*ALL_PERMISSIONS, is_superuser=True),
        examples=1,
        phases=["coverage", "fuzzing", "stateful"],
        only=WRITING,
    )
    assert outcome.findings == {}, outcome.report()
    assert outcome.calls > 500
    assert outcome.never_succeeded() == set()


def test_no_call_that_reads_finds_a_fault() -> None:
    furniture = furnish()
    outcome = campaign(furniture, bearer(*ALL_PERMISSIONS, is_superuser=True), examples=2, phases=["fuzzing"])
    assert outcome.findings == {}, outcome.report()
    assert outcome.calls > 100


def test_a_narrow_token_is_answered_403_where_it_may_not() -> None:
    furniture = furnish()
    outcome = campaign(furniture, bearer("stage:data"), examples=2, phases=["fuzzing"], only=WRITING)
    assert outcome.findings == {}, outcome.report()
    writing = outcome.statuses["POST /api/raw_data_files/"]
    assert set(writing) <= {403, 405}, "not even the body is looked at"


def test_nobody_is_answered_401_and_nothing_else() -> None:
    furniture = furnish()
    before = RawDataFile.objects.count(), ExecutedObsUnit.objects.count()
    outcome = campaign(furniture, {}, examples=1, phases=["fuzzing"])
    assert outcome.findings == {}, outcome.report()
    assert set(outcome.total()) <= {401, 404}, "404: an address without an id in it"
    assert (RawDataFile.objects.count(), ExecutedObsUnit.objects.count()) == before
