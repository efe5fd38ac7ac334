"""What a Prime-Cam scan is told: for each scan type its parameters, with units in their names, and their ranges.

Stands beside planning/models/configurations.py, which keeps the parameters of one obs unit as JSON. Names follow the
telescope's own scan commands (constant elevation) and FYST's trajectory software (pong, daisy). That software refuses
unknown names too: a misspelt parameter must not be lost silently, hours later, at the telescope.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models

_LARGEST = 1e15


class ScanType(models.TextChoices):
    """How the telescope moves."""

    CONSTANT_EL = "constant_el", "Constant elevation"
    PONG = "pong", "Pong"
    DAISY = "daisy", "Daisy"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number, its range (both ends belong to it unless ``above``), and whether a scan can do without it."""

    meaning: str
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    whole: bool = False
    required: bool = False

    def reason_against(self, value: Any) -> str | None:
        """Why this value cannot be, or None."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return f"{value!r} is not a {'whole ' if self.whole else ''}number"
        if isinstance(value, float) and not math.isfinite(value):
            return f"{value!r} is not a finite number"
        if abs(value) > _LARGEST:  # whole numbers have no end in JSON, but in all that reads them
            return f"the number is above {_LARGEST:g}"
        if value < self.low or value > self.high or (self.above and value == self.low):
            return f"{value:g} is not {self._range()}"
        return None

    def _range(self) -> str:
        if self.high == math.inf:
            return f"above {self.low:g}" if self.above else f"{self.low:g} or more"
        return f"{'above' if self.above else 'from'} {self.low:g} to {self.high:g}"


def _length(meaning: str, high: float = 180, *, required: bool = False) -> Parameter:
    return Parameter(meaning, low=0, high=high, above=True, required=required)


SCAN_PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    ScanType.CONSTANT_EL: {
        "az_min_deg": Parameter("left end of the sweep", -360, 360),
        "az_max_deg": Parameter("right end of the sweep", -360, 360),
        "az_accel_deg_s2": _length("acceleration at the ends"),
        "az_padding_deg": Parameter("sweep beyond the field at both ends", 0, 90),
        "n_scans": Parameter("sweeps", 1, whole=True),
        "turnaround_s": Parameter("time for reversing the sweep", 0, 3600),
    },
    ScanType.PONG: {
        "width_deg": _length("width of the rectangle", required=True),
        "height_deg": _length("height of the rectangle", required=True),
        "spacing_deg": _length("distance of the lines", required=True),
        "num_terms": Parameter("terms that round the corners", 1, 100, whole=True),
        "angle_deg": Parameter("rotation of the rectangle", -360, 360),
        "n_cycles": Parameter("repetitions of the closed pattern", 1, whole=True),
    },
    ScanType.DAISY: {
        "radius_deg": _length("radius of the petals", required=True),
        "turn_radius_deg": _length("radius of the turns"),
        "avoidance_radius_deg": Parameter("how near the centre is passed", 0, 180),
        "start_acceleration_deg_s2": _length("acceleration at the start"),
        "y_offset_deg": Parameter("offset of the start", -180, 180),
    },
}


#: The ends of a sweep at constant elevation; the first is below the second.
SWEEP = ("az_min_deg", "az_max_deg")


def problems_with(scan_type: str, parameters: Any) -> list[str]:
    """All that is wrong with the parameters of a scan of this type; empty when the telescope can have them."""
    known = SCAN_PARAMETERS[scan_type]
    if not isinstance(parameters, Mapping):
        return [f"{parameters!r} is not an object of names and numbers"]
    problems = [
        f"{name} is missing: a {scan_type} scan needs it"
        for name, parameter in known.items()
        if parameter.required and name not in parameters
    ]
    for name, value in parameters.items():
        if name not in known:
            problems.append(_unknown(str(name), scan_type))
        elif (reason := known[name].reason_against(value)) is not None:
            problems.append(f"{name}: {reason}")
    if not problems and scan_type == ScanType.CONSTANT_EL:
        low, high = (parameters.get(end) for end in SWEEP)
        if low is not None and high is not None and low >= high:
            problems.append(f"az_min_deg {low:g} is not below az_max_deg {high:g}")
    return problems


def _unknown(name: str, scan_type: str) -> str:
    known = SCAN_PARAMETERS[scan_type]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"{name} is no parameter of a {scan_type} scan; {hint}"
