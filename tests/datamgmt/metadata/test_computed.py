"""Metadata of packages: every kind of target and scan, wavelengths, and what cannot be told."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from astropy.coordinates import SkyCoord
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from datamgmt.metadata import filling
from datamgmt.metadata.filling import fill, fill_where_missing
from datamgmt.models import RawDataPackage, RawDataPackageMetadata
from datamgmt.packaging.sidecar import sidecar_of
from planning.models import Source
from planning.sky.ephemerides import horizontal_at
from planning.sky.places import Place, separation_deg
from planning.sky.regions import Circle, Polygon, region_of
from tests.factories.datamgmt import DIGEST, RawDataFileFactory, RawDataPackageFactory
from tests.factories.observatory import (
    ChaiModuleConfigurationFactory,
    DataStreamFactory,
    InstrumentModuleFactory,
    LineFactory,
    PrimeCamModuleConfigurationFactory,
)
from tests.factories.planning import (
    END,
    START,
    ChaiObservationConfigurationFactory,
    ConstantElevationAzimuthRangeFactory,
    ConstantElevationSourceFactory,
    ExecutedObsUnitFactory,
    FixedSourceFactory,
    ObsModeFactory,
    ObsUnitFactory,
    PrimeCamObservationConfigurationFactory,
    SolarSystemObjectFactory,
)

pytestmark = pytest.mark.django_db
SCHEMA = settings.BASE_DIR / "docs" / "schemas" / "package-sidecar-1.json"


def package_of(source: Source | None = None, *, module: Any = None, **execution: Any) -> RawDataPackage:
    """A built package of the source, or of Orion."""
    unit = ObsUnitFactory.create(source=source or FixedSourceFactory.create())
    row = ExecutedObsUnitFactory.create(obs_unit=unit, finished=True, **execution)
    more = {} if module is None else {"instrument_module": module}
    package: RawDataPackage = RawDataPackageFactory.create(built=True, executed_obs_unit=row, **more)
    return package


def module_of(**fields: Any) -> Any:
    """A module of Prime-Cam with a field of half a degree."""
    return InstrumentModuleFactory.create(
        short_name="f350", freq_min_ghz=330, freq_max_ghz=366, field_radius_arcmin=30, **fields
    )


def filled(package: RawDataPackage) -> RawDataPackageMetadata:
    """Computed now."""
    fill(package)
    return RawDataPackageMetadata.objects.get(raw_data_package=package)


def record(package: RawDataPackage) -> dict[str, Any]:
    """Its ObsCore record."""
    found: dict[str, Any] = filled(package).computed["obscore"]
    return found


def configured(package: RawDataPackage, factory: Any, **fields: Any) -> RawDataPackage:
    """With a configuration of its obs unit."""
    assert package.executed_obs_unit is not None
    factory.create(obs_unit=package.executed_obs_unit.obs_unit, **fields)
    return package


def region(package: RawDataPackage) -> Any:
    return region_of(record(package)["s_region"])


def test_a_daisy_round_a_fixed_source() -> None:
    package = configured(package_of(module=module_of()), PrimeCamObservationConfigurationFactory)
    row = record(package)
    assert (row["s_ra"], row["s_dec"]) == (83.809, -5.37264)
    assert row["s_region"] == "CIRCLE ICRS 83.809 -5.37264 1"
    assert row["s_fov"] == pytest.approx(2)
    assert row["target_name"] == "Orion-KL"
    assert row["obs_collection"] == "CCAT/GEco"
    assert row["dataproduct_type"] == "timeseries"
    assert row["t_exptime"] == (END - START).total_seconds() == 1800
    assert row["t_min"] == pytest.approx(61161.9166667)
    assert row["em_min"] == pytest.approx(8.191e-4, rel=1e-4)
    assert row["em_max"] == pytest.approx(9.085e-4, rel=1e-4)


def test_a_pong_is_a_rectangle_that_is_turned() -> None:
    shape = {"width_deg": 4.0, "height_deg": 2.0, "spacing_deg": 0.1, "angle_deg": 90.0}
    flat = FixedSourceFactory.create(name="equator", ra_deg=0.5, dec_deg=0)
    package = configured(
        package_of(flat, module=module_of()),
        PrimeCamObservationConfigurationFactory,
        scan_type="pong",
        scan_params=shape,
    )
    found = region(package)
    assert isinstance(found, Polygon)
    across = [(vertex.ra_deg + 180) % 360 - 180 for vertex in found.vertices]
    # Five by three degrees with the field of the module, upright after a quarter of a turn.
    assert (min(across), max(across)) == pytest.approx((-1.0, 2.0), abs=0.01)
    assert max(vertex.dec_deg for vertex in found.vertices) == pytest.approx(2.5, abs=0.01)


def test_a_module_beside_what_points_at_the_source_covers_more() -> None:
    middle = InstrumentModuleFactory.create(short_name="c1", focal_plane_slot="c")
    beside = module_of(instrument=middle.instrument, focal_plane_slot="i1", offset_x_arcmin=60, offset_y_arcmin=0)
    for pointing, radius in ({"pointing_module": "c"}, 2.0), ({"pointing_module": "i1"}, 1.0):
        package = configured(
            package_of(module=beside),
            PrimeCamObservationConfigurationFactory,
            scan_params={"radius_deg": 0.5, **pointing},
        )
        assert region(package).radius_deg == pytest.approx(radius)


def test_a_map_of_chai_is_where_its_offset_says() -> None:
    module = ChaiModuleConfigurationFactory.create().instrument_module
    offset = {"map_offset_x_arcsec": 3600.0, "map_offset_y_arcsec": 0.0, "map_offset_frame": "icrs"}
    package = package_of(FixedSourceFactory.create(name="equator", ra_deg=10, dec_deg=0), module=module)
    configured(package, ChaiObservationConfigurationFactory, **offset, map_offset_true_angle=True)
    found = region(package)
    assert isinstance(found, Polygon)
    assert sum(vertex.ra_deg for vertex in found.vertices) / 4 == pytest.approx(11, abs=1e-3)
    assert found.vertices[0].dec_deg == pytest.approx(300 / 3600, abs=1e-4)
    # Of an offset that turns with the sky only the distance is known.
    turning = package_of(module=module)
    told = {**offset, "map_offset_frame": "horizontal"}
    assert isinstance(
        region(configured(turning, ChaiObservationConfigurationFactory, **told, map_offset_true_angle=True)), Circle
    )


def test_the_tuning_of_chai_says_the_wavelengths() -> None:
    tuned = ChaiModuleConfigurationFactory.create()
    package = package_of(module=tuned.instrument_module)
    assert package.executed_obs_unit is not None
    row = record(package)
    assert (row["em_min"], row["em_max"]) == pytest.approx((6.056e-4, 6.589e-4), rel=1e-3)  # all of the module
    package.executed_obs_unit.instrument_module_configurations.add(tuned)
    row = record(package)
    assert row["em_min"] == pytest.approx(299_792_458 / 463.0407682e9)
    assert row["em_max"] == pytest.approx(299_792_458 / 459.0407682e9)
    assert row["em_res_power"] == pytest.approx(4.61e6, rel=1e-3)
    assert row["em_xel"] == 40_000
    assert (row["dataproduct_type"], row["em_ucd"]) == ("spectrum", "em.mm.400-750GHz")


def test_the_interferometer_and_the_lines_say_the_wavelengths() -> None:
    scanned = PrimeCamModuleConfigurationFactory.create(
        fpi_start_ghz=210, fpi_stop_ghz=420, fpi_step_ghz=2, fpi_resolving_power=100, sample_rate_hz=200
    )
    package = package_of(module=scanned.instrument_module)
    assert package.executed_obs_unit is not None
    package.executed_obs_unit.obs_unit.instrument_module_configurations.add(scanned)
    row = record(package)
    assert (row["em_min"], row["em_max"]) == pytest.approx((7.138e-4, 1.4276e-3), rel=1e-3)
    assert (row["em_res_power"], row["em_xel"], row["t_resolution"], row["t_xel"]) == (100, 106, 0.005, 360_000)
    line = LineFactory.create()
    bare = InstrumentModuleFactory.create(short_name="bare")
    bare.lines.add(line)
    row = record(package_of(module=bare))
    assert row["em_min"] == row["em_max"] == pytest.approx(299_792_458 / (float(line.rest_frequency_ghz) * 1e9))


def test_a_planet_is_where_it_was_at_the_time() -> None:
    row = record(package_of(SolarSystemObjectFactory.create()))
    # JPL Horizons, astrometric, 2026-05-01 22:15: in Gemini.
    assert separation_deg(Place(row["s_ra"], row["s_dec"]), Place(109.5, 22.6)) < 1
    later = record(package_of(SolarSystemObjectFactory.create(), start_time=START + timedelta(days=10), end_time=None))
    assert separation_deg(Place(later["s_ra"], later["s_dec"]), Place(row["s_ra"], row["s_dec"])) > 1


def test_a_body_without_ephemeris_has_no_place_and_says_so() -> None:
    package = package_of(
        SolarSystemObjectFactory.create(name="Ceres", ephemeris_name="ceres", tracking_kind="minor_body")
    )
    row = filled(package)
    assert row.obs_ra_deg is None
    assert "ephemeris.unknown_body" in row.problems[0]


def test_a_field_at_constant_elevation_is_where_the_telescope_pointed() -> None:
    field = ConstantElevationSourceFactory.create()
    ConstantElevationAzimuthRangeFactory.create(source=field, lst_start_h=0, lst_stop_h=24)
    package = package_of(field, module=module_of())
    row = record(package)
    assert package.executed_obs_unit is not None
    seen = horizontal_at(START + (END - START) / 2, package.executed_obs_unit.obs_unit.telescope)
    where = SkyCoord(row["s_ra"], row["s_dec"], unit="deg").transform_to(seen)
    assert (where.az.deg, where.alt.deg) == pytest.approx((140, 50), abs=1e-4)
    found = region_of(row["s_region"])
    assert isinstance(found, Polygon)
    # Sixty degrees of azimuth at that elevation, on both sides.
    assert found.reach_deg(Place(row["s_ra"], row["s_dec"])) == pytest.approx(20, abs=4)


def test_a_field_that_was_not_scanned_then_has_its_centre() -> None:
    field = ConstantElevationSourceFactory.create(
        ra_center_deg=10, dec_center_deg=-20, width_deg=8, height_deg=4, rising=True
    )
    ConstantElevationAzimuthRangeFactory.create(source=field, lst_start_h=1, lst_stop_h=1.01)
    row = filled(package_of(field))
    assert (row.obs_ra_deg, row.obs_dec_deg) == (10, -20)
    assert "sidereal" in row.problems[0]


def test_without_a_source_it_is_where_the_instrument_said() -> None:
    unit = ObsUnitFactory.create(source=None)
    told = ExecutedObsUnitFactory.create(obs_unit=unit, finished=True, azimuth_deg_mean=120, elevation_deg_mean=60)
    row = record(RawDataPackageFactory.create(built=True, executed_obs_unit=told))
    assert row["s_dec"] is not None
    silent = ExecutedObsUnitFactory.create(obs_unit=unit, finished=True)
    assert filled(RawDataPackageFactory.create(built=True, executed_obs_unit=silent)).problems == [
        "Nobody said where the telescope pointed."
    ]


def test_engineering_and_data_streams_are_no_data_product() -> None:
    package = package_of(module=module_of())
    assert package.executed_obs_unit is not None
    unit = package.executed_obs_unit.obs_unit
    unit.obs_mode = ObsModeFactory.create(name="noise", category="engineering")
    unit.save()
    assert record(package)["dataproduct_type"] is None
    stream = DataStreamFactory.create()
    fields = {"executed_obs_unit": None, "data_stream": stream, "instrument_module": stream.instrument_module}
    row = record(RawDataPackageFactory.create(built=True, start_time=START, end_time=END, **fields))
    assert (row["dataproduct_type"], row["s_ra"], row["t_exptime"]) == (None, None, 1800)


def test_corrections_of_people_win_and_stay() -> None:
    package = package_of(module=module_of())
    row = filled(package)
    assert row.obs_region == "CIRCLE ICRS 83.809 -5.37264 0.5"
    RawDataPackageMetadata.objects.update(s_ra_deg=83, s_dec_deg=-5, s_region="CIRCLE ICRS 83 -5 2", em_min_m=1e-4)
    row = filled(package)
    assert (row.obs_ra_deg, row.obs_region, row.obs_em_min_m) == (83, "CIRCLE ICRS 83 -5 2", 1e-4)
    assert row.computed["obscore"]["s_ra"] == 83.809
    row.s_region = "somewhere"
    with pytest.raises(ValidationError, match="no region"):
        row.full_clean()


def test_what_cannot_be_computed_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    package = package_of()

    def stumble(_package: Any) -> Any:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(filling, "computed", stumble)
    assert not fill(package)
    row = RawDataPackageMetadata.objects.get(raw_data_package=package)
    assert (row.problems, row.obs_ra_deg) == (["ZeroDivisionError: by nothing"], None)
    monkeypatch.setattr(filling, "computed", lambda _package: {"obscore": {"s_ra": float("nan")}, "problems": []})
    assert not fill(package)


def test_it_is_filled_once_before_the_sidecar(monkeypatch: pytest.MonkeyPatch) -> None:
    package = package_of()
    RawDataPackageMetadata.objects.create(raw_data_package=package)
    fill_where_missing(package)
    assert RawDataPackageMetadata.objects.get().obs_ra_deg == 83.809
    monkeypatch.setattr(filling, "fill", lambda _package: pytest.fail("it was computed already"))
    fill_where_missing(package)


def test_the_sidecar_is_as_its_schema_says() -> None:
    schema = json.loads(Path(SCHEMA).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    judge = jsonschema.Draft202012Validator(schema)
    package = configured(package_of(module=module_of()), PrimeCamObservationConfigurationFactory)
    RawDataFileFactory.create(raw_data_package=package, relative_path="a", digest=DIGEST)
    fill(package)
    document = json.loads(sidecar_of(package, "cologne_lta", "a/b/p.1-1.tar"))
    assert document["metadata"]["computed"]["obscore"]["target_name"] == "Orion-KL"
    judge.validate(document)
    document["metadata"]["computed"]["obscore"]["s_region"] = "somewhere"
    assert not judge.is_valid(document)


def test_the_command_computes_anew() -> None:
    package, other = package_of(), package_of()
    call_command("recompute_metadata", package.name)
    assert list(RawDataPackageMetadata.objects.values_list("raw_data_package", flat=True)) == [package.pk]
    Source.objects.filter(name="Orion-KL").update(name="Orion")
    call_command("recompute_metadata")
    names = RawDataPackageMetadata.objects.values_list("computed__obscore__target_name", flat=True)
    assert list(names) == ["Orion", "Orion"]
    with pytest.raises(CommandError, match="nothing_such"):
        call_command("recompute_metadata", "nothing_such", str(other.pk))
