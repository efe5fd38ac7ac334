"""Registering locations: markers on real disks, probes of a real S3 server, clear refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from accounts.models import SystemLog
from ccatdc.common.errors import ConfigurationError, LocationIdentityError, StorageError
from ccatdc.dev.s3server import S3Server
from datamgmt.models import DataLocation, DiskDataLocation, S3DataLocation
from datamgmt.storage.registration import register
from tests.factories.datamgmt import DiskDataLocationFactory, S3DataLocationFactory, TapeDataLocationFactory

pytestmark = pytest.mark.django_db

KEYS = ("registration-access", "registration-secret")


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    root = tmp_path_factory.mktemp("s3")
    with S3Server(root, access_key=KEYS[0], secret_key=KEYS[1]) as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3DataLocation:
    """A row whose bucket is not there yet."""
    monkeypatch.setenv("CCATDC_S3_REGISTRATION_ACCESS_KEY", KEYS[0])
    monkeypatch.setenv("CCATDC_S3_REGISTRATION_SECRET_KEY", KEYS[1])
    return S3DataLocationFactory.create(
        bucket_name="new-bucket", endpoint_url=s3_server.endpoint_url, credential_key="REGISTRATION", registered_at=None
    )


def disk(path: Path, **fields: object) -> DiskDataLocation:
    return DiskDataLocationFactory.create(path=str(path), registered_at=None, **fields)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("register_location", *arguments, stdout=out)
    return out.getvalue()


def test_a_registered_disk_has_its_marker_and_the_row_says_so(tmp_path: Path) -> None:
    location = disk(tmp_path)

    register(location)

    marker = json.loads((tmp_path / ".ccatdc" / "location.json").read_bytes())
    assert marker["uuid"] == str(location.uuid)
    location.refresh_from_db()
    assert location.registered_at is not None
    assert SystemLog.objects.get().object_id == str(location.pk)


def test_registering_again_is_success_and_keeps_the_first_time(tmp_path: Path) -> None:
    location = disk(tmp_path)
    register(location)
    first = DataLocation.objects.get().registered_at

    register(DataLocation.objects.get())

    assert DataLocation.objects.get().registered_at == first


def test_a_missing_root_is_made_only_on_request(tmp_path: Path) -> None:
    location = disk(tmp_path / "a" / "b")

    with pytest.raises(LocationIdentityError, match="is not there"):
        register(location)
    assert not (tmp_path / "a").exists()

    register(location, create=True)
    assert (tmp_path / "a" / "b" / ".ccatdc" / "location.json").is_file()


def test_a_root_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="cannot be made") as caught:
        register(disk(tmp_path / "file" / "root"), create=True)

    assert caught.value.code == "location.cannot_create"


def test_the_place_of_another_location_is_refused(tmp_path: Path) -> None:
    register(disk(tmp_path, name="first"))
    second = disk(tmp_path, name="second")

    with pytest.raises(LocationIdentityError, match="belongs to another location") as caught:
        register(second)

    assert caught.value.code == "location.marker_foreign"
    second.refresh_from_db()
    assert second.registered_at is None


def test_an_unmounted_disk_is_not_registered_anew(tmp_path: Path) -> None:
    location = disk(tmp_path)
    register(location)
    shutil.rmtree(tmp_path / ".ccatdc")  # what an empty mount point looks like

    with pytest.raises(LocationIdentityError, match="now its marker is missing"):
        register(location, create=True)
    assert not (tmp_path / ".ccatdc").exists()

    register(location, replace_marker=True)
    assert (tmp_path / ".ccatdc" / "location.json").is_file()


def test_a_bucket_is_made_marked_and_probed(bucket: S3DataLocation, s3_server: S3Server) -> None:
    with pytest.raises(StorageError, match="NoSuchBucket"):
        register(bucket)

    register(bucket, create=True)

    assert (s3_server.root / "new-bucket" / ".ccatdc" / "location.json").is_file()
    bucket.refresh_from_db()
    assert bucket.registered_at is not None
    assert "content_md5_put" in bucket.refused_checksums
    assert "sha256_put" not in bucket.refused_checksums


def test_the_command_registers_all_active_locations(tmp_path: Path) -> None:
    disk(tmp_path / "a", name="a")
    disk(tmp_path / "b", name="b", active=False)

    said = run("--all", "--create")

    assert said == "ccat_a: registered\n"
    assert not (tmp_path / "b").exists()
    assert run("ccat_a") == "ccat_a: was registered, all is well\n"


def test_one_failure_does_not_hold_up_the_others(tmp_path: Path) -> None:
    disk(tmp_path, name="good")
    TapeDataLocationFactory.create(name="tape", registered_at=None)

    with pytest.raises(CommandError, match="Tape cannot write marker yet"):
        run("cologne_tape", "ccat_good")

    assert DataLocation.objects.get(name="good").registered_at is not None


def test_an_unknown_name_lists_those_that_exist(tmp_path: Path) -> None:
    disk(tmp_path, name="a")

    with pytest.raises(CommandError, match=r"There is no location ccat_b\. There are: ccat_a\."):
        run("ccat_b")


def test_a_name_or_all_is_needed() -> None:
    with pytest.raises(CommandError, match="Give the names"):
        run()


def test_a_place_that_is_older_than_the_catalogue_gives_its_row_the_uuid(tmp_path: Path) -> None:
    before = DiskDataLocationFactory.create(path=str(tmp_path), registered_at=None)
    register(before)
    uuid, pk = before.uuid, before.pk
    DataLocation.objects.filter(pk=pk).delete()
    again = DiskDataLocationFactory.create(path=str(tmp_path), registered_at=None)
    assert again.uuid != uuid
    with pytest.raises(LocationIdentityError):
        register(again)
    call_command("register_location", again.full_name, "--as-marked", verbosity=0)
    again.refresh_from_db()
    assert again.uuid == uuid
    assert again.registered_at is not None


def test_the_marker_of_another_name_gives_nothing(tmp_path: Path) -> None:
    register(DiskDataLocationFactory.create(path=str(tmp_path), registered_at=None))
    other = DiskDataLocationFactory.create(name="other", path=str(tmp_path), registered_at=None)
    with pytest.raises(LocationIdentityError, match="belongs to another location"):
        register(other, as_marked=True)


def test_one_that_is_registered_keeps_its_uuid(tmp_path: Path) -> None:
    location = DiskDataLocationFactory.create(path=str(tmp_path), registered_at=None)
    register(location)
    uuid = uuid4()
    DataLocation.objects.non_polymorphic().filter(pk=location.pk).update(uuid=uuid)
    location.refresh_from_db()
    with pytest.raises(LocationIdentityError):
        register(location, as_marked=True)
    location.refresh_from_db()
    assert location.uuid == uuid
