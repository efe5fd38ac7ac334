"""Which names are taken, and which are refused with which code."""

from __future__ import annotations

import pytest

from ccatdc.common.errors import KeyEscapesError
from datamgmt.storage.keys import checked_folder, checked_key, key_hash


@pytest.mark.parametrize(
    "key",
    [
        "a",
        "a b/c d",
        "-n/--flag",
        "grüße/観測",
        "line\nbreak",
        "back\\slash",
        "..a/b../c..d/...",
        ".hidden",
        "a" * 255,
        "ü" * 127 + "x",
        "/".join(["x" * 255] * 20),
        "deeper/.ccatdc/x",
        ".ccatdc2/x",
    ],
)
def test_a_plain_relative_path_is_taken(key: str) -> None:
    assert checked_key(key) == key


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "storage.key_malformed"),
        ("a\0b", "storage.key_malformed"),
        ("bad\udcff.dat", "storage.key_malformed"),
        ("/", "storage.path_escapes"),
        ("/etc/passwd", "storage.path_escapes"),
        ("..", "storage.path_escapes"),
        ("../up", "storage.path_escapes"),
        ("a/../b", "storage.path_escapes"),
        ("a/..", "storage.path_escapes"),
        (".", "storage.path_escapes"),
        ("./a", "storage.path_escapes"),
        ("a//b", "storage.path_escapes"),
        ("a/", "storage.path_escapes"),
        ("a" * 256, "storage.component_too_long"),
        ("d/" + "ü" * 128, "storage.component_too_long"),
        (".ccatdc", "storage.key_reserved"),
        (".ccatdc/location.json", "storage.key_reserved"),
    ],
)
def test_what_leads_elsewhere_is_refused(key: str, code: str) -> None:
    with pytest.raises(KeyEscapesError) as caught:
        checked_key(key)

    assert caught.value.code == code


def test_the_root_is_a_folder_but_no_key() -> None:
    assert checked_folder("") == ""
    assert checked_folder("a/b") == "a/b"
    with pytest.raises(KeyEscapesError):
        checked_folder("a/")


def test_a_hash_stands_for_one_key() -> None:
    assert key_hash("obs_1") == key_hash("obs_1")
    assert key_hash("obs_1") != key_hash("obs_10")
    assert len(key_hash("x" * 5000)) == 32
