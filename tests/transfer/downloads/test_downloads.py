"""Files, packages and selections out of a real archive: the bytes, their digests, parts, rights, limits, damage."""

from __future__ import annotations

import hashlib
import io
import tarfile
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import User
from ccatdc.common.errors import DataIntegrityError
from ccatdc.dev.s3server import S3Server
from datamgmt.checksums import digest_of
from datamgmt.models import DataLocation, DiskDataLocation, PhysicalCopy, RawDataFile, RawDataPackage, S3DataLocation
from datamgmt.states import Integrity, WantedCheck
from datamgmt.storage import storage_for
from planning.models import ExecutedObsUnit
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.factories.datamgmt import RawDataFileFactory, S3DataLocationFactory
from tests.factories.observatory import DataStreamFactory
from tests.factories.transfer import DownloadFactory
from tests.transfer.downloads.asking import Caller, body_of, leave
from tests.transfer.downloads.conftest import FILES, Archive
from tests.transfer.operations.spoiling import flip
from transfer.downloads import limits
from transfer.models import Download


def address(file: RawDataFile) -> str:
    return f"/api/raw_data_files/{file.pk}/download"


def named(name: str) -> RawDataFile:
    found: RawDataFile = RawDataFile.objects.get(relative_path=name)
    return found


def archive_copy() -> PhysicalCopy:
    found: PhysicalCopy = PhysicalCopy.objects.in_archives().get()
    return found


@pytest.mark.usefixtures("observed")
class TestOneFile:
    def test_each_file_comes_whole_with_its_digest(self, caller: Caller) -> None:
        for name, content in FILES.items():
            answer = caller.get(address(named(name)))

            assert body_of(answer) == content
            assert answer["CCAT-Digest"] == digest_of(content)
            assert answer["Content-Length"] == str(len(content))
        row = Download.objects.latest("pk")
        assert (row.outcome, row.sent_bytes, row.user.username) == ("complete", len(content), "scientist")

    def test_a_filed_sha256_is_sent_as_the_rfc_names_it(self, caller: Caller) -> None:
        content = FILES["run1/a"]
        RawDataFile.objects.update(checksum_algorithm="sha256", checksum=hashlib.sha256(content).hexdigest())

        answer = caller.head(address(named("run1/a")))

        assert answer["Repr-Digest"].startswith("sha-256=:") and answer["Repr-Digest"].endswith(":")
        assert answer.content == b""
        assert not Download.objects.exists()

    @pytest.mark.parametrize(
        ("asked", "first", "last"),
        [("bytes=7-20", 7, 20), ("bytes=699990-", 699990, 699999), ("bytes=-5", 699995, 699999)],
    )
    def test_a_part_of_it(self, caller: Caller, asked: str, first: int, last: int) -> None:
        answer = caller.get(address(named("run1/b.dat")), Range=asked)

        assert answer.status_code == 206
        assert answer["Content-Range"] == f"bytes {first}-{last}/700000"
        assert body_of(answer) == FILES["run1/b.dat"][first : last + 1]

    @pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "lines=1-2", "bytes=9-3", "bytes=-"])
    def test_what_is_no_part_is_the_whole(self, caller: Caller, asked: str) -> None:
        answer = caller.get(address(named("run1/a")), Range=asked)
        assert answer.status_code == 200
        assert body_of(answer) == b"first"

    def test_a_part_of_another_version_is_the_whole(self, caller: Caller) -> None:
        tag = caller.head(address(named("run1/a")))["ETag"]
        assert caller.get(address(named("run1/a")), Range="bytes=2-", If_Range=tag).status_code == 206
        assert caller.get(address(named("run1/a")), Range="bytes=2-", If_Range='"other"').status_code == 200

    def test_bytes_that_it_has_not(self, caller: Caller) -> None:
        answer = caller.get(address(named("run1/a")), Range="bytes=5-")
        assert (answer.status_code, answer.json()["code"]) == (416, "download.range")


@pytest.mark.usefixtures("observed")
class TestPackagesAndSelections:
    def test_a_package_is_its_tar(self, caller: Caller) -> None:
        package = RawDataPackage.objects.get()
        answer = caller.get(f"/api/raw_data_packages/{package.pk}/download")
        content = body_of(answer)

        assert digest_of(content) == package.digest == answer["CCAT-Digest"]
        part = caller.get(f"/api/raw_data_packages/{package.pk}/download", Range="bytes=512-1023")
        assert body_of(part) == content[512:1024]

    def test_an_observation_is_a_tar_with_a_manifest(self, caller: Caller, observed: ExecutedObsUnit) -> None:
        answer = caller.get(f"/api/executed_obs_units/{observed.pk}/download")
        content = body_of(answer)

        assert len(content) == int(answer["Content-Length"])
        assert answer["Accept-Ranges"] == "none"
        folder = RawDataPackage.objects.get().name
        members = unpacked(content)
        assert next(iter(members)) == "MANIFEST.b3"
        manifest = members.pop("MANIFEST.b3").decode()
        assert members == {f"{folder}/{name}": data for name, data in FILES.items()}
        assert f"{digest_of(b'first').removeprefix('blake3:')}  {folder}/run1/a\n" in manifest

    def test_chosen_files_only(self, caller: Caller) -> None:
        wanted = [str(named("run1/a").pk), str(named("run1/ü -x").pk)]
        members = unpacked(body_of(caller.post("/api/downloads", {"files": wanted})))
        assert {name.rpartition("/")[2] for name in members} == {"MANIFEST.b3", "a", "ü -x"}

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({}, "download.nothing"),
            ({"files": [str(uuid4())]}, "download.unknown"),
            ({"packages": [str(uuid4())]}, "download.unknown"),
        ],
    )
    def test_what_cannot_be_selected(self, caller: Caller, body: dict[str, Any], code: str) -> None:
        answer = caller.post("/api/downloads", body)
        assert (answer.status_code, answer.json()["code"]) == (400, code)

    def test_more_files_than_one_stream_may_have(self, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("transfer.downloads.selection.MAX_FILES", 3)
        answer = caller.post("/api/downloads", {"packages": [str(RawDataPackage.objects.get().pk)]})
        assert answer.json()["code"] == "download.too_many_files"


def test_a_package_that_was_made_in_the_order_of_the_database(archived: Archive, caller: Caller) -> None:
    """Before the order was that of code points."""
    names = {"a": b"1" * 600, "B": b"2" * 1200, "c": b"3"}
    archived(
        names,
        order=lambda files: list(RawDataFile.objects.order_by("relative_path").values_list("relative_path", flat=True)),
    )
    for name, content in names.items():
        assert body_of(caller.get(address(named(name)))) == content


class TestDamage:
    def test_a_file_with_other_bytes_is_cut_and_its_copy_reported(self, caller: Caller, archived: Archive) -> None:
        archived({"big": bytes(10**6)})
        flip(path_of_copy(), 5000)

        answer = caller.get(address(named("big")))
        got = bytearray()
        with pytest.raises(DataIntegrityError, match="was packaged"):
            for block in answer.streaming_content:
                got += block
        leave(answer)

        assert len(got) < 10**6  # no client takes it for whole
        copy = archive_copy()
        assert (copy.integrity, copy.wanted_check) == (Integrity.SUSPECT, WantedCheck.READ)
        row = Download.objects.get()
        assert (row.outcome, row.error_code, row.sent_bytes) == ("damaged", "origin.differs", len(got))

    @pytest.mark.usefixtures("observed")
    def test_a_file_that_does_not_stand_where_it_should(self, caller: Caller) -> None:
        RawDataFile.objects.filter(relative_path="run1/a").update(relative_path="run1/zz")

        answer = caller.get(address(named("run1/b.dat")))

        assert (answer.status_code, answer.json()["code"]) == (503, "download.unreachable")
        assert archive_copy().wanted_check == WantedCheck.READ

    @pytest.mark.usefixtures("observed")
    def test_a_copy_of_another_size_is_not_read(self, caller: Caller) -> None:
        path_of_copy().write_bytes(path_of_copy().read_bytes()[:-512])

        assert caller.get(address(named("run1/a"))).status_code == 503
        assert archive_copy().integrity == Integrity.DAMAGED

    def test_another_archive_is_asked_when_one_is_away(
        self, caller: Caller, archived: Archive, place: Callable[[str], DiskDataLocation]
    ) -> None:
        places = [place("one"), place("other")]
        archived({"one": b"content"}, at=places)
        Path(places[0].path).rename(Path(places[0].path).with_suffix(".away"))

        assert body_of(caller.get(address(named("one")))) == b"content"

    @pytest.mark.usefixtures("observed")
    def test_no_archive_answers(self, caller: Caller) -> None:
        DataLocation.objects.non_polymorphic().update(active=False)
        answer = caller.get(address(named("run1/a")))
        assert (answer.status_code, answer.json()["code"]) == (503, "download.unreachable")
        assert answer["Retry-After"]
        assert Download.objects.get().error_code == "download.unreachable"


@pytest.mark.usefixtures("observed")
class TestRights:
    def test_what_one_may_not_see_does_not_exist(self, observed: ExecutedObsUnit) -> None:
        stranger = UserFactory.create(
            username="stranger", permissions=["read:observations", "stage:data"], sees_all=False
        )
        caller = Caller(ApiTokenFactory.create(user=stranger, scopes=["stage:data"]).secret)  # type: ignore[attr-defined]
        file, package = named("run1/a"), RawDataPackage.objects.get()

        for path in (
            address(file),
            f"/api/raw_data_packages/{package.pk}/download",
            f"/api/raw_data_files/{file.pk}/link",
            f"/api/executed_obs_units/{observed.pk}/download",
        ):
            assert caller.get(path).status_code == 404
        for body in ({"files": [str(file.pk)]}, {"packages": [str(package.pk)]}):
            assert caller.post("/api/downloads", body).json()["code"] == "download.unknown"

        observed.obs_unit.observing_program.members.add(stranger)
        assert body_of(caller.get(address(file))) == b"first"

    def test_no_link_to_an_object_with_hidden_files(
        self, scientist: User, observed: ExecutedObsUnit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of a package of a data stream one may see some files only."""
        stranger = UserFactory.create(username="stranger", permissions=["stage:data"], sees_all=False)
        observed.obs_unit.observing_program.members.add(stranger)
        stream = DataStreamFactory.create(is_public=False)
        package = RawDataPackage.objects.get()
        RawDataPackage.objects.update(
            executed_obs_unit=None, data_stream=stream, start_time=observed.start_time, end_time=observed.end_time
        )
        for number, file in enumerate(package.raw_data_files.order_by("relative_path")):
            hours = timedelta(hours=9 * number)  # only the first overlaps the observation
            RawDataFile.objects.filter(pk=file.pk).update(
                executed_obs_unit=None,
                data_stream=stream,
                start_time=observed.start_time + hours,
                end_time=observed.start_time + hours,
            )
        caller = Caller(ApiTokenFactory.create(user=stranger, scopes=["stage:data"]).secret)  # type: ignore[attr-defined]
        file = named("run1/a")

        assert body_of(caller.get(address(file))) == b"first"
        for path in (f"/api/raw_data_files/{file.pk}/link", f"/api/raw_data_packages/{package.pk}/download"):
            assert caller.get(path).json()["code"] == "staging.not_all_visible"
        assert len(unpacked(body_of(caller.post("/api/downloads", {"packages": [str(package.pk)]})))) == 2

    def test_reading_is_not_enough(self, scientist: User) -> None:
        token = ApiTokenFactory.create(user=scientist, name="reads", scopes=["read:observations"])
        assert Caller(token.secret).get(address(named("run1/a"))).status_code == 403  # type: ignore[attr-defined]

    def test_what_is_not_archived(self, caller: Caller, observed: ExecutedObsUnit) -> None:
        late = RawDataFileFactory.create(executed_obs_unit=observed)
        assert caller.get(address(late)).json()["code"] == "download.not_archived"
        assert caller.post("/api/downloads", {"files": [str(late.pk)]}).json()["code"] == "download.not_archived"


@pytest.mark.usefixtures("observed")
class TestLimits:
    def test_so_many_streams_of_one_person(self, caller: Caller, settings: Any) -> None:
        settings.DOWNLOAD_STREAMS_PER_USER = 1
        running = caller.get(address(named("run1/a")))

        refused = caller.get(address(named("run1/a")))
        assert (refused.status_code, refused.json()["code"]) == (429, "download.too_many")

        leave(running)
        assert body_of(caller.get(address(named("run1/a")))) == b"first"

    def test_so_many_streams_of_one_process(self, caller: Caller, settings: Any) -> None:
        settings.DOWNLOAD_STREAMS_PER_PROCESS = 0
        assert caller.get(address(named("run1/a"))).json()["code"] == "download.too_many"

    def test_a_stream_of_a_killed_process_does_not_count_for_ever(
        self, caller: Caller, settings: Any, scientist: User
    ) -> None:
        settings.DOWNLOAD_STREAMS_PER_USER = 1
        row = DownloadFactory.create(user=scientist, outcome="running", ended_at=None)
        assert caller.get(address(named("run1/a"))).status_code == 429
        Download.objects.filter(pk=row.pk).update(seen_at="2026-01-01T00:00:00Z")
        assert body_of(caller.get(address(named("run1/a")))) == b"first"

    def test_so_much_at_once_and_in_a_day(self, caller: Caller, settings: Any, scientist: User) -> None:
        settings.DOWNLOAD_MAX_GB_PER_DAY = 1e-3
        DownloadFactory.create(user=scientist, sent_bytes=400_000)
        assert caller.get(address(named("run1/b.dat"))).json()["code"] == "download.too_much_today"
        settings.DOWNLOAD_MAX_GB = 1e-4
        answer = caller.get(address(named("run1/b.dat")))
        assert (answer.status_code, answer.json()["code"]) == (400, "download.too_large")

    def test_no_faster_and_no_longer_than_allowed(
        self, caller: Caller, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses: list[float] = []
        monkeypatch.setattr("transfer.downloads.limits.time.sleep", pauses.append)
        settings.DOWNLOAD_MB_PER_S = 0.1
        body_of(caller.get(address(named("run1/b.dat"))))
        # Before the second and third block of 256 KiB, and before the end: what was sent by then.
        assert [round(pause) for pause in pauses] == [3, 5, 5]

        settings.DOWNLOAD_MAX_SECONDS = -1
        answer = caller.get(address(named("run1/b.dat")))
        with pytest.raises(limits.DownloadTooLongError):
            b"".join(answer.streaming_content)
        leave(answer)
        assert Download.objects.latest("pk").error_code == "download.too_long"


class TestS3:
    @pytest.fixture
    def bucket(self, db: None, s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> S3DataLocation:
        location: S3DataLocation = S3DataLocationFactory.create(
            bucket_name=s3_bucket, endpoint_url=s3_server.endpoint_url, prefix="raw"
        )
        monkeypatch.setenv("CCATDC_S3_COLOGNE_LONG_TERM_ARCHIVE_ACCESS_KEY", "ccat-test-access")
        monkeypatch.setenv("CCATDC_S3_COLOGNE_LONG_TERM_ARCHIVE_SECRET_KEY", "ccat-test-secret")
        storage_for(location).write_marker()
        return location

    def test_files_out_of_a_bucket_and_links_to_it(
        self, caller: Caller, archived: Archive, bucket: S3DataLocation
    ) -> None:
        row = archived(FILES, at=[bucket])
        assert body_of(caller.get(address(named("run1/b.dat")))) == FILES["run1/b.dat"]
        assert body_of(caller.get(address(named("run1/b.dat")), Range="bytes=7-13")) == b"second "
        assert len(unpacked(body_of(caller.get(f"/api/executed_obs_units/{row.pk}/download")))) == len(FILES) + 1

        file = named("run1/a")
        link = f"/api/raw_data_files/{file.pk}/link"
        answer = caller.get(link)
        assert (answer.status_code, answer.json()["code"]) == (409, "download.no_links")
        S3DataLocation.objects.update(presigned_links=True)
        told = caller.get(link).json()
        wanted = urllib.request.Request(  # noqa: S310
            told["url"], headers={"Range": f"bytes={told['first_byte']}-{told['last_byte']}"}
        )
        with urllib.request.urlopen(wanted) as got:  # noqa: S310
            assert got.read() == b"first"
        assert told["digest"] == file.digest


def path_of_copy() -> Path:
    return Path(archive_copy().full_path)


def unpacked(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
