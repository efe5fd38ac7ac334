"""The shipped data are the real observatory's: its place, instruments, programs, sources and lines, value by value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import models

from ccatdc.reference.load.loader import load_reference
from datamgmt.models import DataLocation, Site
from observatory.models import Instrument, InstrumentModule, Line, Observatory, Telescope
from planning.models import (
    ConstantElevationSource,
    FixedSource,
    ObservingProgram,
    ObsMode,
    SolarSystemObject,
    SubObservingProgram,
)
from tests.reference.test_loader import SHIPPED
from transfer.models import DataTransferRoute

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shipped() -> None:
    load_reference([SHIPPED])


def rows(model: type[models.Model], *fields: str) -> set[tuple[Any, ...]]:
    return set(model._default_manager.values_list(*fields))


def test_the_telescope_stands_on_cerro_chajnantor() -> None:
    assert rows(Observatory, "name") == {("CCAT Observatory",)}
    place = ("short_name", "lon_deg", "lat_deg", "alt_m", "aperture_m")
    assert rows(Telescope, *place) == {("fyst", -67.740278, -22.985639, 5611.8, 6.0)}
    limits = ("az_min_deg", "az_max_deg", "el_min_deg", "el_max_deg")
    assert rows(Telescope, *limits) == {(-180, 360, 20, 90)}


def test_instruments_and_their_modules() -> None:
    assert rows(Instrument, "name", "available") == {("Prime-Cam", True), ("CHAI", True), ("Mod-Cam", False)}
    fields = ("instrument__name", "name", "n_pixels", "freq_min_ghz", "freq_max_ghz", "beam_fwhm_arcsec")
    science = InstrumentModule.objects.exclude(short_name="housekeeping").values_list(*fields)
    assert set(science) == {
        ("CHAI", "LFA", 64, 455, 495, 26),
        ("CHAI", "HFA", 64, 800, 820, 15),
        ("CHAI", "Mini-CHAI", 1, 455, 820, None),
        ("Prime-Cam", "280 GHz", 10368, 250, 310, 42),
        ("Prime-Cam", "350 GHz", 10000, 330, 366, 34),
        ("Prime-Cam", "850 GHz", 41400, 801.5, 898.5, 14),
        ("Prime-Cam", "EoR-Spec", 6500, 210, 420, 37),
        ("Mod-Cam", "280 GHz", 10368, 250, 310, 42),
    }
    slots = ("name", "focal_plane_slot", "offset_x_arcmin", "offset_y_arcmin", "field_radius_arcmin")
    assert {
        ("850 GHz", "c", 0, 0, 33),
        ("280 GHz", "i1", 0, -106.8, 33),
        ("350 GHz", "i2", 92.5, -53.4, 33),
        ("EoR-Spec", "i3", 92.5, 53.4, 33),
    } <= rows(InstrumentModule, *slots)


def test_programs() -> None:
    assert rows(ObservingProgram, "short_name", "name", "is_technical", "allocated_hours") == {
        ("GEco", "Galactic Ecology", False, None),
        ("DSS", "Deep Spectroscopic Survey", False, 4000),
        ("WFS", "Wide Field Survey", False, None),
        ("GPS", "Galactic Polarization", False, None),
        ("TD", "Time Domain", False, None),
        ("Cal", "Calibration", True, None),
        ("ENG", "Engineering", True, None),
    }
    assert rows(SubObservingProgram, "observing_program__short_name", "short_name") == {
        ("GEco", "GC"),
        ("GEco", "MW-SF"),
        ("GEco", "MC"),
        ("GEco", "NG"),
    }


def test_lines() -> None:
    assert rows(Line, "name", "rest_frequency_ghz") == {
        ("CO(4-3)", Decimal("461.0407682")),
        ("[CI] 3P1-3P0", Decimal("492.1606510")),
        ("CO(7-6)", Decimal("806.6518060")),
        ("[CI] 3P2-3P1", Decimal("809.3419700")),
        ("13CO(4-3)", Decimal("440.7651735")),
        ("CS(10-9)", Decimal("489.7509")),
        ("N2H+(5-4)", Decimal("465.8250")),
        ("[CII] 2P3/2-2P1/2", Decimal("1900.5369")),
    }


def test_fixed_sources() -> None:
    assert rows(FixedSource, "name", "ra_deg", "dec_deg", "frame") == {
        ("IRC10216", 146.98919, 13.27877, "icrs"),
        ("Orion-KL", 83.80900, -5.37264, "icrs"),
        ("M17SW", 275.09625, -16.19528, "icrs"),
        ("NGC 6334I", 260.22250, -35.78333, "icrs"),
        ("SgrA*", 266.41683, -29.00781, "icrs"),
        ("30 Dor", 84.67667, -69.10083, "icrs"),
        ("N159W", 84.90333, -69.76036, "icrs"),
        ("N66", 14.78833, -72.17611, "icrs"),
        ("NGC 253", 11.88800, -25.28822, "icrs"),
        ("3C279", 194.04653, -5.78931, "icrs"),
        ("E-COSMOS", 150.11917, 2.20583, "icrs"),
        ("E-CDFS", 53.11667, -27.80833, "icrs"),
    }


def test_bodies_and_fields() -> None:
    assert rows(SolarSystemObject, "name", "naif_id") == {
        ("Jupiter", 599),
        ("Mars", 499),
        ("Saturn", 699),
        ("Uranus", 799),
        ("Neptune", 899),
        ("Moon", 301),
    }
    field = ("name", "elevation_deg", "rising", "ra_center_deg", "dec_center_deg")
    assert rows(ConstantElevationSource, *field) == {
        ("Deep56-like rising", 50, True, 24, -32),
        ("Deep56-like setting", 50, False, 24, -32),
        ("WFS-South el45", 45, None, None, None),
        ("WFS-South el60", 60, None, None, None),
    }
    size = ("width_deg", "height_deg", "az_min_deg", "az_max_deg")
    assert rows(ConstantElevationSource, *size) == {(40, 10, None, None), (None, None, 110, 250)}


def test_modes() -> None:
    names = {name for (name,) in rows(ObsMode, "name")}
    prime_cam = "constant_el pong daisy planet_cal beam_map pointing_cal focus skydip retune"
    chai = "single_point_tp raster_tp otf_tp otf_array_tp pointing focus skydip"
    assert names == {*prime_cam.split(), *chai.split()}


def test_sites_and_locations() -> None:
    assert rows(Site, "short_name", "name", "active") == {
        ("ccat", "CCAT Observatory", True),
        ("cologne", "University of Cologne", True),
        ("us", "Cornell University", False),
    }
    fields = ("site__short_name", "name", "location_type", "storage_type", "priority", "active")
    assert rows(DataLocation, *fields) == {
        ("ccat", "primecam_raw_data", "source", "disk", 1, True),
        ("ccat", "chai_raw_data", "source", "disk", 1, True),
        ("ccat", "output_buffer", "buffer", "disk", 1, True),
        ("ccat", "output_buffer_b", "buffer", "disk", 2, False),
        ("cologne", "input_buffer", "buffer", "disk", 1, True),
        ("cologne", "input_buffer_b", "buffer", "disk", 2, True),
        ("cologne", "long_term_archive", "long_term_archive", "s3", 1, True),
        ("cologne", "tape_vault", "long_term_archive", "tape", 9, False),
        ("cologne", "ramses_processing", "processing", "disk", 1, True),
        ("us", "lta", "long_term_archive", "s3", 1, False),
    }


def test_routes_are_there_to_be_switched_on() -> None:
    fields = ("name", "route_type", "method", "active")
    assert ("ccat_to_cologne", "custom", "bbcp", False) in rows(DataTransferRoute, *fields)
