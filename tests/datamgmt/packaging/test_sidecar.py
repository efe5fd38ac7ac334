"""The sidecar: from the document alone the catalogue can be rebuilt."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from datamgmt.models import RawDataFile, RawDataPackage
from datamgmt.packaging.sidecar import PARTS, REMEMBERED, SIDECAR_FORMAT, SIDECAR_VERSION, package_id_of, sidecar_of
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import DIGEST, RawDataFileFactory, RawDataPackageFactory, RawDataPackageMetadataFactory
from tests.factories.planning import (
    ConstantElevationAzimuthRangeFactory,
    ConstantElevationSourceFactory,
    ExecutedObsUnitFactory,
    ObsUnitFactory,
    SolarSystemObjectFactory,
    SubObservingProgramFactory,
)

pytestmark = pytest.mark.django_db

#: Sections of the document, with the table of the row that each describes.
SECTIONS = {
    "package": "datamgmt.RawDataPackage",
    "executed_obs_unit": "planning.ExecutedObsUnit",
    "obs_unit": "planning.ObsUnit",
    "observing_program": "planning.ObservingProgram",
    "sub_observing_program": "planning.SubObservingProgram",
    "obs_mode": "planning.ObsMode",
    "instrument_module": "observatory.InstrumentModule",
    "instrument": "observatory.Instrument",
    "telescope": "observatory.Telescope",
    "observatory": "observatory.Observatory",
    "metadata": "datamgmt.RawDataPackageMetadata",
}


def document_of(package: RawDataPackage) -> dict[str, Any]:
    """The document, parsed."""
    found: dict[str, Any] = json.loads(sidecar_of(package, "cologne_lta", "a/b/p.1-1.tar"))
    return found


def package_of(count: int = 1, **fields: Any) -> RawDataPackage:
    """A built package with so many files."""
    package: RawDataPackage = RawDataPackageFactory.create(built=True, **fields)
    for number in range(count):
        RawDataFileFactory.create(
            raw_data_package=package,
            relative_path=f"{package.name}/{number}",
            digest=DIGEST,
            executed_obs_unit=package.executed_obs_unit,
        )
    return package


def test_the_document_says_what_it_is_and_where_it_belongs() -> None:
    document = document_of(package_of())
    assert document["format"] == SIDECAR_FORMAT == "ccatdc-package-sidecar"
    assert document["version"] == SIDECAR_VERSION == 1
    assert document["archive"] == {"location": "cologne_lta", "object_key": "a/b/p.1-1.tar"}
    assert document["source_location"] == "ccat_primecam_raw_data"
    assert datetime.fromisoformat(document["written_at"]).utcoffset() is not None


def test_every_file_is_described_in_the_order_of_paths() -> None:
    package = package_of(0)
    odd = RawDataFileFactory.create(
        raw_data_package=package,
        relative_path="-run/Ö é\n.g3",
        size=0,
        digest=DIGEST,
        checksum="ab12",
        checksum_algorithm="md5",
        description="first light",
        quality="bad",
        quality_comment="No signal.",
    )
    plain = RawDataFileFactory.create(raw_data_package=package, relative_path="a", digest=DIGEST)
    RawDataFileFactory.create(relative_path="of another package")
    files = document_of(package)["files"]
    assert [file["id"] for file in files] == sorted(
        [str(odd.pk), str(plain.pk)],
        key=lambda pk: RawDataFile.objects.values_list("relative_path", flat=True).get(pk=pk),
    )
    (found,) = [file for file in files if file["id"] == str(odd.pk)]
    assert found == {
        "id": str(odd.pk),
        "relative_path": "-run/Ö é\n.g3",
        "size": 0,
        "data_stream_id": None,
        "data_product_id": None,
        "start_time": None,
        "end_time": None,
        "digest": DIGEST,
        "filed_checksum": "md5:ab12",
        "file_type": odd.file_type,
        "created_at": None,
        "registered_at": odd.registered_at.isoformat(),
        "description": "first light",
        "quality": "bad",
        "quality_comment": "No signal.",
    }
    (without,) = [file for file in files if file["id"] == str(plain.pk)]
    assert without["filed_checksum"] is None


def test_the_document_is_utf8_and_readable_for_people() -> None:
    package = package_of(0)
    RawDataFileFactory.create(raw_data_package=package, relative_path="Köln/ñ")
    document = sidecar_of(package, "a", "k")
    assert "Köln/ñ" in document.decode("utf-8")
    assert document.endswith(b"}\n")
    assert document.count(b"\n") > 20


@pytest.mark.parametrize("section", list(SECTIONS))
def test_every_column_of_the_main_rows_is_there(section: str) -> None:
    sub_program = SubObservingProgramFactory.create()
    obs_unit = ObsUnitFactory.create(sub_observing_program=sub_program, observing_program=sub_program.observing_program)
    package = package_of(executed_obs_unit=ExecutedObsUnitFactory.create(obs_unit=obs_unit))
    RawDataPackageMetadataFactory.create(raw_data_package=package)
    model = apps.get_model(SECTIONS[section])
    expected = {field.attname for field in model._meta.concrete_fields}
    expected |= {field.name for field in model._meta.many_to_many}
    assert set(document_of(package)[section]) == expected


def test_what_there_is_not_is_null() -> None:
    document = document_of(package_of())
    assert document["sub_observing_program"] is None
    assert document["metadata"] is None


def test_a_source_is_described_as_its_own_kind() -> None:
    obs_unit = ObsUnitFactory.create(source=SolarSystemObjectFactory.create(name="Mars"))
    package = package_of(executed_obs_unit=ExecutedObsUnitFactory.create(obs_unit=obs_unit))
    source = document_of(package)["source"]
    assert (source["name"], source["ephemeris_name"]) == ("Mars", "jupiter")


def test_the_parts_of_a_source_come_with_it() -> None:
    field = ConstantElevationSourceFactory.create()
    ranges = [ConstantElevationAzimuthRangeFactory.create(source=field, lst_start_h=h) for h in (1.0, 5.0)]
    obs_unit = ObsUnitFactory.create(source=field)
    package = package_of(executed_obs_unit=ExecutedObsUnitFactory.create(obs_unit=obs_unit))
    (table,) = [rows for name, rows in document_of(package)["related"].items() if name == ranges[0]._meta.db_table]
    assert {row["id"] for row in table} == {each.pk for each in ranges}


def is_cascade(on_delete: Any) -> bool:
    """Also where polymorphic models have wrapped it."""
    return getattr(on_delete, "action", on_delete) is models.CASCADE


def test_every_kind_of_part_is_known() -> None:
    """What the database deletes with its owner belongs to it; slots are plans, not what was done,
    and who may see a program is not for an archive to say.
    """
    owned = {
        relation.get_accessor_name()
        for app in REMEMBERED
        for model in apps.get_app_config(app).get_models()
        for relation in model._meta.related_objects
        if is_cascade(getattr(relation, "on_delete", None)) and not getattr(relation, "parent_link", False)
    }
    assert owned == {*PARTS, "slots", "memberships"}


def references(label: str, columns: dict[str, Any]) -> set[tuple[str, str]]:
    """To what a described row refers: table and id."""
    model = apps.get_model(label)
    found = set()
    for field in (*model._meta.concrete_fields, *model._meta.many_to_many):
        target = field.related_model
        if target is None or isinstance(target, str) or target._meta.app_label not in REMEMBERED:
            continue
        value = columns[getattr(field, "attname", field.name)] if not field.many_to_many else None
        ids = columns[field.name] if field.many_to_many else [value]
        root = target._meta.get_parent_list()[-1] if target._meta.parents else target
        found |= {(root._meta.db_table, str(pk)) for pk in ids if pk is not None}
    return found


def test_whatever_a_row_refers_to_is_described_too() -> None:
    package = package_of()
    document = document_of(package)
    by_table = {model._meta.db_table: model for app in REMEMBERED for model in apps.get_app_config(app).get_models()}
    described: set[tuple[str, str]] = set()
    wanted: set[tuple[str, str]] = set()
    rows = [(SECTIONS[name], document[name]) for name in SECTIONS if document[name]]
    assert package.executed_obs_unit is not None
    source = package.executed_obs_unit.obs_unit.source
    assert source is not None
    rows.append((source._meta.label, document["source"]))
    rows += [(by_table[table]._meta.label, row) for table, found in document["related"].items() for row in found]
    for label, columns in rows:
        model = apps.get_model(label)
        root = model._meta.get_parent_list()[-1] if model._meta.parents else model
        described.add((root._meta.db_table, str(columns[model._meta.pk.attname])))
        wanted |= references(label, columns)
    assert wanted <= described


def test_people_and_tokens_are_left_out() -> None:
    person = UserFactory.create(username="secretive", email="secretive@example.org")
    package = package_of(executed_obs_unit=ExecutedObsUnitFactory.create(operator=person))
    assert b"secretive" not in sidecar_of(package, "a", "k")


def test_the_cost_does_not_grow_with_the_number_of_files() -> None:
    counts = []
    for number in (1, 40):
        package = package_of(number)
        with CaptureQueriesContext(connection) as captured:
            sidecar_of(package, "a", "k")
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_a_sidecar_tells_that_it_is_damaged() -> None:
    package = package_of()
    document = sidecar_of(package, "a", "k")
    assert package_id_of(document) == str(package.pk)
    for at in range(0, len(document), 7):
        spoiled = document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]
        assert package_id_of(spoiled) is None, document[max(0, at - 20) : at + 20]
    for other in (b"", b"[]", b"{}", b'{"digest": 1}', document[:-9], b"\xff"):
        assert package_id_of(other) is None
