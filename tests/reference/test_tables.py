"""Tables in CSV: what a cell means, and that many rows are stored as one by one they would be."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ccatdc.reference.entries import ReferenceDataError
from ccatdc.reference.load.loader import load_reference
from planning.models import (
    ConstantElevationAzimuthRange,
    FixedSource,
    ObsUnit,
    PreScheduledSlot,
    PrimeCamObservationConfiguration,
    Source,
)
from tests.reference.test_loader import SHIPPED

pytestmark = pytest.mark.django_db

TABLES = {
    "fixed_source.pointing.csv": "name,ra_deg,dec_deg,aliases,vlsr_km_s\n"
    'W3,36.75,62.1,"[""W3(OH)""]",-46.5\n"Cep A, east",344.1,62.03,,\n',
    "constant_elevation_azimuth_range.csv": "source,elevation_deg,lst_start_h,lst_stop_h,"
    "az_min_deg,az_max_deg\nWFS-South el45,45,22,2,110,180\nWFS-South el45,45,2.5,6,180,250\n",
    "obs_unit.csv": "observing_program,name,source,obs_mode,obs_unit_type,planned_duration_s,"
    "priority,min_sun_distance_deg,instrument_module_configurations\n"
    'GPS,W3,W3,daisy,prime_cam_obs_unit,600,,,"[""prime-cam/280ghz/280 GHz continuum""]"\n',
    "prime_cam_observation_configuration.csv": "obs_unit,scan_type,velocity_deg_s,radius_deg,"
    "turn_radius_deg,width_deg\nGPS/W3,daisy,0.3,0.5,0.2,\n",
    "pre_scheduled_slot.csv": "obs_unit,start_time,end_time,comment\n"
    "GPS/W3,2026-12-01T03:00:00Z,2026-12-01T04:00:00Z,\n"
    'GPS/W3,2026-12-01T05:00:00+01:00,2026-12-01T05:30:00Z,"after, not before"\n',
}


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def configuration_name() -> str:
    """One of the shipped module configurations of Prime-Cam."""
    from observatory.models import PrimeCamModuleConfiguration

    row = PrimeCamModuleConfiguration.objects.select_related("instrument_module__instrument")[0]
    module = row.instrument_module
    return f"{module.instrument.short_name}/{module.short_name}/{row.name}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All tables above; the shipped data, which they refer to, is loaded."""
    load_reference([SHIPPED])
    tables = {
        name: text.replace("prime-cam/280ghz/280 GHz continuum", configuration_name()) for name, text in TABLES.items()
    }
    return write(tmp_path / "tables", tables)


def test_tables_load_and_a_second_load_changes_nothing(folder: Path) -> None:
    first = load_reference([folder])
    again = load_reference([folder])

    assert len(first.changes) == 2 + 2 + 1 + 1 + 2
    assert again.changes == [] and again.left_alone == []
    assert again.unchanged == len(first.changes)


def test_a_cell_means_what_its_field_is(folder: Path) -> None:
    load_reference([folder])

    source = FixedSource.objects.get(name="W3")
    assert (source.ra_deg, source.aliases, source.vlsr_km_s) == (36.75, ["W3(OH)"], -46.5)
    assert FixedSource.objects.get(name="Cep A, east").vlsr_km_s is None
    unit = ObsUnit.objects.get(name="W3")
    # Empty: the default where the field cannot be empty, nothing where it can.
    assert (unit.priority, unit.min_sun_distance_deg) == (5, None)
    assert unit.instrument_module_configurations.count() == 1
    scan = PrimeCamObservationConfiguration.objects.get(obs_unit=unit)
    assert scan.scan_params == {"radius_deg": 0.5, "turn_radius_deg": 0.2}
    assert [s.start_time for s in PreScheduledSlot.objects.all()] == [
        datetime(2026, 12, 1, 3, tzinfo=UTC),
        datetime(2026, 12, 1, 4, tzinfo=UTC),
    ]
    assert ConstantElevationAzimuthRange.objects.filter(lst_start_h=2.5).count() == 1


def test_rows_inserted_together_are_as_saved_ones(folder: Path) -> None:
    load_reference([folder])

    source = Source.objects.get(name="W3")
    assert type(source) is FixedSource and source.type == "fixed_source"
    unit = ObsUnit.objects.get(name="W3")
    assert unit.telescope.short_name == "fyst" and unit.created_at is not None
    for row in (source, unit, *PreScheduledSlot.objects.all(), unit.observation_configuration):
        row.full_clean()
    assert FixedSource.objects.create(name="later", ra_deg=1, dec_deg=1).pk > source.pk


# file: (its text, line, field, part of the reason)
MISTAKES = {
    "unknown table": ("sources.csv", "name\na\n", 1, "sources", "no section"),
    "wrong unit": ("fixed_source.csv", "name,ra_h,dec_deg\na,1,1\n", 1, "ra_h", "mean ra_deg?"),
    "column twice": ("fixed_source.csv", "name,name\na,b\n", 1, "name", "is given twice"),
    "hours for degrees": ("fixed_source.csv", "name,ra_deg,dec_deg\na,5h20m,1\n", 2, "ra_deg", "is not a number"),
    "not finite": ("fixed_source.csv", "name,ra_deg,dec_deg\na,nan,1\n", 2, "ra_deg", "number"),
    "swapped coordinates": (
        "fixed_source.csv",
        "name,ra_deg,dec_deg\na,1,1\nb,2,2\nc,-16.2,275.1\nd,3,3\n",
        4,
        "dec_deg",
        "fixed_source_dec_range",
    ),
    "key twice": ("fixed_source.csv", "name,ra_deg,dec_deg\na,1,1\na,2,2\n", 3, "name", "a is given twice"),
    "too few cells": ("fixed_source.csv", "name,ra_deg\na\n", 2, "", "has 1 cells"),
    "quote not closed": ("fixed_source.csv", 'name,ra_deg\n"a,1\n', 2, "", "is not CSV"),
    "unknown source": (
        "obs_unit.csv",
        "observing_program,name,source,obs_mode,obs_unit_type,planned_duration_s\n"
        "GPS,x,Nowhere,daisy,prime_cam_obs_unit,60\n",
        2,
        "source",
        "there is no source 'Nowhere'",
    ),
    "slot that ends before it starts": (
        "pre_scheduled_slot.csv",
        "obs_unit,start_time,end_time\nDSS/E-CDFS pong,2026-12-01T03:00:00Z,2026-12-01T02:00:00Z\n",
        2,
        "end_time",
        "ends before it starts",
    ),
    "slots that overlap": (
        "pre_scheduled_slot.csv",
        "obs_unit,start_time,end_time\n"
        "DSS/E-CDFS pong,2026-12-01T03:00:00Z,2026-12-01T05:00:00Z\n"
        "DSS/E-COSMOS pong,2026-12-01T04:00:00Z,2026-12-01T06:00:00Z\n",
        3,
        "start_time",
        "another slot at this time",
    ),
    "time without zone": (
        "pre_scheduled_slot.csv",
        "obs_unit,start_time,end_time\nDSS/E-CDFS pong,2026-12-01T03:00:00,2026-12-01T05:00:00Z\n",
        2,
        "start_time",
        "no time with zone",
    ),
    "scan parameter of another scan": (
        "prime_cam_observation_configuration.csv",
        "obs_unit,scan_type,velocity_deg_s,radius_deg,width_deg\nENG/Prime-Cam test data,daisy,0.3,0.5,2\n",
        2,
        "scan_params",
        "width_deg is no parameter of a daisy scan",
    ),
    "sub-program of another program": (
        "obs_unit.csv",
        "observing_program,sub_observing_program,name,source,obs_mode,obs_unit_type,"
        "planned_duration_s\nGPS,GEco/GC,x,E-CDFS,daisy,prime_cam_obs_unit,60\n",
        2,
        "sub_observing_program",
        "belongs to another program",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_names_file_line_field_and_reason(mistake: str, tmp_path: Path) -> None:
    load_reference([SHIPPED])
    name, text, line, field, reason = MISTAKES[mistake]
    good = "solar_system_object:\n  - {name: Pluto, ephemeris_name: pluto}\n"
    folder = write(tmp_path / "tables", {"good.yaml": good, name: text})
    before = Source.objects.count()

    with pytest.raises(ReferenceDataError) as caught:
        load_reference([folder])

    found = [(p.place.file.name, p.place.line, p.field) for p in caught.value.problems]
    assert found == [(name, line, field)]
    assert reason in caught.value.problems[0].reason
    assert Source.objects.count() == before


def test_every_refused_row_of_many_is_found(tmp_path: Path) -> None:
    lines = [f"s{n},{400 if n in (3, 4, 50) else n},0\n" for n in range(1, 100)]
    table = write(tmp_path / "t", {"fixed_source.csv": "name,ra_deg,dec_deg\n" + "".join(lines)})

    with pytest.raises(ReferenceDataError) as caught:
        load_reference([table])

    assert [p.place.line for p in caught.value.problems] == [4, 5, 51]


def test_a_table_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "fixed_source.csv").write_bytes(b"name,ra_deg,dec_deg\nK\xf6ln,1,1\n")

    with pytest.raises(ReferenceDataError, match=r"fixed_source\.csv:2: is not UTF-8"):
        load_reference([tmp_path])
