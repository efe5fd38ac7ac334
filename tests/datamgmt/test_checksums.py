"""Digests: the right values, the right form, every byte counted once."""

from __future__ import annotations

import io

import pytest

from ccatdc.common.errors import RequestError
from datamgmt.checksums import (
    Digest,
    HashingReader,
    digest_stream,
    is_wellformed,
    known_algorithms,
    new_digest,
    parse_checksum,
)

#: Published values of the nine bytes 123456789, and of nothing.
NINE = {
    "sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
    "md5": "25f9e794323b453885f5181f1b624d0b",
    "crc32c": "e3069283",
}
NOTHING = {
    "blake3": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "md5": "d41d8cd98f00b204e9800998ecf8427e",
    "xxh3_128": "99aa06d3014798d86001c324468d497f",
    "crc32c": "00000000",
}


@pytest.mark.parametrize("algorithm", NINE)
def test_nine_bytes_have_the_published_digest(algorithm: str) -> None:
    digest = new_digest(algorithm)
    digest.update(b"1234")
    digest.update(bytearray(b"56"))
    digest.update(memoryview(b"x789")[1:])

    assert digest.hexdigest() == NINE[algorithm]
    assert str(digest) == f"{algorithm}:{NINE[algorithm]}"


@pytest.mark.parametrize("algorithm", NOTHING)
def test_nothing_has_the_published_digest(algorithm: str) -> None:
    assert new_digest(algorithm).hexdigest() == NOTHING[algorithm]


def test_the_house_digest_is_blake3() -> None:
    assert known_algorithms() == ("blake3", "sha256", "md5", "xxh3_128", "crc32c")
    assert str(new_digest()) == f"blake3:{NOTHING['blake3']}"


@pytest.mark.parametrize("algorithm", known_algorithms())
def test_every_algorithm_takes_a_piece_of_a_buffer_that_is_used_again(algorithm: str) -> None:
    buffer = bytearray(b"first piece")
    digest, whole = Digest(algorithm), Digest(algorithm)
    digest.update(memoryview(buffer)[:5])
    buffer[:] = b"other bytes"
    digest.update(memoryview(buffer)[:5])
    whole.update(b"firstother")

    assert str(digest) == str(whole)
    assert digest.matches(str(whole))
    assert is_wellformed(algorithm, digest.hexdigest())


def test_an_unknown_algorithm_is_the_caller_s_fault() -> None:
    with pytest.raises(RequestError, match="blake3") as caught:
        new_digest("sha1")

    assert caught.value.code == "checksum.unknown_algorithm"


@pytest.mark.parametrize(
    ("algorithm", "digits", "expected"),
    [
        ("md5", NINE["md5"], True),
        ("md5", NINE["md5"].upper(), True),
        ("md5", NINE["md5"][:-1], False),
        ("md5", NINE["md5"] + "0", False),
        ("md5", "g" * 32, False),
        ("md5", "٣" * 32, False),
        ("sha256", NINE["md5"], False),
        ("sha1", "0" * 40, False),
        ("", "", False),
    ],
)
def test_a_digest_is_wellformed_for_its_algorithm_only(algorithm: str, digits: str, expected: bool) -> None:
    assert is_wellformed(algorithm, digits) is expected


def test_a_filed_checksum_is_compared_in_lower_case() -> None:
    assert parse_checksum(f"md5:{NINE['md5'].upper()}") == ("md5", NINE["md5"])
    digest = new_digest("md5")
    digest.update(b"123456789")
    assert digest.matches(f"md5:{NINE['md5'].upper()}")
    assert not digest.matches(f"md5:{NOTHING['md5']}")
    assert not digest.matches(NINE["md5"])


@pytest.mark.parametrize("text", ["", "md5", NINE["md5"], "md5:", "sha1:00", "MD5:" + NINE["md5"]])
def test_what_is_no_checksum_is_refused(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_checksum(text)

    assert caught.value.code == "checksum.malformed"


def test_a_hashing_reader_passes_the_bytes_on_and_feeds_all_digests() -> None:
    content = bytes(range(256)) * 10_000
    first, second = new_digest(), new_digest("sha256")
    source = io.BytesIO(content)
    reader = HashingReader(source, first, second)

    assert reader.read(1000) + reader.read() == content
    assert reader.size == len(content)
    assert str(first) == digest_stream(io.BytesIO(content))[1]
    whole = new_digest("sha256")
    whole.update(content)
    assert str(second) == str(whole)
    reader.close()
    assert not source.closed


def test_a_stream_is_read_to_its_end() -> None:
    content = b"0123456789" * 300_000
    whole = new_digest()
    whole.update(content)

    assert digest_stream(io.BytesIO(content)) == (len(content), str(whole))
    assert digest_stream(io.BytesIO(b"")) == (0, f"blake3:{NOTHING['blake3']}")


def test_a_stream_of_short_reads_is_read_to_its_end() -> None:
    class Slow(io.BytesIO):
        def readinto(self, buffer: object, /) -> int:
            return super().readinto(memoryview(buffer)[:7])  # type: ignore[arg-type]

    assert digest_stream(Slow(b"x" * 100)) == digest_stream(io.BytesIO(b"x" * 100))
