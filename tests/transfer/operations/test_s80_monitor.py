"""Stage 80: what a check of a real location leaves on its row."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from datamgmt.models import DataLocation
from datamgmt.storage.disk.store import DiskStorage
from tests.flow import Flow


def row_of(location: DataLocation) -> DataLocation:
    row: DataLocation = DataLocation.objects.get(pk=location.pk)
    return row


def test_a_check_measures_how_full_it_is_and_how_fast_it_fills(flow: Flow) -> None:
    flow.run("monitor")
    first = row_of(flow.output_buffer)
    assert first.used_bytes
    assert (first.check_error, first.fill_bytes_per_s) == ("", 0.0)
    hour_ago = timezone.now() - timedelta(hours=1)
    DataLocation.objects.non_polymorphic().update(checked_at=hour_ago, used_bytes=first.used_bytes - 36 * 10**9)

    flow.run("monitor")

    # 10 MB/s for an hour: one minus e to the minus one sixth of it. Others use the disk too.
    assert row_of(flow.output_buffer).fill_bytes_per_s == pytest.approx(0.154 * 10**7, rel=0.2)


@pytest.mark.parametrize("ends_in", [None, timedelta(days=300)])
def test_a_check_notes_when_the_certificate_of_the_place_ends(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, ends_in: timedelta | None
) -> None:
    end = timezone.now() + ends_in if ends_in else None
    monkeypatch.setattr(DiskStorage, "certificate_expires_at", lambda _storage: end)
    flow.run("monitor")
    assert row_of(flow.output_buffer).certificate_expires_at == end
    assert row_of(flow.archive).certificate_expires_at is None, "its endpoint speaks http"
