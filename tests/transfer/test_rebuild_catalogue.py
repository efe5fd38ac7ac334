"""The database is lost; the archive alone gives the catalogue back."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.db.models import Max

from ccatdc.common.errors import RequestError
from ccatdc.dev.s3server import S3Server
from datamgmt.models import DataLocation, LocationType, PhysicalCopy, RawDataFile, RawDataPackage, S3DataLocation, Site
from datamgmt.packaging.naming import sidecar_key
from datamgmt.rebuilding import catalogue
from datamgmt.rebuilding.catalogue import rebuild
from datamgmt.states import Integrity, PackageState, WantedCheck
from datamgmt.storage import storage_for
from observatory.models import Instrument, InstrumentModule
from planning.models import ExecutedObsUnit, ObservingProgram, ObsUnit, Source
from tests.factories.observatory import InstrumentFactory, PrimeCamModuleConfigurationFactory
from tests.factories.planning import ExecutedObsUnitFactory, SolarSystemObjectFactory
from tests.flow import Flow

ARCHIVED = ("package", "bundle", "transfer", "unpack", "archive")


@pytest.fixture
def flow(transactional_db: None, tmp_path: Path, s3_server: S3Server) -> Flow:
    """Two observations are archived, of a fixed and of a moving source."""
    flow = Flow(tmp_path, s3_server, ("ccat-test-access", "ccat-test-secret"))
    fixed = flow.observe({"run1/a": b"a" * 3000, "run1/ü b": b"b"}, finish=False)
    used = PrimeCamModuleConfigurationFactory.create(instrument_module=flow.module, name="as cooled in May")
    fixed.instrument_module_configurations.add(used)
    flow.finish(fixed)
    moving: ExecutedObsUnit = ExecutedObsUnitFactory.create(obs_unit__source=SolarSystemObjectFactory.create())
    flow.file(moving, {"run2/c": b"c"})
    flow.finish(moving)
    flow.run(*ARCHIVED)
    return flow


def contents(model: type[models.Model], *leave_out: str) -> dict[Any, dict[str, Any]]:
    """All rows by their names, as far as a sidecar can know them."""
    counted = {"id", "polymorphic_ctype_id", "updated_at", *leave_out}
    found = {}
    for row in model._base_manager.all():
        real = row.get_real_instance() if hasattr(row, "get_real_instance") else row
        columns = {f.attname: f.value_from_object(real) for f in real._meta.concrete_fields}
        left = {n: v for n, v in columns.items() if n not in counted and not n.endswith("_ptr_id")}
        found[str(row)] = left
    return found


def everything() -> dict[str, Any]:
    """The catalogue without keys that the database counts, and without what people and places have."""
    keys = (
        "obs_unit_id",
        "observation_configuration_id",
        "pre_scheduled_slot_id",
        "operator_id",
        "reported_by_token_id",
    )
    related = ("instrument_id", "telescope_id", "observatory_id", "obs_mode_id", "source_id", "observing_program_id")
    people = ("lead_id", "created_by_id", "sub_observing_program_id")
    found: dict[str, Any] = {
        "packages": contents(
            RawDataPackage, "instrument_module_id", "source_location_id", "archived_at", "resend_after", "resends"
        ),
        "files": contents(RawDataFile, "instrument_module_id", "source_location_id"),
        "executions": contents(ExecutedObsUnit, *keys),
    }
    for model in (ObsUnit, ObservingProgram, Source, Instrument, InstrumentModule):
        found[model.__name__] = contents(model, *related, *people)
    used = ExecutedObsUnit.instrument_module_configurations.through.objects
    found["used"] = set(used.values_list("executedobsunit_id", "instrumentmoduleconfiguration__name"))
    return found


def lose_the_database(flow: Flow) -> S3DataLocation:
    """Every row is gone; somebody says again where the archive is."""
    row = {
        name: getattr(flow.archive, name) for name in ("uuid", "name", "bucket_name", "endpoint_url", "registered_at")
    }
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    kept = ("django_migrations", "django_content_type", "permission", "role", "auth_permission")
    with connection.cursor() as cursor:
        names = ", ".join(f'"{name}"' for name in tables if name not in kept and not name.startswith("role"))
        cursor.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
    site = Site.objects.create(name="Cologne", short_name="cologne")
    archive: S3DataLocation = S3DataLocation.objects.create(
        site=site, location_type=LocationType.LONG_TERM_ARCHIVE, **row
    )
    return archive


def said(location: DataLocation) -> str:
    out = StringIO()
    call_command("rebuild_catalogue", location.full_name, stdout=out)
    return out.getvalue()


def test_all_of_the_catalogue_comes_back(flow: Flow) -> None:
    before = everything()
    archive = lose_the_database(flow)
    assert not any(everything().values())
    assert "2 packages, 3 files, 2 copies" in said(archive)
    assert len(before["used"]) == 1
    assert everything() == before
    source = DataLocation.objects.named(flow.source.full_name).get()
    assert (source.active, source.location_type) == (False, LocationType.SOURCE)


def test_its_copies_are_claims_until_stage_90_has_read_them(flow: Flow) -> None:
    archive = lose_the_database(flow)
    said(archive)
    copies = PhysicalCopy.objects.at(archive)
    assert {(copy.integrity, copy.wanted_check) for copy in copies} == {(Integrity.UNVERIFIED, WantedCheck.READ)}
    assert {package.state for package in RawDataPackage.objects.all()} == {PackageState.ARCHIVED}
    flow.run("scrub")
    assert {(copy.integrity, copy.verified_how) for copy in copies.all()} == {(Integrity.OK, "read_back")}


def test_new_rows_get_keys_that_nothing_has(flow: Flow) -> None:
    archive = lose_the_database(flow)
    said(archive)
    last = Instrument.objects.aggregate(last=Max("pk"))["last"]
    assert InstrumentFactory.create(short_name="another", name="Another").pk > last


def test_rows_that_were_loaded_before_are_the_same_and_stay_as_they_are(flow: Flow) -> None:
    name = Instrument.objects.get().short_name
    archive = lose_the_database(flow)
    for number in range(5):
        InstrumentFactory.create(short_name=f"other{number}", name=f"Other {number}")
    loaded = InstrumentFactory.create(short_name=name, name="As it is called today")
    said(archive)
    assert Instrument.objects.get(short_name=name).name == "As it is called today"
    assert InstrumentModule.objects.get().instrument == loaded


def test_it_can_be_run_again_and_goes_on_where_it_was_killed(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything()
    archive = lose_the_database(flow)
    monkeypatch.setattr(catalogue, "_files", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        rebuild(archive)
    assert not RawDataPackage.objects.exists()
    assert not ExecutedObsUnit.objects.exists()
    monkeypatch.undo()
    first = rebuild(archive)
    second = rebuild(archive)
    assert (first.packages, second.packages, second.known, second.rows) == (2, 0, 2, 0)
    assert everything() == before


def test_a_second_archive_adds_its_copies(flow: Flow) -> None:
    other = flow.disk(flow.cologne, "second_archive", LocationType.LONG_TERM_ARCHIVE)
    flow.run("archive")
    rows = {"uuid": other.uuid, "name": other.name, "path": other.path, "registered_at": other.registered_at}
    archive = lose_the_database(flow)
    said(archive)
    again = type(other).objects.create(site=archive.site, location_type=LocationType.LONG_TERM_ARCHIVE, **rows)
    result = rebuild(again)
    assert (result.packages, result.files, result.copies, result.rows) == (0, 0, 2, 0)


def test_what_a_sidecar_cannot_give_is_said_and_the_others_come(flow: Flow) -> None:
    copies = list(PhysicalCopy.objects.at(flow.archive).order_by("pk"))
    storage = storage_for(flow.archive)
    damaged, lonely = sidecar_key(copies[0].key), copies[1].key
    with storage.open(damaged) as stream:
        content = stream.read().replace(b"run1/a", b"run1/x")
    storage.delete(damaged)
    for key, text in ((damaged, content), ("somebody/notes.json", b"{}")):
        with storage.writer(key, "test", len(text)) as out:
            out.write(text)
    storage.delete(lonely)
    archive = lose_the_database(flow)
    with pytest.raises(CommandError) as caught:
        said(archive)
    message = str(caught.value)
    assert "3 sidecars gave nothing, or not all" in message
    assert f"{damaged}: it is damaged, or no sidecar" in message
    assert "somebody/notes.json: it is damaged, or no sidecar" in message
    assert "that it describes is not beside it" in message
    assert RawDataPackage.objects.count() == 1
    assert not PhysicalCopy.objects.exists()


def test_only_an_archive_has_sidecars(flow: Flow) -> None:
    with pytest.raises(RequestError, match="is no long-term archive"):
        rebuild(flow.input_buffer)
    with pytest.raises(CommandError, match="There is no location"):
        call_command("rebuild_catalogue", "nowhere_at_all")


def test_the_keys_of_packages_and_files_are_theirs_for_ever(flow: Flow) -> None:
    packages: set[UUID] = set(RawDataPackage.objects.values_list("pk", flat=True))
    files: set[UUID] = set(RawDataFile.objects.values_list("pk", flat=True))
    said(lose_the_database(flow))
    assert set(RawDataPackage.objects.values_list("pk", flat=True)) == packages
    assert set(RawDataFile.objects.values_list("pk", flat=True)) == files


def forget_a_package(flow: Flow) -> tuple[UUID, str]:
    """What a backup of an hour ago knows: the files were filed and in no package yet."""
    package = RawDataPackage.objects.get(raw_data_files__relative_path="run2/c")
    RawDataFile.objects.filter(raw_data_package=package).update(raw_data_package=None, digest="")
    everything_of_it = "physical_copy, raw_data_package_metadata, operation, data_transfer_package"
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {everything_of_it} CASCADE")
    known = package.pk, package.name
    package.delete()
    return known


def test_what_a_restored_backup_did_not_know_yet_is_added(flow: Flow) -> None:
    before = everything()
    key, _ = forget_a_package(flow)
    result = rebuild(flow.archive)
    assert (result.packages, result.files, result.copies, result.problems) == (1, 0, 2, [])
    assert RawDataFile.objects.get(relative_path="run2/c").raw_data_package_id == key
    assert everything() == before


def test_files_that_are_in_another_package_by_now_stay_there(flow: Flow) -> None:
    key, _ = forget_a_package(flow)
    other = RawDataPackage.objects.get()
    RawDataFile.objects.filter(relative_path="run2/c").update(raw_data_package=other)
    result = rebuild(flow.archive)
    assert (result.packages, result.bad) == (0, 1)
    assert "in another package here: run2/c" in result.problems[0]
    assert not RawDataPackage.objects.filter(pk=key).exists()


def test_another_package_with_its_name_is_told(flow: Flow) -> None:
    _, name = forget_a_package(flow)
    RawDataPackage.objects.update(name=name)
    result = rebuild(flow.archive)
    assert result.bad == 1
    assert "the database refuses it" in result.problems[0]
