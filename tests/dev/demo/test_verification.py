"""The demo's own checks find what is wrong; each kind of damage is made for real."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest
from blake3 import blake3

from ccatdc.dev.demo.verification import (
    ArchivedPackage,
    Expected,
    Findings,
    check_archived,
    check_gone,
    check_nothing_named,
    check_staged,
)

CONTENTS = {"run/a": b"a" * 3000, "run/b/new\nline": b"", "run/b/c": b"c" * 2_000_000}
EXPECTED = {path: Expected(len(content), f"blake3:{blake3(content).hexdigest()}") for path, content in CONTENTS.items()}


def write(folder: Path, contents: dict[str, bytes]) -> None:
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def staged(folder: Path) -> Findings:
    findings = Findings()
    check_staged(folder, EXPECTED, findings, "package")
    return findings


def test_a_staged_tree_as_it_was_written_is_fine(tmp_path: Path) -> None:
    write(tmp_path, CONTENTS)

    findings = staged(tmp_path)

    assert (findings.checked["staged files"], findings.wrong) == (3, [])


def test_a_staged_tree_behind_a_link_is_fine(tmp_path: Path) -> None:
    write(tmp_path / "packages", CONTENTS)
    (tmp_path / "job").symlink_to("packages")

    assert staged(tmp_path / "job").wrong == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"run/a": b"b" * 3000}, "staged run/a: its bytes differ"),
        ({"run/a": b"a" * 2999}, "staged run/a: has 2999 bytes, 3000 were written"),
        ({"run/stranger": b""}, "staged run/stranger: is no file of package"),
    ],
)
def test_a_damaged_staged_tree_is_found(change: dict[str, bytes], fault: str, tmp_path: Path) -> None:
    write(tmp_path, CONTENTS | change)

    (found,) = staged(tmp_path).wrong

    assert found.startswith(fault)


def test_a_missing_staged_file_is_found(tmp_path: Path) -> None:
    write(tmp_path, CONTENTS)
    (tmp_path / "run" / "a").unlink()

    assert staged(tmp_path).wrong == ["staged run/a: it is not there"]


def archive(tmp_path: Path, contents: dict[str, bytes], sidecar: object = None) -> ArchivedPackage:
    write(tmp_path / "files", contents)
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    with tarfile.open(bucket / "p.tar", "w") as tar:
        for path in contents:
            tar.add(tmp_path / "files" / path, arcname=path)
    document = {"files": [{"relative_path": path} for path in contents]}
    (bucket / "p.json").write_text(json.dumps(document if sidecar is None else sidecar))
    return ArchivedPackage("p", bucket, "p.tar", "p.json", frozenset(CONTENTS))


def archived(package: ArchivedPackage) -> Findings:
    findings = Findings()
    check_archived(package, EXPECTED, findings)
    return findings


def test_an_archived_tar_with_its_sidecar_is_fine(tmp_path: Path) -> None:
    findings = archived(archive(tmp_path, CONTENTS))

    assert findings.wrong == []
    assert dict(findings.checked) == {"archived files": 3, "sidecars": 1}


def test_damage_in_a_tar_is_found(tmp_path: Path) -> None:
    package = archive(tmp_path, CONTENTS)
    with tarfile.open(package.bucket / "p.tar") as tar:
        begin = tar.getmember("run/a").offset_data
    with (package.bucket / "p.tar").open("r+b") as file:
        file.seek(begin)
        file.write(b"?")

    (found,) = archived(package).wrong

    assert found == "bucket/p.tar, run/a: its bytes differ from those written"


def test_a_tar_that_is_cut_is_found(tmp_path: Path) -> None:
    package = archive(tmp_path, CONTENTS)
    os.truncate(package.bucket / "p.tar", 1_000_000)

    assert archived(package).wrong


def test_members_too_few_or_too_many_are_found(tmp_path: Path) -> None:
    contents = {path: content for path, content in CONTENTS.items() if path != "run/a"}

    wrong = archived(archive(tmp_path, contents | {"stranger": b""})).wrong

    assert wrong == [
        "bucket/p.tar, stranger: is no file of this package",
        "bucket/p.tar, run/a: it is not in the tar",
        "bucket/p.json: does not name the files of its package",
    ]


def test_a_missing_object_is_found(tmp_path: Path) -> None:
    package = archive(tmp_path, CONTENTS)
    (package.bucket / "p.tar").unlink()

    (found,) = archived(package).wrong

    assert found.startswith("bucket/p.tar: cannot be read")


@pytest.mark.parametrize("sidecar", [[], {"files": [{}]}, {"files": []}])
def test_a_sidecar_that_does_not_name_the_files_is_found(sidecar: object, tmp_path: Path) -> None:
    (found,) = archived(archive(tmp_path, CONTENTS, sidecar)).wrong

    assert found.startswith("bucket/p.json: ")


def test_what_is_left_at_a_source_is_found(tmp_path: Path) -> None:
    findings = Findings()
    check_gone(tmp_path, "run", findings)
    (tmp_path / "run" / "empty").mkdir(parents=True)
    check_gone(tmp_path, "run", findings)
    assert findings.wrong == []

    write(tmp_path, {"run/a/b": b""})
    check_gone(tmp_path, "run", findings)

    assert findings.wrong == [f"{tmp_path / 'run'}: 1 files are left, such as 'a/b'"]


def test_what_is_left_of_a_package_in_a_buffer_is_found(tmp_path: Path) -> None:
    findings = Findings()
    write(tmp_path, {"packages/2026/other.1-1.tar": b"", ".ccatdc/location.json": b""})
    check_nothing_named(tmp_path, ["mine"], findings)
    assert findings.wrong == []

    write(tmp_path, {"packages/2026/mine.1-1.tar": b""})
    check_nothing_named(tmp_path, ["mine"], findings)

    assert len(findings.wrong) == 1
