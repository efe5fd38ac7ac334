"""An observation, from the instrument's first byte to the last call: written at SOURCE, then filed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ccatdc.demo.filing import Api, Observation, file_observation
from ccatdc.demo.folder import Skipped, copy_folder
from ccatdc.demo.furnishing import instrument_token
from ccatdc.demo.home import Home
from ccatdc.demo.instrument import PRIME_CAM, Instrument
from ccatdc.demo.writing import Source, Written, run_prefix
from planning.models import ObsUnit

_SITE = "ccat"
#: What a user's own files are observed as.
_TEST_PROGRAM, _TEST_UNIT, _TEST_MODULE = "ENG", "Prime-Cam test data", "280ghz"
_LONGEST = timedelta(minutes=10)


@dataclass(frozen=True)
class Observatory:
    """The telescope's site as the instruments see it: disks to write to, an API to file with."""

    home: Home
    portal_url: str

    def observe(self, instrument: Instrument, size: int, seed: str | None = None) -> Observation:
        """One simulated observation of an active obs unit; with the same seed the same bytes."""
        prefix = run_prefix(datetime.now(UTC))
        chance = random.Random(seed or prefix)  # noqa: S311 - a choice, not a secret
        units = (
            ObsUnit.objects.filter(obs_unit_type=instrument.obs_unit_type, state="active")
            .exclude(name=_TEST_UNIT)
            .select_related("observing_program")
        )
        unit = chance.choice(list(units.order_by("id")))
        end = datetime.now(UTC)
        start = end - min(timedelta(seconds=unit.planned_duration_s), _LONGEST)
        source = self._source(instrument, prefix)
        files = instrument.observe(source, start, size, seed or prefix)
        conditions = {
            "pwv_mm_mean": round(chance.uniform(0.3, 1.5), 2),
            "humidity": round(chance.uniform(5, 40), 1),
            "temperature_c": round(chance.uniform(-12, 2), 1),
            "wind_m_s": round(chance.uniform(1, 14), 1),
            "elevation_deg_mean": round(chance.uniform(30, 75), 2),
            "azimuth_deg_mean": round(chance.uniform(0, 360), 2),
        }
        return self._file(instrument, unit, (start, end), files, conditions)

    def observe_folder(self, folder: Path) -> tuple[Observation, list[Skipped]]:
        """A user's folder as one observation of Prime-Cam, and what was left out of it."""
        start = datetime.now(UTC)
        source = self._source(PRIME_CAM, run_prefix(start))
        files, skipped = copy_folder(folder, source, module=_TEST_MODULE, apart_from=self.home.root)
        end = datetime.now(UTC)
        unit = ObsUnit.objects.select_related("observing_program").get(
            observing_program__short_name=_TEST_PROGRAM, name=_TEST_UNIT
        )
        return self._file(PRIME_CAM, unit, (start, end), files, {}), skipped

    def _source(self, instrument: Instrument, prefix: str) -> Source:
        return Source(self.home.disk(_SITE, instrument.location), prefix)

    def _file(
        self,
        instrument: Instrument,
        unit: ObsUnit,
        times: tuple[datetime, datetime],
        files: list[Written],
        conditions: dict[str, float],
    ) -> Observation:
        with Api(self.portal_url, instrument_token(self.home, instrument.name)) as api:
            return file_observation(
                api,
                instrument=instrument.name,
                location=f"{_SITE}_{instrument.location}",
                program=unit.observing_program.short_name,
                obs_unit=unit.name,
                start=times[0],
                end=times[1],
                files=files,
                conditions=conditions,
            )
