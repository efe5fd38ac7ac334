"""What every storage technology must do alike. Subclass it and give it a ``place``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from ccatdc.common.errors import (
    DataIntegrityError,
    KeyEscapesError,
    KeyExistsError,
    KeyMissingError,
    LocationIdentityError,
    StorageError,
)
from datamgmt.storage.base import LocationStorage, Stored
from tests.datamgmt.storage.places import THEIRS, DiskPlace, S3Place

Place = DiskPlace | S3Place

MIB = 1024 * 1024

ODD_KEYS = [
    "plain.txt",
    "with spaces/and more of them .dat",
    "-rf/--help",
    "grüße/Ωmega/観測.fits",
    "new\nline/tab\t.dat",
    "back\\slash/quote'\".dat",
    ".hidden/..double/...triple",
    "a" * 255 + "/" + "ü" * 127,
    "/".join(["deep"] * 60) + "/file.dat",
]

WRITES: dict[str, Callable[[LocationStorage], object]] = {
    "writer": lambda storage: write(storage, "new.dat", b"new"),
    "delete": lambda storage: storage.delete("old.dat"),
    "discard_attempt": lambda storage: storage.discard_attempt("old.dat", "a1"),
}
NEGATIVE_ANSWERS: dict[str, Callable[[LocationStorage], object]] = {
    "check_identity": lambda storage: storage.check_identity(),
    "open": lambda storage: storage.open("not there"),
    "stat": lambda storage: storage.stat("not there"),
    "exists": lambda storage: storage.exists("not there"),
    "walk": lambda storage: list(storage.walk()),
    "usage": lambda storage: storage.usage(),
}


def write(storage: LocationStorage, key: str, content: bytes, attempt: str = "a1") -> None:
    with storage.writer(key, attempt, len(content)) as out:
        out.write(content)


def read(storage: LocationStorage, key: str) -> bytes:
    with storage.open(key) as stream:
        return stream.read()


class StorageContract:
    """The cases. ``place`` is empty and has the marker of ``place.storage()``."""

    @pytest.fixture
    def storage(self, place: Place) -> LocationStorage:
        return place.storage()

    # Writing and reading

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_what_is_written_under_an_odd_name_is_read_back(self, storage: LocationStorage, key: str) -> None:
        write(storage, key, b"bytes of " + key.encode())

        assert read(storage, key) == b"bytes of " + key.encode()
        assert storage.exists(key)
        assert storage.stat(key).size == len(b"bytes of " + key.encode())
        assert [found for found, _ in storage.walk()] == [key]

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_the_writer_takes_any_bytes_in_pieces(
        self, storage: LocationStorage, kind: Callable[[bytes], bytes]
    ) -> None:
        with storage.writer("pieces.dat", "a1") as out:
            for piece in (b"one ", b"", b"two ", b"three"):
                assert out.write(kind(piece)) == len(piece)

        assert read(storage, "pieces.dat") == b"one two three"

    def test_an_empty_file_is_a_file(self, storage: LocationStorage) -> None:
        write(storage, "empty.dat", b"")

        assert read(storage, "empty.dat") == b""
        assert storage.stat("empty.dat").size == 0

    def test_a_stream_reads_into_a_buffer_of_the_caller(self, storage: LocationStorage) -> None:
        content = bytes(range(256)) * 5000
        write(storage, "file.dat", content)
        buffer = bytearray(MIB)

        with storage.open("file.dat") as stream:
            count = stream.readinto(buffer)  # type: ignore[attr-defined]
            rest = stream.read()

        assert bytes(buffer[:count]) + rest == content

    @pytest.mark.parametrize(
        ("start", "length", "found"), [(0, 3, b"one"), (4, 3, b"two"), (8, 99, b"three"), (4, 0, b"")]
    )
    def test_a_part_is_read_by_itself(self, storage: LocationStorage, start: int, length: int, found: bytes) -> None:
        write(storage, "file.dat", b"one two three")
        with storage.open_range("file.dat", start, length) as stream:
            assert stream.read() == found

    def test_a_part_of_a_missing_file_is_named(self, storage: LocationStorage) -> None:
        with pytest.raises(KeyMissingError, match=r"missing\.dat"):
            storage.open_range("missing.dat", 0, 5)

    def test_a_name_is_not_there_before_the_block_ends(self, storage: LocationStorage) -> None:
        with storage.writer("file.dat", "a1") as out:
            out.write(b"half")
            assert not storage.exists("file.dat")
            assert list(storage.walk()) == []

        assert storage.exists("file.dat")

    def test_a_failing_block_leaves_nothing(self, storage: LocationStorage, place: Place) -> None:
        with pytest.raises(OSError, match="source is gone"), storage.writer("f.dat", "a1") as out:
            out.write(b"half")
            raise OSError("source is gone")

        assert not storage.exists("f.dat")
        assert place.unfinished() == []

    def test_a_name_is_never_replaced(self, storage: LocationStorage, place: Place) -> None:
        write(storage, "file.dat", b"first")

        with pytest.raises(KeyExistsError), storage.writer("file.dat", "a2") as out:
            out.write(b"second")

        assert read(storage, "file.dat") == b"first"
        assert place.unfinished() == []

    @pytest.mark.parametrize("written", [b"shor", b"longer"])
    def test_other_than_the_announced_size_is_not_kept(
        self, storage: LocationStorage, place: Place, written: bytes
    ) -> None:
        with pytest.raises(DataIntegrityError) as caught, storage.writer("f.dat", "a1", 5) as out:
            out.write(written)

        assert caught.value.code == "storage.size_differs"
        assert not storage.exists("f.dat")
        assert place.unfinished() == []

    # What is missing

    def test_a_missing_file_is_named(self, storage: LocationStorage) -> None:
        with pytest.raises(KeyMissingError, match="nothing/here"):
            storage.open("nothing/here.dat")
        with pytest.raises(KeyMissingError, match="nothing/here"):
            storage.stat("nothing/here.dat")
        assert not storage.exists("nothing/here.dat")

    def test_a_folder_is_not_a_file(self, storage: LocationStorage) -> None:
        write(storage, "folder/file.dat", b"x")

        assert not storage.exists("folder")
        assert not storage.exists("folder/file.dat/below")

    # Deleting

    def test_exactly_one_key_is_deleted(self, storage: LocationStorage) -> None:
        keys = ["obs_1", "obs_10", "obs_1.json", "d/obs_1", "d/obs_10", "e/obs_1/a", "e/obs_10/a"]
        for key in keys:
            write(storage, key, b"x")

        storage.delete("obs_1")
        storage.delete("d/obs_1")

        left = ["d/obs_10", "e/obs_1/a", "e/obs_10/a", "obs_1.json", "obs_10"]
        assert sorted(key for key, _ in storage.walk()) == left

    def test_deleting_what_is_gone_is_success(self, storage: LocationStorage) -> None:
        write(storage, "file.dat", b"x")
        storage.delete("file.dat")

        storage.delete("file.dat")
        storage.delete("never/was.dat")

        assert not storage.exists("file.dat")

    def test_a_folder_is_not_deleted_as_a_file(self, storage: LocationStorage) -> None:
        write(storage, "folder/file.dat", b"x")

        with suppress(KeyEscapesError, StorageError):  # or there is no such file, which is success
            storage.delete("folder")

        assert storage.exists("folder/file.dat")

    def test_the_file_that_was_expected_is_deleted(self, storage: LocationStorage) -> None:
        write(storage, "file.dat", b"x")

        storage.delete("file.dat", expected=storage.stat("file.dat"))

        assert not storage.exists("file.dat")

    def test_a_file_of_another_size_than_expected_is_kept(self, storage: LocationStorage) -> None:
        write(storage, "file.dat", b"grown")

        with pytest.raises(DataIntegrityError) as caught:
            storage.delete("file.dat", expected=Stored(size=1))

        assert caught.value.code == "storage.changed"
        assert read(storage, "file.dat") == b"grown"

    def test_a_guarded_delete_of_what_is_gone_is_success(self, storage: LocationStorage) -> None:
        storage.delete("never/was.dat", expected=Stored(size=1))

    # Listing

    def test_a_folder_is_listed_without_its_neighbours(self, storage: LocationStorage) -> None:
        for key in ("obs_1/a", "obs_1/b/c", "obs_10/a", "obs_1.json"):
            write(storage, key, b"xyz")

        found = dict(storage.walk("obs_1"))

        assert sorted(found) == ["obs_1/a", "obs_1/b/c"]
        assert {stored.size for stored in found.values()} == {3}
        assert list(storage.walk("obs_2")) == []

    def test_a_listing_agrees_with_a_look_at_the_file(self, storage: LocationStorage) -> None:
        write(storage, "file.dat", b"xyz")

        assert dict(storage.walk()) == {"file.dat": storage.stat("file.dat")}

    def test_the_house_s_own_files_are_not_listed(self, storage: LocationStorage) -> None:
        assert list(storage.walk()) == []
        with pytest.raises(KeyEscapesError):
            list(storage.walk(".ccatdc"))

    # Keys

    @pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../../b", ".ccatdc/x", "a\0b"])
    def test_no_method_takes_a_key_that_escapes(self, storage: LocationStorage, key: str) -> None:
        with pytest.raises(KeyEscapesError):
            storage.open(key)
        with pytest.raises(KeyEscapesError):
            storage.stat(key)
        with pytest.raises(KeyEscapesError):
            storage.exists(key)
        with pytest.raises(KeyEscapesError):
            storage.delete(key)
        with pytest.raises(KeyEscapesError):
            storage.local_path(key)
        with pytest.raises(KeyEscapesError):
            storage.discard_attempt(key, "a1")
        with pytest.raises(KeyEscapesError):
            write(storage, key, b"x")

    # Identity

    def test_registering_twice_is_success(self, storage: LocationStorage) -> None:
        storage.write_marker()
        storage.check_identity()

    def test_a_place_of_another_location_cannot_be_taken(self, place: Place) -> None:
        other = place.storage(THEIRS, "bonn_buffer")

        with pytest.raises(LocationIdentityError, match=r"belongs to another") as caught:
            other.write_marker()

        assert caught.value.code == "location.marker_foreign"
        place.storage().check_identity()

    @pytest.mark.parametrize("name", [*WRITES, *NEGATIVE_ANSWERS])
    def test_without_the_marker_nothing_is_done(self, place: Place, name: str) -> None:
        write(place.storage(), "old.dat", b"old")
        place.remove_marker()

        with pytest.raises(LocationIdentityError) as caught:
            (WRITES | NEGATIVE_ANSWERS)[name](place.storage())

        assert caught.value.code == "location.marker_missing"
        assert caught.value.retryable  # the disk will be mounted again;
        assert not caught.value.consumes_attempt  # until then work waits and does not fail
        self.require_untouched(place)

    @pytest.mark.parametrize("name", [*WRITES, *NEGATIVE_ANSWERS])
    def test_at_another_location_s_place_nothing_is_done(self, place: Place, name: str) -> None:
        write(place.storage(), "old.dat", b"old")

        with pytest.raises(LocationIdentityError, match="cologne_") as caught:
            (WRITES | NEGATIVE_ANSWERS)[name](place.storage(THEIRS, "bonn_buffer"))

        assert caught.value.code == "location.marker_foreign"
        self.require_untouched(place)

    @pytest.mark.parametrize("name", WRITES)
    def test_with_a_damaged_marker_nothing_is_written(self, place: Place, name: str) -> None:
        write(place.storage(), "old.dat", b"old")
        place.damage_marker()

        with pytest.raises(LocationIdentityError) as caught:
            WRITES[name](place.storage())

        assert caught.value.code == "location.marker_unreadable"
        with pytest.raises(LocationIdentityError):
            place.storage().write_marker()

    @staticmethod
    def require_untouched(place: Place) -> None:
        if not place_has_marker(place):
            place.storage().write_marker()
        assert read(place.storage(), "old.dat") == b"old"
        assert [key for key, _ in place.storage().walk()] == ["old.dat"]


def place_has_marker(place: Place) -> bool:
    try:
        place.storage().check_identity()
    except LocationIdentityError:
        return False
    return True
