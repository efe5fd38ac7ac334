"""``manage.py load_reference``: what it prints and what it writes into the audit log."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import SystemLog
from observatory.models import Observatory
from tests.reference.conftest import WriteFolder

pytestmark = pytest.mark.django_db

TEXT = "observatory:\n  - {short_name: ccat, name: CCAT}\n"


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("load_reference", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_a_second_run_says_that_nothing_changed(write_folder: WriteFolder) -> None:
    folder = write_folder(a=TEXT)

    assert run(folder) == "added    observatory ccat\n1 added, 0 changed, 0 as they were.\n"
    assert run(folder) == "Nothing changed: all 1 rows are as the files say.\n"
    assert SystemLog.objects.count() == 1


def test_a_dry_run_says_so_and_leaves_no_trace(write_folder: WriteFolder) -> None:
    said = run(write_folder(a=TEXT), "--dry-run")

    assert "added    observatory ccat" in said
    assert said.endswith("This was a dry run: nothing was stored.\n")
    assert not Observatory.objects.exists()
    assert not SystemLog.objects.exists()


def test_a_change_is_shown_from_and_to(write_folder: WriteFolder) -> None:
    run(write_folder(a=TEXT))

    said = run(write_folder(a=TEXT.replace("name: CCAT", "name: CCAT Observatory")))

    assert said.startswith("changed  observatory ccat: name CCAT -> CCAT Observatory\n")


def test_problems_end_the_command(write_folder: WriteFolder) -> None:
    with pytest.raises(CommandError, match=r"wrong\.yaml:2: name: is missing"):
        run(write_folder(wrong="observatory:\n  - {short_name: ccat}\n"))
