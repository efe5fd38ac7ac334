"""History sees what the loader does: rows in bulk, of two tables, and nothing of a dry run."""

from __future__ import annotations

from pathlib import Path

import pytest

from accounts.models import Change
from ccatdc.reference.load.loader import load_reference
from planning.models import FixedSource, ObsUnit, Source

pytestmark = pytest.mark.django_db
REFERENCE_DATA = Path(__file__).resolve().parents[2] / "reference_data"


def test_what_is_loaded_is_kept_row_by_row() -> None:
    load_reference([REFERENCE_DATA])

    added = Change.objects.filter(action="added")
    assert added.filter(table_name="source").count() == Source.objects.count() > 10
    assert added.filter(table_name="fixed_source").count() == FixedSource.objects.count()
    names = set(added.filter(table_name="fixed_source").values_list("object_name", flat=True))
    assert names == set(FixedSource.objects.values_list("name", flat=True))
    assert added.filter(table_name="obs_unit").count() == ObsUnit.objects.count() > 10


def test_loading_again_leaves_nothing() -> None:
    load_reference([REFERENCE_DATA])
    before = Change.objects.count()

    load_reference([REFERENCE_DATA])

    assert Change.objects.count() == before


def test_a_dry_run_leaves_nothing() -> None:
    before = Change.objects.count()

    load_reference([REFERENCE_DATA], dry_run=True)

    assert Change.objects.count() == before


def test_what_a_file_changes_is_kept_from_and_to() -> None:
    load_reference([REFERENCE_DATA])
    unit = ObsUnit.objects.order_by("pk")[0]
    planned = unit.planned_duration_s
    ObsUnit.objects.filter(pk=unit.pk).update(planned_duration_s=planned + 7)

    load_reference([REFERENCE_DATA])

    last = Change.objects.about(unit).latest("id")
    assert last.changes == {"planned_duration_s": [planned + 7, planned]}
