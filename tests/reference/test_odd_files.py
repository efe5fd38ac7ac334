"""Files that are not what their names say, and values that a format reads as something else: refused, each by its place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from ccatdc.reference.entries import ReferenceDataError
from ccatdc.reference.load.loader import load_reference
from ccatdc.reference.readers import folders
from observatory.models import Observatory
from planning.models import FixedSource, ObservingProgram, ObsMode, SubObservingProgram
from tests.reference.test_tables import write

pytestmark = pytest.mark.django_db

GOOD = "observatory:\n  - {short_name: fine, name: Fine}\n"
HEADER = "name,ra_deg,dec_deg\n"


def problems_of(folder: Path) -> list[tuple[str, int, str, str]]:
    """What a load reports: file, line, field, reason. Nothing of it is stored."""
    write(folder, {"good.yaml": GOOD})
    with pytest.raises(ReferenceDataError) as caught:
        load_reference([folder])
    assert not Observatory.objects.exists() and not FixedSource.objects.exists()
    return [(p.place.file.name, p.place.line, p.field, p.reason) for p in caught.value.problems]


def yaml_of(field: str, written: str) -> str:
    values = {"name": "a", "ra_deg": "1", "dec_deg": "2"} | {field: written}
    return "fixed_source:\n  -\n" + "".join(f"    {k}: {v}\n" for k, v in values.items())


LINES = {"name": 3, "ra_deg": 4, "dec_deg": 5, "aliases": 6, "description": 6}

# (field, what was written, part of the reason)
YAML_VALUES = [
    ("ra_deg", "1:30", "1:30 would be read as 90"),
    ("ra_deg", "1:30.5", "1:30.5 would be read as 90.5"),
    ("ra_deg", "010", "010 would be read as 8"),
    ("ra_deg", "0x10", "0x10 would be read as 16"),
    ("ra_deg", "0b11", "0b11 would be read as 3"),
    ("ra_deg", "1_0", "1_0 would be read as 10"),
    ("ra_deg", "1,5", "'1,5' is not a number"),
    ("ra_deg", "2026-01-01", "is not a number"),
    pytest.param("ra_deg", "9" * 400, "is not a finite number", id="400 digits"),
    pytest.param("ra_deg", "9" * 5000, "cannot be read", id="5000 digits"),
    ("ra_deg", "on", "True is not a number"),
    ("name", "no", "write it as text"),
    ("name", "12:30", "or text in quotes"),
    ("name", "2026-01-01", "write it as text"),
    ("name", "2026-02-30", "cannot be read"),
    ("name", "''", "may not be empty"),
    ("name", "' a'", "has spaces at an end"),
    ("name", r'"a\nb"', "characters that do not print"),
    ("name", r'"a\u200b"', "characters that do not print"),
    ("description", r'"\ud800"', "half a surrogate pair"),
    ("description", r'"\0"', "NUL"),
    ("description", "=", "is not YAML"),
    ("aliases", "CW Leo", "'CW Leo' is not a list"),
    ("aliases", "{a: 1}", "is not a list"),
    ("aliases", "[CW Leo, no]", "False was read as true or false: put it in quotes"),
    ("aliases", "[[a]]", "was read as a list"),
    ("aliases", "[" * 41 + "]" * 41, "is nested deeper than 40 levels"),
]


@pytest.mark.parametrize(("field", "written", "reason"), YAML_VALUES)
def test_a_value_that_yaml_reads_as_something_else_is_refused(
    field: str, written: str, reason: str, tmp_path: Path
) -> None:
    write(tmp_path, {"wrong.yaml": yaml_of(field, written)})

    [(file, line, named, why)] = problems_of(tmp_path)

    # What cannot be read at all ends the file there, without a field.
    assert (file, line, named) == ("wrong.yaml", LINES[field], "" if "deeper" in reason else field)
    assert reason in why


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ("[1]", "is not an object"),
        ("{1: 2}", "the name 1 is a number: put it in quotes"),
        ("{on: 2}", "the name True is true or false"),
        ("{x: .nan}", "nan is not a finite number"),
        ("{x: 2026-01-01}", "was read as a date"),
        ("{x: {y: 1:30}}", "1:30 would be read as 90"),
        ("{x: !!set {a}}", "was read as a set"),
        (r'{x: "a\0b"}', "NUL"),
        ("{<<: {a: 1}}", "<< is not read"),
    ],
)
def test_an_object_that_is_no_json_is_refused(parameters: str, reason: str, tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": f"obs_mode:\n  - name: z\n    default_parameters: {parameters}\n"})

    [(_, line, _, why)] = problems_of(tmp_path)

    assert line == 3 and reason in why
    assert not ObsMode.objects.exists()


def test_aliases_are_not_followed(tmp_path: Path) -> None:
    # Nine lines of this kind are 3 GB when they are written out.
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    write(
        tmp_path,
        {
            "bomb.yaml": bomb,
            "endless.yaml": yaml_of("aliases", "&a [*a]"),
            "merged.yaml": "observatory:\n  - &a {short_name: a, name: A}\n  - {<<: *a, name: B}\n",
        },
    )

    found = problems_of(tmp_path)

    assert [(file, line) for file, line, _, _ in found] == [("bomb.yaml", 2), ("endless.yaml", 6), ("merged.yaml", 3)]
    assert all("*a is not read: write out what it stands for" in why for *_, why in found)


# name: (text of fixed_source.csv, line, field, part of the reason)
TABLES: dict[str, tuple[str | bytes, int, str, str]] = {
    "nothing": ("", 1, "", "is empty"),
    "blanks": (" \n\n", 1, "", "is empty"),
    "first line blank": ("\n" + HEADER + "a,1,2\n", 1, "", "the first line names the fields"),
    "semicolons": ("name;ra_deg;dec_deg\na;1;2\n", 1, "", "separated by commas here, not by ';'"),
    "tabs": ("name\tra_deg\tdec_deg\na\t1\t2\n", 1, "", "separated by commas here"),
    "spaces in the header": ("name, ra_deg,dec_deg\na,1,2\n", 1, " ra_deg", "did you mean ra_deg?"),
    "no name": ("ra_deg,dec_deg\n1,2\n3,4\n", 1, "name", "is missing: it names the fixed_source"),
    "column missing": ("name,ra_deg\na,1\n", 2, "dec_deg", "is missing"),
    "column too many": ("name,ra_deg,dec_deg,mag\na,1,2,3\n", 1, "mag", "is no field"),
    "cell too many": (HEADER + "a,1,2,3\n", 2, "", "has 4 cells, the header has 3"),
    "comma in a number": (HEADER + 'a,"1,5",2\n', 2, "ra_deg", "'1,5' is not a number"),
    "infinite": (HEADER + "a,1e999,2\n", 2, "ra_deg", "is not a finite number"),
    "no digits of ours": (HEADER + "a,\u0663,2\n", 2, "ra_deg", "is not a number"),
    "5,000 digits": (HEADER + f"a,{'9' * 5000},2\n", 2, "ra_deg", "is not a number"),
    "space before a number": (HEADER + "a, 1,2\n", 2, "ra_deg", "' 1' is not a number"),
    "name with a space": (HEADER + "a ,1,2\n", 2, "name", "has spaces at an end"),
    "name of two lines": (HEADER + '"a\nb",1,2\n', 2, "name", "characters that do not print"),
    "after a cell of two lines": (
        'name,ra_deg,dec_deg,description\na,1,2,"x\ny"\nb,z,2,\n',
        4,
        "ra_deg",
        "'z' is not a number",
    ),
    "NUL": (HEADER + "a\0,1,2\n", 2, "name", "characters that do not print"),
    "UTF-16": ((HEADER + "a,1,2\n").encode("utf-16"), 1, "", "is not UTF-8"),
    "lines end as in Windows": (HEADER + "a,1,2\r\nb,x,3\r\n", 3, "ra_deg", "is not a number"),
    "lines end as in old Macs": ((HEADER + "a,1,2\nb,x,3\n").replace("\n", "\r"), 3, "ra_deg", "is not a number"),
    "object twice the same name": (
        "name,ra_deg,dec_deg,aliases\n" + 'a,1,2,"[{""x"": 1, ""x"": 2}]"\n',
        2,
        "aliases",
        "x is given twice",
    ),
    "endless JSON": ("name,ra_deg,dec_deg,aliases\na,1,2," + "[" * 100_000 + "\n", 2, "aliases", "is not JSON"),
    "same zero": ("name,ra_deg,dec_deg\na,1,2\na,1,2\n", 3, "name", "a is given twice, first in"),
}


@pytest.mark.parametrize("mistake", TABLES)
def test_a_table_that_is_none_is_refused(mistake: str, tmp_path: Path) -> None:
    text, line, field, reason = TABLES[mistake]
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "fixed_source.csv").write_bytes(content)

    [(file, found_line, found_field, why)] = problems_of(tmp_path)

    assert (file, found_line, found_field) == ("fixed_source.csv", line, field)
    assert reason in why


def test_marks_and_ends_of_lines_of_other_systems_are_read(tmp_path: Path) -> None:
    rows = HEADER + "a,1,2\nb,3,4\n"
    (tmp_path / "fixed_source.csv").write_bytes(b"\xef\xbb\xbf" + rows.encode().replace(b"\n", b"\r\n"))
    (tmp_path / "FIXED.CAT").write_bytes(b"c J2000 5 6\rd J2000 7 8\r")
    (tmp_path / "a.yml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())

    load_reference([tmp_path])

    assert [s.name for s in FixedSource.objects.order_by("name")] == ["a", "b", "c", "d"]
    assert Observatory.objects.get().name == "Fine"


def link(to: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(to)


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("a.yaml", Path.mkdir, "is not a file"),
        ("a.csv", os.mkfifo, "is not a file"),
        ("a.yaml", link("a.yaml"), "cannot be read: Too many levels of symbolic links"),
        ("a.yaml", link("nothing"), "cannot be read: No such file"),
        ("a.yaml", link("/proc/self/mem"), "cannot be read: Input/output error"),
        ("tiling", link("tiling"), "is no folder to read: Too many levels"),
        ("inpar", Path.touch, "is no folder to read: Not a directory"),
    ],
)
def test_what_is_no_file_is_not_passed_over(
    name: str, make: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    make(tmp_path / name)

    [(file, _, _, why)] = problems_of(tmp_path)

    assert file == name and reason in why


def test_hidden_files_are_not_looked_at(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": GOOD, ".a.yaml.csv": "x", "._a.yaml": "x"})
    (tmp_path / ".#a.yaml").symlink_to("somebody@else.123")  # an editor's lock

    assert len(load_reference([tmp_path]).changes) == 1


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folders._LARGEST > 10_000_000
    monkeypatch.setattr(folders, "_LARGEST", 1000)
    write(tmp_path, {"fixed_source.csv": HEADER + "a,1,2\n" * 200})

    [(file, _, _, why)] = problems_of(tmp_path)

    assert file == "fixed_source.csv" and why == "has 1,220 bytes, more than 1,000: split it"


def test_a_long_list_of_problems_is_cut_and_counted(tmp_path: Path) -> None:
    rows = "".join(f"s{n},x,1\n" for n in range(1000))
    write(tmp_path, {"fixed_source.csv": HEADER + rows})

    with pytest.raises(CommandError) as caught:
        call_command("load_reference", str(tmp_path))

    message = str(caught.value)
    assert "has 1000 problems" in message and "and 800 more" in message
    assert message.count("is not a number") == 200


def test_seconds_of_a_catalogue_end_at_60(tmp_path: Path) -> None:
    write(tmp_path, {"a.cat": "! pointing\na J2000 5:35:60 -5:22:22\nb J2000 5:35:59.9 -0:22:22\n"})

    [(_, line, field, why)] = problems_of(tmp_path)

    assert (line, field, why) == (2, "lambda", "'5:35:60' is not an angle")


def test_two_rows_of_the_database_that_files_cannot_tell_apart(tmp_path: Path) -> None:
    for program, sub in (("A", "B/C"), ("A/B", "C")):
        row = ObservingProgram.objects.create(short_name=program, name=program)
        SubObservingProgram.objects.create(observing_program=row, short_name=sub, name=sub)

    with pytest.raises(CommandError, match=r"sub_observing_program are both called 'A/B/C'"):
        call_command("export_reference", str(tmp_path / "out"))
