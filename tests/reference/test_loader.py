"""The loader on the real database: idempotent, all or nothing, operators' fields left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccatdc.reference.entries import ReferenceDataError
from ccatdc.reference.load.loader import load_reference
from datamgmt.models import DataLocation, DiskDataLocation, S3DataLocation, Site
from observatory.models import Instrument, InstrumentModule, Telescope
from planning.models import FixedSource, ObservingProgram, ObsUnit, Source
from tests.factories.datamgmt import RawDataFilePhysicalCopyFactory
from tests.reference.conftest import WriteFolder

pytestmark = pytest.mark.django_db

SHIPPED = Path(__file__).resolve().parents[2] / "reference_data"

OBSERVATORY = """\
observatory:
  - {short_name: ccat, name: CCAT Observatory}
telescope:
  - short_name: fyst
    observatory: ccat
    name: FYST
    lon_deg: -67.7
    lat_deg: -22.9
    alt_m: 5611.8
    aperture_m: 6
instrument:
  - {short_name: chai, telescope: fyst, name: CHAI, instrument_type: heterodyne}
  - {short_name: prime-cam, telescope: fyst, name: Prime-Cam, instrument_type: camera}
"""
PROGRAM = """\
observing_program:
  - {short_name: GEco, name: Galactic Ecology, instruments: [chai]}
"""
BUFFER = """\
site:
  - {short_name: ccat, name: CCAT Observatory}
disk_data_location:
  - site: ccat
    name: output_buffer
    location_type: buffer
    path: /data/buffer
    priority: 3
    retention_days: 7
"""


def test_the_shipped_data_loads_and_a_second_load_changes_nothing() -> None:
    first = load_reference([SHIPPED])
    again = load_reference([SHIPPED])

    assert first.changes and first.unchanged == 0
    assert again.changes == []
    assert again.unchanged == len(first.changes)
    assert again.left_alone == []


def test_the_shipped_data_has_what_filing_needs() -> None:
    load_reference([SHIPPED])

    assert all(instrument.modules.filter(short_name="housekeeping").exists() for instrument in Instrument.objects.all())
    assert ObsUnit.objects.get(name="M17SW map").sub_observing_program is not None
    assert {location.full_name for location in DataLocation.objects.active().with_site()} == {
        "ccat_primecam_raw_data",
        "ccat_chai_raw_data",
        "ccat_output_buffer",
        "cologne_input_buffer",
        "cologne_input_buffer_b",
        "cologne_long_term_archive",
        "cologne_ramses_processing",
    }
    # Clean as a person would see it in the portal, not only for the database.
    for row in (*DataLocation.objects.all(), *ObsUnit.objects.all(), *Source.objects.all()):
        row.full_clean()


def test_a_dry_run_reports_the_same_and_stores_nothing(write_folder: WriteFolder) -> None:
    folder = write_folder(a=OBSERVATORY, b=PROGRAM)

    dry = load_reference([folder], dry_run=True)

    assert not Telescope.objects.exists()
    assert dry.changes == load_reference([folder]).changes


def test_entries_may_stand_in_any_order_and_file(write_folder: WriteFolder) -> None:
    load_reference([write_folder(a=PROGRAM, b=OBSERVATORY)])

    assert [i.name for i in ObservingProgram.objects.get().instruments.all()] == ["CHAI"]


def test_a_changed_value_is_stored_and_said(write_folder: WriteFolder) -> None:
    load_reference([write_folder(a=OBSERVATORY, b=PROGRAM)])

    report = load_reference(
        [
            write_folder(
                a=OBSERVATORY.replace("aperture_m: 6", "aperture_m: 6.1"),
                b=PROGRAM.replace("[chai]", "[chai, prime-cam]"),
            )
        ]
    )

    assert Telescope.objects.get().aperture_m == 6.1
    assert ObservingProgram.objects.get().instruments.count() == 2
    assert [(c.name, c.added, c.differences) for c in report.changes] == [
        ("fyst", False, (("aperture_m", "6.0", "6.1"),)),
        ("GEco", False, (("instruments", "[chai]", "[chai, prime-cam]"),)),
    ]


def test_a_field_that_left_the_file_stays_as_it_is(write_folder: WriteFolder) -> None:
    load_reference([write_folder(a=OBSERVATORY, b=PROGRAM)])

    report = load_reference([write_folder(b=PROGRAM.replace(", instruments: [chai]", ""))])

    assert report.changes == []
    assert ObservingProgram.objects.get().instruments.count() == 1


def test_what_an_operator_decided_is_left_alone(write_folder: WriteFolder) -> None:
    folder = write_folder(a=BUFFER)
    load_reference([folder])
    assert DataLocation.objects.get().priority == 3
    DataLocation.objects.update(priority=1, active=False, retention_days=90)

    report = load_reference([folder])

    row = DataLocation.objects.get()
    assert (row.priority, row.active, row.retention_days) == (1, False, 90)
    assert report.changes == []
    assert ("ccat_output_buffer", "priority", "1", "3") in report.left_alone


def test_a_later_folder_overrides_single_fields(write_folder: WriteFolder) -> None:
    base = write_folder(a=BUFFER)
    overlay = write_folder(
        "overlay", x="disk_data_location:\n  - {site: ccat, name: output_buffer, path: /mnt/b, priority: 5}\n"
    )

    load_reference([base, overlay])

    row = DiskDataLocation.objects.get()
    assert (row.path, row.priority, row.retention_days) == ("/mnt/b", 5, 7)


def test_the_root_of_a_location_with_copies_is_not_changed(write_folder: WriteFolder) -> None:
    load_reference([write_folder(a=BUFFER)])
    location = DiskDataLocation.objects.get()
    RawDataFilePhysicalCopyFactory.create(data_location=location)

    with pytest.raises(ReferenceDataError, match="holds copies: path cannot be changed"):
        load_reference([write_folder(a=BUFFER.replace("/data/buffer", "/data/other"))])

    location.refresh_from_db()
    assert location.path == "/data/buffer"


def test_one_bad_entry_takes_the_whole_load_back(write_folder: WriteFolder) -> None:
    folder = write_folder(
        a=OBSERVATORY,
        b="fixed_source:\n  - {name: M17, ra_deg: 275, dec_deg: -16}\n  - {name: wrong, ra_deg: 400, dec_deg: 0}\n",
    )

    with pytest.raises(ReferenceDataError):
        load_reference([folder])

    assert not Telescope.objects.exists()
    assert not FixedSource.objects.exists()


def test_kinds_of_a_polymorphic_model_keep_their_own_fields(write_folder: WriteFolder) -> None:
    load_reference(
        [
            write_folder(
                a=BUFFER + "s3_data_location:\n  - {site: ccat, name: lta, location_type: long_term_archive,"
                " bucket_name: b, endpoint_url: 'http://127.0.0.1:8333'}\n"
            )
        ]
    )

    assert {type(row) for row in DataLocation.objects.all()} == {DiskDataLocation, S3DataLocation}
    assert Site.objects.get().short_name == "ccat"
    assert not InstrumentModule.objects.exists()
