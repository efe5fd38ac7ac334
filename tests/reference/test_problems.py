"""Every kind of mistake in reference files is refused with file, line, field and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccatdc.reference.entries import ReferenceDataError
from ccatdc.reference.load.loader import load_reference
from observatory.models import Observatory
from tests.reference.conftest import WriteFolder

pytestmark = pytest.mark.django_db

SITE = "site:\n  - {short_name: ccat, name: CCAT}\n"
OBSERVATORY = "observatory:\n  - {short_name: ccat, name: CCAT}\n"

# name: (text of the file, line, field, part of the reason)
MISTAKES: dict[str, tuple[str, int, str, str]] = {
    "unknown section": ("telescop:\n  - {name: a}\n", 2, "telescop", "did you mean telescope?"),
    "unknown field": (
        "observatory:\n  - short_name: ccat\n    nam: CCAT\n",
        3,
        "nam",
        "no field of observatory; did you mean name?",
    ),
    "missing field": ("observatory:\n  - short_name: ccat\n", 2, "name", "is missing"),
    "missing name": ("observatory:\n  - name: CCAT\n", 2, "short_name", "is missing"),
    "missing reference": ("data_archive:\n  - {short_name: a, name: A}\n", 2, "site", "is missing"),
    "empty where a value is needed": ("observatory:\n  - short_name: ccat\n    name:\n", 3, "name", "may not be empty"),
    "unknown reference": (
        OBSERVATORY + "telescope:\n  - short_name: fyst\n    observatory: cat\n    name: FYST\n"
        "    lon_deg: 0\n    lat_deg: 0\n    alt_m: 0\n    aperture_m: 6\n",
        5,
        "observatory",
        "there is no observatory 'cat'; there are: ccat",
    ),
    "reference that is a list": (
        OBSERVATORY + "telescope:\n  - short_name: fyst\n    observatory: [ccat]\n    name: FYST\n"
        "    lon_deg: 0\n    lat_deg: 0\n    alt_m: 0\n    aperture_m: 6\n",
        5,
        "observatory",
        "is not the name of anything",
    ),
    "list wanted": (
        "observing_program:\n  - short_name: A\n    name: A\n    instruments: chai\n",
        4,
        "instruments",
        "is not a list of names",
    ),
    "given twice": (
        OBSERVATORY + "  - {short_name: ccat, name: Other}\n",
        3,
        "short_name",
        "ccat is given twice, first in",
    ),
    "field given twice": (
        "observatory:\n  - short_name: ccat\n    name: A\n    name: B\n",
        4,
        "name",
        "is given twice, first in line 3",
    ),
    "section given twice": (OBSERVATORY + OBSERVATORY, 3, "observatory", "is given twice"),
    "key twice inside a value": (
        "obs_mode:\n  - name: a\n    default_parameters:\n      x: 1\n      x: 2\n",
        5,
        "x",
        "is given twice",
    ),
    "text that YAML reads as true": (
        "observatory:\n  - short_name: ccat\n    name: on\n",
        3,
        "name",
        "put it in quotes",
    ),
    "number for text": ("observatory:\n  - short_name: ccat\n    name: 350\n", 3, "name", "put it in quotes"),
    "text for a number": (
        "fixed_source:\n  - name: a\n    ra_deg: 5h20m\n    dec_deg: 0\n",
        3,
        "ra_deg",
        "is not a number",
    ),
    "not finite": (
        "fixed_source:\n  - name: a\n    ra_deg: 1\n    dec_deg: .nan\n",
        4,
        "dec_deg",
        "is not a finite number",
    ),
    "fraction for a whole number": (
        SITE + "disk_data_location:\n  - site: ccat\n    name: b\n    location_type: buffer\n"
        "    path: /b\n    settle_seconds: 1.5\n",
        8,
        "settle_seconds",
        "is not a whole number",
    ),
    "text for true or false": (
        "site:\n  - short_name: ccat\n    name: CCAT\n    active: 'yes'\n",
        4,
        "active",
        "is neither true nor false",
    ),
    "out of the range of the database": (
        "fixed_source:\n  - name: a\n    dec_deg: 0\n    ra_deg: 400\n",
        4,
        "ra_deg",
        "breaks the rule fixed_source_ra_range: ra_deg >= 0 and ra_deg < 360",
    ),
    "taken by another row": (
        "site:\n  - {short_name: ccat, name: CCAT}\n  - {short_name: us, name: CCAT}\n",
        3,
        "name",
        "CCAT is taken by another site",
    ),
    "unknown choice": (
        SITE + "disk_data_location:\n  - site: ccat\n    name: b\n    location_type: bufer\n    path: /b\n",
        6,
        "location_type",
        "'bufer' is not a valid choice",
    ),
    "name unfit for queues": ("site:\n  - short_name: Ccat-1\n    name: CCAT\n", 2, "short_name", "lower-case letters"),
    "relative root": (
        SITE + "disk_data_location:\n  - site: ccat\n    name: b\n    location_type: buffer\n    path: data/b\n",
        7,
        "path",
        "Give an absolute path",
    ),
    "kinds mixed up": (
        "fixed_source:\n  - {name: Mars, ra_deg: 0, dec_deg: 0}\n"
        "solar_system_object:\n  - {name: Mars, ephemeris_name: mars}\n",
        4,
        "name",
        "Mars is a fixed_source in",
    ),
    "too long": (f"observatory:\n  - short_name: ccat\n    name: {'x' * 129}\n", 3, "name", "at most 128 characters"),
    "not YAML": ("site:\n  - {short_name: ccat\nname: x\n", 3, "", "is not YAML"),
    "tag": ("site: !!python/name:os.system\n", 1, "site", "a section is a list of entries"),
    "tagged value": (
        "observatory:\n  - short_name: ccat\n    name: !!python/name:os.system\n",
        3,
        "name",
        "is not YAML",
    ),
    "list of files": ("- a\n", 1, "", "a file is a mapping"),
    "entry that is no mapping": ("site:\n  - ccat\n", 2, "site", "an entry is a mapping"),
    "section that is no list": ("site:\n  short_name: a\n", 2, "site", "is a list of entries"),
    "two documents": (SITE + "---\n" + SITE, 3, "", "is not YAML"),
    "control character": ("site:\n  - {short_name: a\x07}\n", 2, "", "is not YAML"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_names_file_line_field_and_reason(mistake: str, write_folder: WriteFolder) -> None:
    text, line, field, reason = MISTAKES[mistake]
    folder = write_folder(good="observatory:\n  - {short_name: fine, name: Fine}\n", wrong=text)

    with pytest.raises(ReferenceDataError) as caught:
        load_reference([folder])

    found = [(p.place.file, p.place.line, p.field) for p in caught.value.problems]
    assert found == [(folder / "wrong.yaml", line, field)]
    assert reason in caught.value.problems[0].reason
    assert f"wrong.yaml:{line}: " in str(caught.value)
    assert not Observatory.objects.exists()


def test_all_problems_are_reported_at_once_and_what_follows_from_one_is_not(write_folder: WriteFolder) -> None:
    folder = write_folder(
        a="observatory:\n  - {short_name: ccat}\n"
        "telescope:\n  - {short_name: fyst, observatory: ccat}\n"
        "instrument:\n  - {short_name: chai, telescope: fyst}\n",
        b="fixed_source:\n  - {name: a, ra_deg: x, dec_deg: y}\n",
    )

    with pytest.raises(ReferenceDataError) as caught:
        load_reference([folder])

    assert [(p.place.file.name, p.place.line, p.field) for p in caught.value.problems] == [
        ("a.yaml", 2, "name"),
        ("b.yaml", 2, "ra_deg"),
        ("b.yaml", 2, "dec_deg"),
    ]


def test_a_row_stored_as_another_kind_is_refused(write_folder: WriteFolder) -> None:
    load_reference([write_folder(a="fixed_source:\n  - {name: Mars, ra_deg: 0, dec_deg: 0}\n")])

    with pytest.raises(ReferenceDataError, match="Mars exists already, as a fixed_source"):
        load_reference([write_folder(a="solar_system_object:\n  - {name: Mars, ephemeris_name: mars}\n")])


def test_a_file_that_is_not_utf8_names_the_line(write_folder: WriteFolder) -> None:
    folder = write_folder(a=OBSERVATORY)
    (folder / "b.yaml").write_bytes(b"site:\n  - {name: K\xf6ln}\n")

    with pytest.raises(ReferenceDataError, match=r"b\.yaml:2: is not UTF-8"):
        load_reference([folder])


@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_a_folder_without_files_is_an_error(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    if kind == "empty":
        folder.mkdir()
    elif kind == "file":
        folder.write_text("")

    with pytest.raises(ReferenceDataError, match=r"No such file|holds no|Not a directory"):
        load_reference([folder])
