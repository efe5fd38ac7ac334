"""Where a package is and what it waits for, in one sentence: every state of the flow, and what would change it."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from datamgmt.models import DataLocation, RawDataPackage
from datamgmt.states import PackageState
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    BufferLocationFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    SiteFactory,
    archive_package,
)
from tests.factories.transfer import LongTermArchiveTransferFactory, ServiceHeartbeatFactory
from transfer.operators.package_reasons import state_of_package

pytestmark = pytest.mark.django_db


@pytest.fixture
def buffer() -> DataLocation:
    """At the telescope: bundles of 50 GB, or of 12 hours. There is an archive at another site, and its buffer."""
    cologne = SiteFactory.create(short_name="cologne", name="Cologne")
    ArchiveLocationFactory.create(site=cologne)
    BufferLocationFactory.create(site=cologne, name="input_buffer", registered_at=timezone.now())
    made: DataLocation = BufferLocationFactory.create(
        registered_at=timezone.now(), bundle_max_bytes=50 * 10**9, bundle_max_age_seconds=12 * 3600
    )
    return made


@pytest.fixture
def waiting(buffer: DataLocation) -> RawDataPackage:
    """38 GB, made two hours ago."""
    package = RawDataPackageFactory.create(built=True, size=38 * 10**9)
    made = timezone.now() - timedelta(hours=2)
    RawDataPackage.objects.filter(pk=package.pk).update(finalized_at=made)
    RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, data_location=buffer)
    package.refresh_from_db()
    return package


def test_one_that_waits_for_a_bundle_says_how_much_or_how_long(waiting: RawDataPackage) -> None:
    said = state_of_package(waiting)
    assert said.startswith("At ccat_output_buffer, waits for a bundle: it is closed with 12 GB more, or in ")
    assert said.endswith(("in 10 h.", "in 9 h 59 min."))


def test_one_that_can_be_sent_nowhere_says_why(waiting: RawDataPackage) -> None:
    DataLocation.objects.non_polymorphic().filter(site__short_name="cologne", location_type="buffer").update(
        active=False
    )
    assert state_of_package(waiting) == (
        "At ccat_output_buffer: No active buffer at cologne. Switch a BUFFER of the site on, or add and register one."
    )


def test_one_whose_buffer_is_off_says_so(waiting: RawDataPackage, buffer: DataLocation) -> None:
    DataLocation.objects.non_polymorphic().filter(pk=buffer.pk).update(active=False)
    assert state_of_package(waiting) == "Its only copy is at ccat_output_buffer, which is switched off. Switch it on."


def test_one_at_work_says_what_is_done_or_why_it_waits(waiting: RawDataPackage) -> None:
    operation = LongTermArchiveTransferFactory.create(
        raw_data_package=waiting, in_progress=True, total_bytes=2000, progress_bytes=500
    )
    at = operation.location.full_name
    said = state_of_package(waiting)
    assert said.startswith(f"Long-term archive transfer at {at} for ")
    assert said.endswith(": 500 B of 2 kB.")
    operation.delete()
    LongTermArchiveTransferFactory.create(raw_data_package=waiting)
    assert state_of_package(waiting) == f"Long-term archive transfer: No worker runs for {at}."


def test_a_failed_one_says_what_failed_and_when_it_goes_on(waiting: RawDataPackage) -> None:
    failed = LongTermArchiveTransferFactory.create(raw_data_package=waiting, failed=True)
    waiting.state = PackageState.FAILED
    waiting.resend_after = timezone.now() + timedelta(minutes=20, seconds=1)
    waiting.save()
    said = "Long-term archive transfer failed: There is no such file."
    assert state_of_package(waiting) == f"{said} It is resent by itself in 20 min, or at once by Resend."
    failed.acknowledged_at = timezone.now()
    failed.save()
    assert state_of_package(waiting) == f"{said} A person ended it: it goes on after Resend."


def test_an_archived_one_says_where_and_why_other_copies_stay(buffer: DataLocation) -> None:
    package = RawDataPackageFactory.create(archived=True)
    copy = archive_package(package)
    RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, data_location=buffer)
    copy.verified_at = timezone.now() - timedelta(days=3)
    copy.save()
    said = state_of_package(package)
    assert said.startswith(
        f"Archived: {copy.data_location.full_name} (read in full 3 d ago). Also at ccat_output_buffer: "
    )


def test_the_command_says_the_same(waiting: RawDataPackage) -> None:
    ServiceHeartbeatFactory.create()
    for name in (waiting.name, str(waiting.pk)):
        said = StringIO()
        call_command("ops", "package", name, stdout=said)
        assert "waits for a bundle" in said.getvalue()
    with pytest.raises(CommandError, match="There is no package"):
        call_command("ops", "package", "nothing")
