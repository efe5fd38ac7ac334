"""One record of ObsCore 1.1 from a package: names, units and meanings are the recommendation's.

Null is what nobody knows. What may change without the package (who may see it, its size, its release) is no part of the
record: the tables of the Virtual Observatory take it from where it is kept.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from datamgmt.metadata.footprints import Covered, covered_by
from datamgmt.metadata.spectra import Spectrum, configurations_of, spectrum_of
from datamgmt.models import RawDataPackage
from observatory.models import InstrumentModule
from observatory.models.hierarchy import InstrumentType
from planning.models import ExecutedObsUnit
from planning.models.obs_units import ObsModeCategory

#: Of the rules by which records are computed: raised when they change, so that old records can be told.
RULES: Final = 1
_UNIX_EPOCH_MJD: Final = 40587.0
_UNKNOWN: Final = Covered()


def computed(package: RawDataPackage) -> dict[str, Any]:
    """The record, and what stands beside it: instrument, conditions, where it is from; ``problems`` in words."""
    module = package.instrument_module
    execution = package.executed_obs_unit
    configurations = configurations_of(execution, module)
    spectrum = spectrum_of(configurations, module)
    covered = covered_by(execution, module) if execution is not None else _UNKNOWN
    return {
        "obscore": _record(package, execution, spectrum, covered),
        "instrument_parameters": {
            "module": str(module),
            "beam_fwhm_arcsec": module.beam_fwhm_arcsec,
            "n_pixels": module.n_pixels,
            "configurations": [each.name for each in configurations],
            "sample_s": spectrum.sample_s,
        },
        "quality_metrics": {} if execution is None else _quality(execution),
        "provenance": {
            "rules": RULES,
            "executed_obs_unit": None if execution is None else str(execution.pk),
            "configuration_version": None if execution is None else execution.observation_configuration_version,
        },
        "problems": [covered.problem] if covered.problem else [],
    }


def _record(
    package: RawDataPackage, execution: ExecutedObsUnit | None, spectrum: Spectrum, covered: Covered
) -> dict[str, Any]:
    module = package.instrument_module
    start, end = _times(package, execution)
    duration = (end - start) / timedelta(seconds=1)
    unit = execution.obs_unit if execution is not None else None
    program = unit.observing_program.short_name if unit is not None else ""
    return {
        "dataproduct_type": _product_type(execution, module),
        "calib_level": 0,
        "obs_collection": f"CCAT/{program}" if program else "CCAT",
        "obs_id": str(execution.pk if execution is not None else package.pk),
        "obs_title": f"{program} {package.of_what} {start:%Y-%m-%d %H:%M}".strip(),
        "target_name": package.of_what if unit is not None and unit.source is not None else None,
        "target_class": (unit.source.source_class or None) if unit is not None and unit.source is not None else None,
        "s_ra": covered.place and round(covered.place.ra_deg, 7),
        "s_dec": covered.place and round(covered.place.dec_deg, 7),
        "s_fov": covered.s_fov_deg,
        "s_region": str(covered.region) if covered.region is not None else None,
        "s_resolution": module.beam_fwhm_arcsec,
        "t_min": _mjd(start),
        "t_max": _mjd(end),
        "t_exptime": duration,
        "t_resolution": spectrum.sample_s,
        "t_xel": round(duration / spectrum.sample_s) if spectrum.sample_s else None,
        "em_min": spectrum.em_min_m,
        "em_max": spectrum.em_max_m,
        "em_res_power": spectrum.resolving_power,
        "em_xel": spectrum.channels,
        "em_ucd": spectrum.ucd or None,
        # Read-out as it came: counts, which are no flux yet.
        "o_ucd": "phot.count",
        "facility_name": "FYST",
        "instrument_name": f"{module.instrument.name}/{module.name}",
        "proposal_id": program or None,
    }


def _times(package: RawDataPackage, execution: ExecutedObsUnit | None) -> tuple[datetime, datetime]:
    start = package.observed_from
    end = execution.end_time if execution is not None else package.end_time
    return start, end if end is not None else start


def _product_type(execution: ExecutedObsUnit | None, module: InstrumentModule) -> str | None:
    """Null for what is no science data: engineering, and modules without frequencies, as those of housekeeping."""
    is_science = module.freq_min_ghz is not None or module.lines.exists()
    if execution is None or not is_science or execution.obs_unit.obs_mode.category == ObsModeCategory.ENGINEERING:
        return None
    return "spectrum" if module.instrument.instrument_type == InstrumentType.HETERODYNE else "timeseries"


def _quality(execution: ExecutedObsUnit) -> dict[str, Any]:
    names = ("pwv_mm_mean", "tau_225", "humidity", "temperature_c", "wind_m_s", "elevation_deg_mean")
    conditions = {name: getattr(execution, name) for name in names}
    return {"quality": execution.quality, "comment": execution.quality_comment, **conditions}


def _mjd(moment: datetime) -> float:
    return _UNIX_EPOCH_MJD + moment.timestamp() / 86400
