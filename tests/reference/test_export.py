"""What is exported gives the same rows again."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ccatdc.reference.declarations import DECLARATIONS
from ccatdc.reference.export import export_reference
from ccatdc.reference.load.loader import load_reference
from planning.models import ChaiInparParameter, FixedSource, ObservingProgram, ObsUnit
from tests.factories.accounts import UserFactory
from tests.reference.test_kosma_files import INPAR, TILING, USES_TEMPLATE
from tests.reference.test_loader import SHIPPED
from tests.reference.test_tables import TABLES, configuration_name, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def loaded(tmp_path: Path) -> None:
    """Rows of every section."""
    load_reference([SHIPPED])
    tables = {
        name: text.replace("prime-cam/280ghz/280 GHz continuum", configuration_name()) for name, text in TABLES.items()
    }
    kosma = {"z.yaml": USES_TEMPLATE, "inpar/otf.inpar": INPAR, "tiling/30 Dor.tiling": TILING}
    load_reference([write(tmp_path / "more", tables | kosma)])
    # What people write in the portal.
    FixedSource.objects.filter(name="W3").update(description='A "quoted", café\r\nof two lines ', source_class="on")
    ObsUnit.objects.filter(name="W3").update(state="on_hold", min_elevation_deg=30.1)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def empty_the_database() -> None:
    tables = ", ".join(connection.ops.quote_name(d.family._meta.db_table) for d in DECLARATIONS)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"TRUNCATE {tables} CASCADE")


@pytest.mark.usefixtures("loaded")
def test_an_export_loaded_into_an_empty_database_gives_the_same_rows(tmp_path: Path) -> None:
    sources = list(FixedSource.objects.order_by("name").values_list("name", "ra_deg", "description"))
    count = {d.section: d.model._default_manager.count() for d in DECLARATIONS}
    export_reference(tmp_path / "first")
    empty_the_database()
    assert not ObsUnit.objects.exists()

    load_reference([tmp_path / "first"])

    assert count == {d.section: d.model._default_manager.count() for d in DECLARATIONS}
    found = FixedSource.objects.order_by("name").values_list("name", "ra_deg", "description")
    assert list(found) == sources
    export_reference(tmp_path / "second")
    assert everything(tmp_path / "second") == everything(tmp_path / "first")


@pytest.mark.usefixtures("loaded")
def test_loading_an_export_changes_nothing(tmp_path: Path) -> None:
    export_reference(tmp_path / "out")

    report = load_reference([tmp_path / "out"])

    assert report.changes == [] and report.left_alone == []
    assert report.unchanged == sum(d.model._default_manager.count() for d in DECLARATIONS)


@pytest.mark.usefixtures("loaded")
def test_files_of_chai_are_written_where_they_can_say_all(tmp_path: Path) -> None:
    export_reference(tmp_path / "agreed")
    assert (tmp_path / "agreed/inpar/otf.inpar").is_file()
    assert (tmp_path / "agreed/tiling/30 Dor.tiling").is_file()
    # Parameters of a configuration without template are a table.
    assert "30 Dor map" not in (tmp_path / "agreed/chai_inpar_parameter.csv").read_text()

    row = ChaiInparParameter.objects.filter(name="obs_tolerance")[0]
    ChaiInparParameter.objects.filter(pk=row.pk).update(value="20")
    export_reference(tmp_path / "differ")

    assert not (tmp_path / "differ/inpar").exists()
    assert "30 Dor map" in (tmp_path / "differ/chai_inpar_parameter.csv").read_text()
    assert load_reference([tmp_path / "differ"]).changes == []


def test_a_folder_with_files_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("")

    with pytest.raises(CommandError, match="is no empty folder"):
        call_command("export_reference", str(tmp_path))

    assert [p.name for p in tmp_path.iterdir()] == ["old.yaml"]


@pytest.mark.usefixtures("loaded")
def test_people_are_left_to_the_portal(tmp_path: Path) -> None:
    program = ObservingProgram.objects.get(short_name="GEco")
    program.members.add(UserFactory.create())

    export_reference(tmp_path / "out")

    assert "members" not in (tmp_path / "out/observing_program.yaml").read_text()
    assert load_reference([tmp_path / "out"]).changes == []
    assert program.members.count() == 1
