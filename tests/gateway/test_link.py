"""The state of the link: counted once, told once, and everything waits together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import SystemLog
from gateway import link
from gateway.models import ItemStatus, Link, OutboxItem
from gateway.outbox.backlog import link_state, look, prune
from tests.factories.planning import ExecutedObsUnitFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def main_site(settings: Any) -> None:
    settings.PRIMARY_URL = "https://ops.example.org"
    settings.GATEWAY_RETRY_MAX_SECONDS = 60.0


def audit_log() -> list[tuple[str, str]]:
    return list(SystemLog.objects.order_by("id").values_list("level", "message"))


def due() -> None:
    Link.write(next_try_at=timezone.now())


def test_before_the_first_contact_nothing_is_sent() -> None:
    assert not link.may_send()
    assert link_state(Link.row()) == "never"
    assert link.seconds_to_next_try() == 0


def test_first_contact_loss_and_return_are_in_the_audit_log_once_each() -> None:
    link.heard()
    assert link.may_send()
    link.heard()
    link.lost("No route.")
    assert link_state(Link.row()) == "down"
    for _ in range(3):
        due()
        link.lost("No route.")
    assert not link.may_send()
    link.heard()
    levels, messages = zip(*audit_log(), strict=True)
    assert levels == ("info", "warning", "info")
    assert "First contact" in messages[0]
    assert messages[1] == "The link to https://ops.example.org is down: No route."
    assert "is back after" in messages[2]
    assert Link.row().failures == 0


def test_threads_that_notice_the_same_loss_count_it_once() -> None:
    link.heard()
    for _ in range(4):
        link.lost("No route.")
    assert Link.row().failures == 1


def test_the_pause_grows_to_its_limit_and_heeds_the_main_site(settings: Any) -> None:
    pauses = [link.pause_seconds(failures) for failures in range(12)]
    assert 0.5 <= pauses[0] <= 1.0
    assert all(30.0 <= pause <= 60.0 for pause in pauses[6:])
    link.lost("Later.", after_seconds=40)
    assert 35 < link.seconds_to_next_try() <= 40
    due()
    link.lost("Much later.", after_seconds=10**6)
    assert link.seconds_to_next_try() <= 60


def test_being_denied_is_told_critically_and_is_not_a_link_that_is_down() -> None:
    link.heard()
    link.lost("401 unknown token", denied=True)
    due()
    link.lost("401 unknown token", denied=True)
    assert link_state(Link.row()) == "denied"
    assert [level for level, _ in audit_log()] == ["info", "critical"]
    link.lost("No route.")
    assert link_state(Link.row()) == "down"


def test_health_tells_what_is_wrong_and_why(settings: Any) -> None:
    execution = ExecutedObsUnitFactory.create()
    link.heard()
    now = timezone.now()
    Link.write(process_seen_at=now, process="chile, process 7", reference_at=now)
    assert look()["status"] == "ok"
    assert look()["warnings"] == []

    def kept(**fields: Any) -> OutboxItem:
        return OutboxItem.objects.create(
            sequence=execution.pk, method="POST", path="/", body="[]", body_bytes=2, **fields
        )

    kept(kind="files", files=7, filed_at=now - timedelta(hours=1))
    kept(kind="files", files=3, status=ItemStatus.DEAD)
    Link.write(
        process_seen_at=now - timedelta(minutes=5),
        reference_at=now - timedelta(days=2),
        reference_problem="Other columns.",
    )
    link.lost("No route.")
    state = look()
    assert state["status"] == "degraded"
    assert state["backlog"] == {"items": 2, "files": 10, "observations": 1, "oldest_seconds": 3600}
    assert (state["dead_letters"], state["link"], state["gateway"]) == (1, "down", "silent")
    assert state["reference_age_seconds"] == 2 * 86_400
    told = " ".join(state["warnings"])
    for part in ("run_gateway", "No route.", "waited for long", "refused 1", "old", "Other col"):
        assert part in told


def test_what_was_delivered_long_ago_is_pruned_and_nothing_else(settings: Any) -> None:
    settings.GATEWAY_KEEP_DAYS = 30
    execution = ExecutedObsUnitFactory.create()
    now = timezone.now()
    states = {
        "old": (ItemStatus.DELIVERED, now - timedelta(days=31)),
        "new": (ItemStatus.DELIVERED, now - timedelta(days=29)),
        "waiting": (ItemStatus.WAITING, None),
        "dead": (ItemStatus.DEAD, None),
    }
    for name, (status, delivered_at) in states.items():
        OutboxItem.objects.create(
            sequence=execution.pk,
            kind="files",
            method="POST",
            path=name,
            body="[]",
            body_bytes=2,
            status=status,
            delivered_at=delivered_at,
            filed_at=now - timedelta(days=90),
        )
    assert prune() == 1
    assert set(OutboxItem.objects.values_list("path", flat=True)) == {"new", "waiting", "dead"}
