"""The whole flow over every kind of route, on real bytes: primary, replicas of a third site, DIRECT, RELAY, CUSTOM, tar of tars."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.db.models.functions import Now

from ccatdc.common.states import Status
from datamgmt.models import (
    BundleFormat,
    DataTransferPackage,
    DiskDataLocation,
    LocationType,
    PhysicalCopy,
    RawDataPackage,
)
from datamgmt.states import PackageState
from datamgmt.storage import storage_for
from tests.factories.datamgmt import SiteFactory
from tests.flow import Flow, members_of
from tests.transfer.bbcp import put_programs
from transfer.engine.dispatch import dispatch_due
from transfer.models import CircuitBreaker, DataTransfer, DataTransferRoute, LongTermArchiveTransfer, RouteType

FILES = {"run1/a": b"a" * 4000, "run1/b": b"b"}
UP_TO_ARCHIVE = ("package", "bundle", "transfer", "unpack", "archive")


def archived_bytes(flow: Flow, archive) -> list[dict[str, bytes]]:  # type: ignore[no-untyped-def]
    """Contents of every tar in an archive."""
    return [
        members_of(flow.object_path(archive, key)) for key, _ in storage_for(archive).walk() if key.endswith(".tar")
    ]


def test_the_automatic_route_goes_from_buffer_to_buffer(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run(*UP_TO_ARCHIVE)

    transfer = DataTransfer.objects.get()
    assert (transfer.origin_location, transfer.destination_location) == (flow.output_buffer, flow.input_buffer)
    assert transfer.checksum_verified
    assert transfer.unpack_status == Status.COMPLETED
    assert archived_bytes(flow, flow.archive) == [FILES]
    assert flow.failures() == []


def test_a_tar_of_tars_arrives_as_its_packages(flow: Flow) -> None:
    DataTransferRoute.objects.create(
        name="as_tar",
        route_type=RouteType.CUSTOM,
        origin_site=flow.ccat,
        destination_site=flow.cologne,
        origin_location=flow.output_buffer,
        destination_location=flow.input_buffer,
        bundle_format=BundleFormat.TAR,
    )
    flow.observe(FILES)
    flow.observe({"run2/c": b"c"})
    flow.run(*UP_TO_ARCHIVE)

    bundle = DataTransferPackage.objects.get()
    assert bundle.raw_data_packages.count() == 2
    copy = PhysicalCopy.objects.at(flow.input_buffer).get(data_transfer_package=bundle)
    inside = members_of(Path(copy.full_path))
    assert sorted(inside) == sorted(f"{p.name}.tar" for p in bundle.raw_data_packages.all())
    assert sorted(map(len, archived_bytes(flow, flow.archive))) == [1, 2]
    assert flow.failures() == []
    flow.run()
    for location in (flow.source, flow.output_buffer, flow.input_buffer):
        assert list(storage_for(location).walk()) == []


def test_a_third_site_added_as_rows_gets_its_replica_also_of_history(flow: Flow) -> None:
    flow.observe(FILES)
    flow.run()
    us = SiteFactory.create(short_name="us")
    replica = flow.bucket(us, "lta")
    flow.run()

    assert archived_bytes(flow, replica) == [FILES]
    transfer = LongTermArchiveTransfer.objects.get(destination_location=replica)
    assert transfer.origin_location == flow.archive
    assert RawDataPackage.objects.get().state == PackageState.ARCHIVED


def test_bundles_take_turns_between_archive_sites_and_both_end_up_with_all(flow: Flow) -> None:
    us = SiteFactory.create(short_name="us")
    flow.disk(us, "buffer", LocationType.BUFFER)
    replica = flow.bucket(us, "lta")
    for number in range(4):
        flow.observe({f"run{number}/a": b"a"})
        flow.run("package", "bundle", "transfer", "unpack")
    flow.run()

    sites = DataTransferPackage.objects.order_by("created_at").values_list("destination_site__short_name", flat=True)
    assert list(sites) == ["cologne", "us", "cologne", "us"]
    assert len(archived_bytes(flow, flow.archive)) == len(archived_bytes(flow, replica)) == 4
    assert flow.failures() == []


def test_a_direct_route_skips_the_buffer_of_the_destination(flow: Flow) -> None:
    DataTransferRoute.objects.create(
        name="direct", route_type=RouteType.DIRECT, origin_site=flow.ccat, destination_site=flow.cologne
    )
    flow.observe(FILES)
    flow.run()

    assert archived_bytes(flow, flow.archive) == [FILES]
    assert RawDataPackage.objects.get().state == PackageState.ARCHIVED
    assert not PhysicalCopy.objects.at(flow.input_buffer).exists()
    assert list(storage_for(flow.output_buffer).walk()) == []
    assert flow.failures() == []


def test_a_relay_goes_through_its_site(flow: Flow) -> None:
    us = SiteFactory.create(short_name="us")
    far = flow.disk(us, "buffer", LocationType.BUFFER)
    replica = flow.bucket(us, "lta")
    type(flow.archive).objects.filter(pk=flow.archive.pk).update(active=False)
    DataTransferRoute.objects.create(
        name="relay", route_type=RouteType.RELAY, origin_site=flow.ccat, relay_site=flow.cologne, destination_site=us
    )
    flow.observe(FILES)
    flow.run()

    hops = DataTransfer.objects.order_by("pk").values_list("origin_location__name", "destination_location__name")
    assert list(hops) == [("output_buffer", "input_buffer"), ("input_buffer", "buffer")]
    assert PhysicalCopy.objects.at(far).filter(raw_data_package__isnull=False).exists()
    assert archived_bytes(flow, replica) == [FILES]
    assert flow.failures() == []


def test_a_custom_route_ends_where_it_says(flow: Flow) -> None:
    spare = flow.disk(flow.cologne, "input_buffer_b", LocationType.BUFFER, priority=2)
    DataTransferRoute.objects.create(
        name="custom",
        route_type=RouteType.CUSTOM,
        origin_site=flow.ccat,
        destination_site=flow.cologne,
        origin_location=flow.output_buffer,
        destination_location=spare,
    )
    flow.observe(FILES)
    flow.run(*UP_TO_ARCHIVE)

    assert DataTransfer.objects.get().destination_location == spare
    assert archived_bytes(flow, flow.archive) == [FILES]


def test_another_buffer_serves_while_the_first_is_switched_off(flow: Flow) -> None:
    spare = flow.disk(flow.cologne, "input_buffer_b", LocationType.BUFFER, priority=2)
    type(flow.input_buffer).objects.filter(pk=flow.input_buffer.pk).update(active=False)
    flow.observe(FILES)
    flow.run(*UP_TO_ARCHIVE)

    assert DataTransfer.objects.get().destination_location == spare
    assert RawDataPackage.objects.get().state == PackageState.ARCHIVED


def test_without_any_buffer_work_waits_and_says_why(flow: Flow) -> None:
    type(flow.input_buffer).objects.filter(pk=flow.input_buffer.pk).update(active=False)
    flow.observe(FILES)
    flow.run(*UP_TO_ARCHIVE)

    assert flow.failures() == []
    (waits,) = flow.managers["bundle"].waiting
    assert waits["code"] == "route.no_buffer"
    type(flow.input_buffer).objects.filter(pk=flow.input_buffer.pk).update(active=True)
    flow.run(*UP_TO_ARCHIVE)
    assert RawDataPackage.objects.get().state == PackageState.ARCHIVED


def test_late_files_go_into_a_further_package_that_is_flagged(flow: Flow) -> None:
    execution = flow.observe({"run1/a": b"a"})
    flow.run()
    flow.file(execution, {"run1/late": b"late"})
    flow.run()

    packages = RawDataPackage.objects.order_by("created_at")
    assert [(p.is_late, p.state) for p in packages] == [(False, PackageState.ARCHIVED), (True, PackageState.ARCHIVED)]
    assert sorted(archived_bytes(flow, flow.archive), key=str) == [{"run1/a": b"a"}, {"run1/late": b"late"}]


def test_a_cut_transfer_does_not_send_again_what_was_received(flow: Flow, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from ccatdc.common.errors import TransportError
    from transfer.transports.copying import Copying

    flow.observe({"run1/a": b"a" * 2000})
    flow.observe({"run2/b": b"b" * 2000})
    flow.run("package", "bundle")
    sent: list[str] = []
    honest = Copying.move

    def cut(self, cargo, *args, **kwargs):  # type: ignore[no-untyped-def]
        if len(sent) == 1:
            sent.append("cut")
            raise TransportError("The link was cut.")
        sent.append(cargo.origin_key)
        return honest(self, cargo, *args, **kwargs)

    monkeypatch.setattr(Copying, "move", cut)
    flow.plan("transfer")
    flow.run_scheduled()
    assert DataTransfer.objects.get().error_code == "transport.failed"
    from django.db.models.functions import Now

    DataTransfer._base_manager.update(run_after=Now())
    flow.run(*UP_TO_ARCHIVE)

    packages = [key for key in sent if key.startswith("packages/")]
    assert len(packages) == len(set(packages)) == 2
    assert DataTransfer.objects.get().status == Status.COMPLETED
    assert len(archived_bytes(flow, flow.archive)) == 2


def test_a_missing_program_holds_the_link_back_until_it_is_installed(
    flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = put_programs(tmp_path / "programs")
    (programs / "bbcp").rename(programs / "not_installed")
    monkeypatch.setenv("CCATDC_SSH_COMMAND", str(programs / "ssh_here"))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    DiskDataLocation.objects.filter(pk=flow.input_buffer.pk).update(host="cologne.example.org")
    DataTransferRoute.objects.create(
        name="by_bbcp",
        route_type=RouteType.CUSTOM,
        origin_site=flow.ccat,
        destination_site=flow.cologne,
        origin_location=flow.output_buffer,
        destination_location=flow.input_buffer,
        method="bbcp",
        parameters={"streams": 4},
    )
    flow.observe(FILES)
    flow.run("package", "bundle")
    flow.plan("transfer")
    flow.run_scheduled()

    transfer = DataTransfer.objects.get()
    assert (transfer.status, transfer.error_code, transfer.attempts) == (Status.PENDING, "transport.no_program", 0)
    assert transfer.waits_for is not None
    assert transfer.waits_for.opened_at is not None

    (programs / "not_installed").rename(programs / "bbcp")
    CircuitBreaker.objects.update(next_trial_at=Now())
    DataTransfer.objects.non_polymorphic().update(run_after=Now())
    dispatch_due()
    flow.run_scheduled()
    assert not CircuitBreaker.objects.open().exists()
    flow.run("unpack", "archive")

    assert DataTransfer.objects.get().method == "bbcp"
    assert archived_bytes(flow, flow.archive) == [FILES]
    assert flow.failures() == []
