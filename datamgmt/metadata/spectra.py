"""Wavelengths of a package, in metres: of what its module was configured to, else of what the module can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from observatory.models import (
    ChaiModuleConfiguration,
    InstrumentModule,
    InstrumentModuleConfiguration,
    PrimeCamModuleConfiguration,
)
from planning.models import ExecutedObsUnit

_SPEED_OF_LIGHT_M_S: Final = 299_792_458.0
#: Bands of UCD1+, GHz.
_BANDS: Final = ((200.0, 400.0), (400.0, 750.0), (750.0, 1500.0))


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Frequencies in GHz, samples in seconds; None where nobody said it."""

    low_ghz: float | None = None
    high_ghz: float | None = None
    resolving_power: float | None = None
    channels: int | None = None
    sample_s: float | None = None

    @property
    def em_min_m(self) -> float | None:
        """The shortest wavelength."""
        return _wavelength(self.high_ghz)

    @property
    def em_max_m(self) -> float | None:
        """The longest wavelength."""
        return _wavelength(self.low_ghz)

    @property
    def ucd(self) -> str:
        """The band of the middle; empty outside of all."""
        if self.low_ghz is None or self.high_ghz is None:
            return ""
        middle = (self.low_ghz + self.high_ghz) / 2
        return next((f"em.mm.{low:g}-{high:g}GHz" for low, high in _BANDS if low <= middle < high), "")


def configurations_of(execution: ExecutedObsUnit | None, module: InstrumentModule) -> list[Any]:
    """What the module was configured to: as the instrument said, else as it was planned."""
    if execution is None:
        return []
    rows = InstrumentModuleConfiguration.objects.filter(instrument_module=module).order_by("pk")
    return list(rows.filter(executions=execution) or rows.filter(obs_units=execution.obs_unit_id))


def spectrum_of(configurations: list[Any], module: InstrumentModule) -> Spectrum:
    """All of them together."""
    found = [each for each in map(_configured, configurations) if each is not None]
    if not found:
        return _of_module(module)
    lows = [each.low_ghz for each in found if each.low_ghz is not None]
    highs = [each.high_ghz for each in found if each.high_ghz is not None]
    if not lows or not highs:
        return _of_module(module, found[0])
    powers = [each.resolving_power for each in found if each.resolving_power is not None]
    samples = [each.sample_s for each in found if each.sample_s is not None]
    low, high = min(lows), max(highs)
    power = max(powers) if powers else _broadband(low, high)
    channels = [each.channels for each in found if each.channels is not None]
    return Spectrum(low, high, power, max(channels, default=1), min(samples, default=None))


def _configured(configuration: Any) -> Spectrum | None:
    if isinstance(configuration, ChaiModuleConfiguration):
        return _of_chai(configuration)
    if isinstance(configuration, PrimeCamModuleConfiguration):
        return _of_prime_cam(configuration)
    return None


def _of_chai(tuned: ChaiModuleConfiguration) -> Spectrum:
    half = tuned.bandwidth_ghz / 2
    middle = tuned.tuning_frequency_ghz
    channels = tuned.n_channels or round(tuned.bandwidth_ghz * 1e6 / tuned.resolution_khz)
    return Spectrum(middle - half, middle + half, middle * 1e6 / tuned.resolution_khz, channels)


def _of_prime_cam(read: PrimeCamModuleConfiguration) -> Spectrum:
    sample = 1 / read.sample_rate_hz if read.sample_rate_hz else None
    if read.fpi_start_ghz is not None and read.fpi_stop_ghz is not None:
        steps = round((read.fpi_stop_ghz - read.fpi_start_ghz) / read.fpi_step_ghz) + 1 if read.fpi_step_ghz else None
        return Spectrum(read.fpi_start_ghz, read.fpi_stop_ghz, read.fpi_resolving_power, steps, sample)
    if read.bandwidth_ghz is None:
        return Spectrum(sample_s=sample)
    half = read.bandwidth_ghz / 2
    return Spectrum(
        read.band_center_ghz - half,
        read.band_center_ghz + half,
        read.band_center_ghz / read.bandwidth_ghz,
        sample_s=sample,
    )


def _of_module(module: InstrumentModule, known: Spectrum | None = None) -> Spectrum:
    """Its range, else the lines that it can observe."""
    sample = known.sample_s if known is not None else None
    low, high = module.freq_min_ghz, module.freq_max_ghz
    if low is None or high is None:
        lines = [float(each) for each in module.lines.values_list("rest_frequency_ghz", flat=True)]
        if not lines:
            return Spectrum(sample_s=sample)
        low, high = min(lines), max(lines)
    return Spectrum(low, high, _broadband(low, high), 1, sample)


def _broadband(low: float, high: float) -> float | None:
    return (low + high) / 2 / (high - low) if high > low else None


def _wavelength(frequency_ghz: float | None) -> float | None:
    return None if not frequency_ghz else _SPEED_OF_LIGHT_M_S / (frequency_ghz * 1e9)
