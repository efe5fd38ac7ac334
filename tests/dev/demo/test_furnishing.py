"""What a start prepares, on the real database: own places, people and tokens; a second time nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.models import ApiToken, User
from ccatdc.common.errors import ConfigurationError, LocationIdentityError
from ccatdc.common.visibility import visible
from ccatdc.dev.demo.furnishing import PEOPLE, furnish, password_of
from ccatdc.dev.demo.home import Home
from ccatdc.dev.s3server import S3Server
from datamgmt.models import DataLocation, DiskDataLocation, S3DataLocation
from planning.models import ObservingProgram
from tests.factories.datamgmt import DiskDataLocationFactory

pytestmark = pytest.mark.django_db

KEYS = ("demo-access-key", "demo-secret-key")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "demo root")


@pytest.fixture
def server(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    for place in ("COLOGNE_LONG_TERM_ARCHIVE", "US_LTA"):
        monkeypatch.setenv(f"CCATDC_S3_{place}_ACCESS_KEY", KEYS[0])
        monkeypatch.setenv(f"CCATDC_S3_{place}_SECRET_KEY", KEYS[1])
    with home.locked(), S3Server(home.s3, access_key=KEYS[0], secret_key=KEYS[1]) as made:
        yield made


def prepare(home: Home, server: S3Server) -> None:
    furnish(home, server.endpoint_url, lambda _text: None)


def test_every_location_is_below_the_demos_folder_and_registered(home: Home, server: S3Server) -> None:
    prepare(home, server)

    disks = list(DiskDataLocation.objects.with_site())
    assert len(disks) == 8
    for disk in disks:
        assert Path(disk.path) == home.root / disk.site.short_name / disk.name
        assert (Path(disk.path) / ".ccatdc" / "location.json").is_file()
        assert (disk.settle_seconds, disk.retention_days) == (0, 0)
    for bucket in S3DataLocation.objects.all():
        assert (home.s3 / bucket.bucket_name / ".ccatdc" / "location.json").is_file()
        assert "content_md5_put" in bucket.refused_checksums
    registered = DataLocation.objects.filter(registered_at__isnull=False)
    assert registered.count() == 10  # all but the tape vault, also the inactive ones


def test_people_can_log_in_and_instruments_have_tokens_of_their_own(home: Home, server: S3Server) -> None:
    prepare(home, server)

    for person in PEOPLE:
        user = User.objects.get(username=person.username)
        assert user.check_password(password_of(home, person))
        assert [role.name for role in user.roles.all()] == [person.role]
    token = ApiToken.objects.usable().for_secret(home.token("chai")).get()
    assert token.instrument is not None and token.instrument.short_name == "chai"
    assert token.may("write:observations")
    staging = ApiToken.objects.usable().for_secret(home.token("scientist")).get()
    assert staging.may("stage:data") and not staging.may("write:observations")


def test_the_scientist_sees_what_the_demo_observes(home: Home, server: S3Server) -> None:
    prepare(home, server)
    scientist = User.objects.get(username="scientist")
    programs = ObservingProgram.objects.order_by("pk")
    assert programs
    assert list(visible(programs, scientist)) == list(programs)


def test_a_second_start_changes_nothing_and_leaves_decisions_alone(home: Home, server: S3Server) -> None:
    prepare(home, server)
    token = home.token("prime-cam")
    DataLocation.objects.filter(name="input_buffer").update(priority=7, settle_seconds=9)
    User.objects.filter(username="operator").update(email="changed@example.org")

    prepare(home, server)

    location = DataLocation.objects.get(name="input_buffer")
    assert (location.priority, location.settle_seconds) == (7, 9)
    assert User.objects.get(username="operator").email == "changed@example.org"
    assert home.token("prime-cam") == token
    assert ApiToken.objects.count() == 3


def test_lost_secrets_are_made_anew(home: Home, server: S3Server) -> None:
    prepare(home, server)
    (home.root / "secrets").unlink()

    prepare(home, server)

    assert ApiToken.objects.usable().for_secret(home.token("chai")).exists()


def test_another_port_of_the_s3_server_is_followed(home: Home, server: S3Server) -> None:
    prepare(home, server)
    S3DataLocation.objects.update(endpoint_url="http://127.0.0.1:9")

    prepare(home, server)

    addresses = set(S3DataLocation.objects.values_list("endpoint_url", flat=True))
    assert addresses == {server.endpoint_url}


def test_the_database_of_another_data_center_is_left_alone(home: Home, server: S3Server) -> None:
    DiskDataLocationFactory.create(path="/data/production")

    with pytest.raises(ConfigurationError, match="belongs to another data center"):
        prepare(home, server)

    assert DataLocation.objects.count() == 1


def test_a_location_elsewhere_that_was_added_in_the_portal_is_kept(
    home: Home, server: S3Server, tmp_path: Path
) -> None:
    prepare(home, server)
    added = DiskDataLocationFactory.create(path=str(tmp_path / "elsewhere"))

    prepare(home, server)

    assert DiskDataLocation.objects.filter(pk=added.pk, path=str(tmp_path / "elsewhere")).exists()


def test_a_place_that_vanished_is_not_marked_again(home: Home, server: S3Server) -> None:
    prepare(home, server)
    shutil.rmtree(home.disk("ccat", "output_buffer"))

    with pytest.raises(LocationIdentityError, match="is not there"):
        prepare(home, server)
