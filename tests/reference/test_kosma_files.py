"""Files of CHAI's software: catalogues, tilings, parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccatdc.reference.entries import ReferenceDataError
from ccatdc.reference.export import export_reference
from ccatdc.reference.load.loader import load_reference
from planning.models import ChaiInparParameter, ChaiObservationConfiguration, ChaiTiling, FixedSource
from tests.reference.test_loader import SHIPPED
from tests.reference.test_tables import write

pytestmark = pytest.mark.django_db

USES_TEMPLATE = (
    "chai_observation_configuration:\n"
    "  - {obs_unit: GEco/M17SW map, inpar_template: otf.inpar}\n"
    "  - {obs_unit: GEco/30 Dor map, inpar_template: otf.inpar}\n"
)
INPAR = """\
! Parameters of maps on the fly.
J2000    obs_coord_sys_on     ! system of ON
1.5d1    obs_tolerance        ! how near is on source [arcsec]
T        obs_track            ! follow the source
'two words'  obs_cookie
"""
TILING = """\
'30 Dor'          source
'GEco/30 Dor map' obs_unit   ! whose map this is
450 width_arcsec
450 height_arcsec
1  tile_number
-225 center_x_arcsec
2  tile_number
225 center_x_arcsec
3  priority    ! later
"""


@pytest.fixture(autouse=True)
def shipped() -> None:
    """What the files refer to."""
    load_reference([SHIPPED])


def test_a_catalogue_gives_icrs_positions(tmp_path: Path) -> None:
    catalogue = (
        "! name  system  lambda  beta  velocity\n"
        "'Orion Bar' J2000 05:35:20.8 -05:25:14 10.5 ! photon-dominated region\n"
        "centre GALACTIC 0 0\n"
        "old B1950 00:00:00 0.0\n"
        "equinox ECLIPTIC 0 0\n"
    )

    load_reference([write(tmp_path / "k", {"chai.cat": catalogue})])

    bar = FixedSource.objects.get(name="Orion Bar")
    assert (bar.ra_deg, bar.dec_deg) == pytest.approx((83.8366667, -5.4205556), abs=1e-6)
    assert (bar.vlsr_km_s, bar.description) == (10.5, "photon-dominated region")
    # The galactic centre and the equinox of B1950 in ICRS (tests/reference/test_catalogue_positions.py).
    centre = FixedSource.objects.get(name="centre")
    assert (centre.ra_deg, centre.dec_deg) == pytest.approx((266.40499, -28.93617), abs=1e-5)
    old = FixedSource.objects.get(name="old")
    assert (old.ra_deg, old.dec_deg) == pytest.approx((0.640685, 0.278407), abs=1e-5)
    equinox = FixedSource.objects.get(name="equinox")
    assert min(equinox.ra_deg, 360 - equinox.ra_deg) < 1e-4


def test_a_template_fills_all_configurations_that_name_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "k", {"a.yaml": USES_TEMPLATE, "inpar/otf.inpar": INPAR})

    first, again = load_reference([folder]), load_reference([folder])

    rows = ChaiInparParameter.objects.filter(chai_observation_configuration__obs_unit__name="30 Dor map")
    assert [(r.name, r.typed_value, r.unit, r.comment) for r in rows] == [
        ("obs_coord_sys_on", "J2000", "", "system of ON"),
        ("obs_tolerance", 15.0, "arcsec", "how near is on source"),
        ("obs_track", True, "", "follow the source"),
        ("obs_cookie", "two words", "", ""),
    ]
    assert len(first.changes) == 2 + 8
    assert again.changes == [] and again.unchanged == 10


def test_a_tiling_is_a_map_named_like_its_file(tmp_path: Path) -> None:
    load_reference([write(tmp_path / "k", {"tiling/30 Dor.tiling": TILING})])

    tiles = ChaiTiling.objects.filter(name="30 Dor")
    assert [(t.tile_number, t.center_x_arcsec, t.width_arcsec, t.priority) for t in tiles] == [
        (1, -225, 450, 5),
        (2, 225, 450, 3),
    ]
    assert {str(t.obs_unit) for t in tiles} == {"GEco: 30 Dor map"}


AS_WRITTEN = """\
# written by the observing software
07-May-2019  17:27:38  1557237163.99149  File update time stamp   ! kosma_server (host:1000)
         Y  tel_on_track      ! Y if tracking on commanded position within tolerance [Y/N]
         N   obs_true_angle_off ! Y if lambda is an angle on the sky [Y/N] !
            tel_error_string  ! Error message
            obs_track_duration  ! length of the track [seconds]
#           0   tel_los_act   ! actual los-angle [degree]
67.786  tel_longitude         ! longitude of observatory [degree, +west (astronomical notation)]
        0.0    tel_mjd1 ! MJD of integer part of current time [days]
"""


def test_a_file_is_read_as_the_software_writes_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "k", {"a.yaml": USES_TEMPLATE, "inpar/otf.inpar": AS_WRITTEN})

    load_reference([folder])

    rows = ChaiInparParameter.objects.filter(chai_observation_configuration__obs_unit__name="30 Dor map")
    assert [(r.name, r.typed_value, r.unit, r.comment) for r in rows] == [
        ("tel_on_track", True, "", "Y if tracking on commanded position within tolerance [Y/N]"),
        ("obs_true_angle_off", False, "", "Y if lambda is an angle on the sky [Y/N]"),
        ("tel_error_string", "", "", "Error message"),
        ("obs_track_duration", "", "seconds", "length of the track"),
        ("tel_longitude", 67.786, "degree, +west (astronomical notation)", "longitude of observatory"),
        ("tel_mjd1", 0.0, "days", "MJD of integer part of current time"),
    ]
    exported = tmp_path / "exported"
    export_reference(exported)
    assert (exported / "inpar" / "otf.inpar").exists()
    assert load_reference([exported]).changes == []


def test_all_kinds_of_files_have_comments_and_time_stamps(tmp_path: Path) -> None:
    head = "07-May-2019  17:27:38  1557237163.99149  File update time stamp\n# M0 J2000 0 0\n"
    load_reference(
        [write(tmp_path / "k", {"a.cat": head + "M1 J2000 83.6 22\n", "tiling/30 Dor.tiling": head + TILING})]
    )
    assert FixedSource.objects.filter(name="M1").exists() and not FixedSource.objects.filter(name="M0").exists()
    assert ChaiTiling.objects.filter(name="30 Dor").count() == 2


def test_the_centre_of_a_tile_has_a_frame_and_says_whether_it_is_a_true_angle(tmp_path: Path) -> None:
    said = "GALACTIC center_frame\nN center_true_angle\n"
    load_reference(
        [write(tmp_path / "k", {"tiling/30 Dor.tiling": said + TILING + "HORIZON center_frame\nY center_true_angle\n"})]
    )

    def tiles() -> list[tuple[str, bool]]:
        return list(ChaiTiling.objects.filter(name="30 Dor").values_list("center_frame", "center_true_angle"))

    assert tiles() == [("galactic", False), ("horizontal", True)]
    export_reference(tmp_path / "exported")
    assert (tmp_path / "exported" / "tiling" / "30 Dor.tiling").exists()
    assert load_reference([tmp_path / "exported"]).changes == []


def test_offsets_of_a_configuration_have_frames(tmp_path: Path) -> None:
    rows = (
        "chai_observation_configuration:\n"
        "  - {obs_unit: GEco/M17SW map, off_x: -600, off_offset_frame: horizontal, off_true_angle: false,\n"
        "     map_offset_x_arcsec: 30, map_offset_y_arcsec: -15, map_offset_frame: galactic, map_offset_true_angle: true}\n"
    )
    load_reference([write(tmp_path / "k", {"a.yaml": rows})])
    found = ChaiObservationConfiguration.objects.get(obs_unit__name="M17SW map")
    assert (found.off_frame, found.off_x, found.off_offset_frame, found.off_true_angle) == (
        "relative", -600, "horizontal", False
    )  # fmt: skip
    assert (found.map_offset_x_arcsec, found.map_offset_frame, found.map_offset_true_angle) == (30, "galactic", True)


# file: (its text, line, field, part of the reason)
MISTAKES = {
    "words missing": ("a.cat", "! c\nM1 J2000 1\n", 2, "", "wanted: name, system"),
    "horizontal": ("a.cat", "M1 HORIZON 1 2\n", 1, "system", "no system of positions"),
    "not an angle": ("a.cat", "M1 J2000 five 2\n", 1, "lambda", "is not an angle"),
    "swapped": ("a.cat", "M1 J2000 -5.4 83.8\n", 1, "lambda", "not within 0 and 360"),
    "latitude": ("a.cat", "M1 J2000 5.4 95\n", 1, "beta", "not within -90 and 90"),
    "velocity": ("a.cat", "M1 J2000 5.4 5 fast\n", 1, "vlsr_km_s", "is not a number"),
    "source twice": ("a.cat", "M1 J2000 5 5\nM1 J2000 6 6\n", 2, "name", "M1 is given twice"),
    "open quote": ("a.cat", "'M1 J2000 5 5\n", 1, "", "a quote is not closed"),
    "template of nobody": ("inpar/x.inpar", "1 a\n", 1, "inpar_template", "no configuration"),
    "parameter twice": ("inpar/otf.inpar", "1 a\n2 a\n", 2, "a", "is given twice, first in line 1"),
    "parameter without name": ("inpar/otf.inpar", "1\n", 1, "", "wanted: value  name"),
    "yes without name": ("inpar/otf.inpar", "Y ! tracking\n", 1, "", "wanted: value  name"),
    "time stamp in the middle": (
        "inpar/otf.inpar",
        "1 a\n07-May-2019 17:27:38 1557237163.9 File update time stamp\n",
        2,
        "",
        "wanted: value  name",
    ),
    "tile without value": (
        "tiling/x",
        "1 tile_number\n1 width_arcsec\n1 height_arcsec\npriority\n",
        4,
        "priority",
        "no value",
    ),
    "unknown frame": (
        "tiling/x",
        "1 tile_number\n1 width_arcsec\n1 height_arcsec\nTARF center_frame\n",
        4,
        "center_frame",
        "TARF",
    ),
    "neither yes nor no": (
        "tiling/x",
        "1 tile_number\n1 width_arcsec\n1 height_arcsec\nmaybe center_true_angle\n",
        4,
        "center_true_angle",
        "neither true nor false",
    ),
    "field of no tile": ("tiling/x", "1 wide\n", 1, "wide", "is no field of a tile"),
    "size in words": ("tiling/x", "1 tile_number\nbig width_arcsec\n", 2, "width_arcsec", "number"),
    "size twice": (
        "tiling/x",
        "1 tile_number\n1 width_arcsec\n2 width_arcsec\n1 height_arcsec\n",
        3,
        "width_arcsec",
        "is given twice, first in line 2",
    ),
    "size missing": ("tiling/x", "1 tile_number\n1 width_arcsec\n", 1, "height_arcsec", "missing"),
    "no size": (
        "tiling/x",
        "1 tile_number\n0 width_arcsec\n1 height_arcsec\n",
        3,
        "height_arcsec",
        "chai_tile_size_positive",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_names_file_line_field_and_reason(mistake: str, tmp_path: Path) -> None:
    name, text, line, field, reason = MISTAKES[mistake]
    folder = write(tmp_path / "k", {"a.yaml": USES_TEMPLATE, name: text})

    with pytest.raises(ReferenceDataError) as caught:
        load_reference([folder])

    found = [(p.place.file, p.place.line, p.field) for p in caught.value.problems]
    assert found == [(folder / name, line, field)]
    assert reason in caught.value.problems[0].reason
    users = ChaiObservationConfiguration.objects.filter(inpar_template="otf.inpar")
    assert not users.exists()


@pytest.mark.parametrize("name", ["a.cat", "inpar/otf.inpar", "tiling/x"])
def test_a_file_that_is_not_utf8_is_refused(name: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "k", {name: ""})
    (folder / name).write_bytes(b"! fine\n1 caf\xe9\n")

    with pytest.raises(ReferenceDataError, match=":2: is not UTF-8"):
        load_reference([folder])
