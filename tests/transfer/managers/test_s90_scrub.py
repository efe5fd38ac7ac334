"""Stage 90, the plan: what somebody waits for first, then the oldest evidence; one verification of a kind at a place."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.copies.recording import mark_copy, want_check
from datamgmt.models import PhysicalCopy
from datamgmt.states import Integrity, WantedCheck
from tests.transfer.world import World, change, days_ago
from transfer.managers.s90_scrub import ScrubManager
from transfer.models import Verification

pytestmark = pytest.mark.django_db


def archived(world: World, days: float = 1) -> PhysicalCopy:
    """The archive copy of a package, read so many days ago."""
    package = world.archived()
    copies = PhysicalCopy.objects.of_package(package.pk).at(world.archive)
    copies.update(verified_at=days_ago(days))
    copy: PhysicalCopy = copies.get()
    return copy


def planned() -> list[tuple[str, list[int]]]:
    """What one pass plans."""
    ScrubManager().run_once()
    return [(each.kind, each.copies) for each in Verification.objects.order_by("pk")]


def test_evidence_that_grows_old_is_read_oldest_first(world: World) -> None:
    young, old, oldest = archived(world, 80), archived(world, 91), archived(world, 365)
    assert planned() == [("read", [oldest.pk, old.pk])]
    assert young.pk not in Verification.objects.get().copies


def test_where_the_period_is_none_nothing_is_read(world: World) -> None:
    archived(world, 365)
    change(world.archive, scrub_days=0)
    assert planned() == []


def test_what_is_known_to_be_bad_is_not_read_again_and_again_but_once_a_day(world: World) -> None:
    copy = archived(world, 365)
    want_check([copy.pk], WantedCheck.READ)
    mark_copy(copy, Integrity.DAMAGED, "origin.damaged", "It rotted.")
    assert planned() == []
    PhysicalCopy.objects.filter(pk=copy.pk).update(seen_at=days_ago(1.1))
    assert planned() == [("read", [copy.pk])]


def test_what_a_deletion_waits_for_comes_first_and_frees_most_room(world: World) -> None:
    small, large, other = archived(world), archived(world), archived(world, 365)
    PhysicalCopy.objects.filter(pk=large.pk).update(size=10**9)
    want_check([small.pk, large.pk], WantedCheck.READ)
    assert planned() == [("read", [large.pk, small.pk])]
    assert other.pk not in Verification.objects.get().copies


def test_looks_and_reads_run_beside_each_other_but_one_of_a_kind(world: World) -> None:
    looked, read = archived(world), archived(world)
    want_check([looked.pk], WantedCheck.LOOK)
    want_check([read.pk], WantedCheck.READ)
    assert planned() == [("look", [looked.pk]), ("read", [read.pk])]
    assert len(planned()) == 2
    Verification.objects.non_polymorphic().update(status=Status.COMPLETED, finished_at=timezone.now())
    assert len(planned()) == 4


def test_a_wish_to_read_is_not_taken_back_by_one_to_look(world: World) -> None:
    copy = archived(world)
    want_check([copy.pk], WantedCheck.READ)
    want_check([copy.pk], WantedCheck.LOOK)
    copy.refresh_from_db()
    assert copy.wanted_check == WantedCheck.READ


def test_a_verification_is_about_as_large_as_a_package(world: World) -> None:
    copies = [archived(world, 365) for _ in range(3)]
    PhysicalCopy.objects.filter(pk__in=[c.pk for c in copies]).update(size=30 * 10**9)
    ((_, chosen),) = planned()
    assert len(chosen) == 1
    assert timedelta(0) < timezone.now() - Verification.objects.get().created_at
