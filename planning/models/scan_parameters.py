"""What a Prime-Cam scan is told: for each scan type its parameters, with units in their names, and their ranges.

Stands beside planning/models/configurations.py, which keeps the parameters of one obs unit as JSON. Names follow the
telescope's own scan commands (constant elevation) and FYST's trajectory software (pong, daisy). That software refuses
unknown names too: a misspelt parameter must not be lost silently, hours later, at the telescope.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models

_LARGEST = 1e15


class ScanType(models.TextChoices):
    """How the telescope moves. Names of FYST's trajectory software, and of the telescope's commands."""

    CONSTANT_EL = "constant_el", "Constant elevation"
    PONG = "pong", "Pong"
    DAISY = "daisy", "Daisy"
    SOURCE_CES = "source_ces", "Source at constant elevation"
    TRACK = "track", "Track"
    PATH = "path", "Path"
    MOVE_TO = "move_to", "Move to"


class Frame(models.TextChoices):
    """In which coordinates a length, an angle or a speed is meant."""

    MOUNT = "mount", "azimuth and elevation of the mount"
    SKY = "sky", "on the sky"
    FOCAL_PLANE = "focal_plane", "in the focal plane"


#: Of a scan's speed: azimuth degrees per second for sweeps of the mount, degrees on the sky for patterns round a source.
SPEED_FRAMES: Mapping[str, Frame] = {
    ScanType.CONSTANT_EL: Frame.MOUNT,
    ScanType.SOURCE_CES: Frame.MOUNT,
    ScanType.PONG: Frame.SKY,
    ScanType.DAISY: Frame.SKY,
}
#: Scans that are made at one elevation of their own; the others follow their source.
OF_ONE_ELEVATION = (ScanType.CONSTANT_EL, ScanType.SOURCE_CES)
#: Where modules are in the focal plane of Prime-Cam: the centre and the six places round it.
PLACES = ("c", "i1", "i2", "i3", "i4", "i5", "i6")
#: Points of a path: more do not fit into a configuration.
MOST_POINTS = 500


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number, its range (both ends belong to it unless ``above``), and whether a scan can do without it. Its unit is
    in its name; ``frame`` says in which coordinates it is meant.
    """

    meaning: str
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    whole: bool = False
    required: bool = False
    frame: Frame | None = None

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


@dataclass(frozen=True, slots=True)
class Choice:
    """One word of a list."""

    meaning: str
    words: tuple[str, ...]
    required: bool = False
    frame: Frame | None = None

    def reason_against(self, value: Any) -> str | None:
        """Why this value cannot be, or None."""
        return None if value in self.words else f"{value!r} is none of {', '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Points:
    """A list of [seconds, azimuth, elevation], in order of time."""

    meaning: str
    required: bool = False
    frame: Frame | None = Frame.MOUNT

    def reason_against(self, value: Any) -> str | None:
        """Why this value cannot be, or None."""
        if not isinstance(value, list) or not 2 <= len(value) <= MOST_POINTS:
            return f"give 2 to {MOST_POINTS} points"
        before = -math.inf
        for number, point in enumerate(value):
            if not isinstance(point, list) or len(point) != len(_OF_POINTS):
                return f"point {number} is not [seconds, azimuth, elevation]"
            for parameter, coordinate in zip(_OF_POINTS, point, strict=True):
                reason = parameter.reason_against(coordinate)
                if reason is not None:
                    return f"point {number}: {parameter.meaning}: {reason}"
            if point[0] <= before:
                return f"point {number} is not after the one before"
            before = point[0]
        return None


_OF_POINTS = (
    Parameter("seconds after the start", 0, 86400),
    Parameter("azimuth", -360, 360),
    Parameter("elevation", -90, 180),
)


def _length(meaning: str, high: float = 180, *, required: bool = False, frame: Frame | None = Frame.SKY) -> Parameter:
    return Parameter(meaning, low=0, high=high, above=True, required=required, frame=frame)


def _angle(meaning: str, low: float = -360, high: float = 360, frame: Frame = Frame.MOUNT, **more: Any) -> Parameter:
    return Parameter(meaning, low, high, frame=frame, **more)


_STEP = {"timestep_s": Parameter("step of the computed trajectory", 0, 60, above=True)}
#: Which point of the focal plane is put on the source.
_POINTING: Mapping[str, Parameter | Choice] = {
    "pointing_module": Choice("module that points at the source", PLACES, frame=Frame.FOCAL_PLANE),
    "detector_offset_x_deg": _angle("offset of the detector that points at the source", -5, 5, Frame.FOCAL_PLANE),
    "detector_offset_y_deg": _angle("offset of the detector that points at the source", -5, 5, Frame.FOCAL_PLANE),
    "boresight_rot_deg": _angle("rotation of the focal plane round the boresight"),
}
_SWEEPING: Mapping[str, Parameter | Choice] = {
    "az_accel_deg_s2": _length("acceleration at the ends", frame=Frame.MOUNT),
    "az_padding_deg": Parameter("sweep beyond the field at both ends", 0, 90, frame=Frame.MOUNT),
}

SCAN_PARAMETERS: Mapping[str, Mapping[str, Parameter | Choice | Points]] = {
    ScanType.CONSTANT_EL: {
        "az_min_deg": _angle("left end of the sweep"),
        "az_max_deg": _angle("right end of the sweep"),
        **_SWEEPING,
        "n_scans": Parameter("one-way legs", 1, whole=True),
        "n_cycles": Parameter("legs there and back: what the telescope's command calls num_scans", 1, whole=True),
        "turnaround_s": Parameter("time for reversing the sweep", 0, 3600),
        "angle_deg": _angle("rotation of the field", frame=Frame.SKY),
        "lsa_min_deg": Parameter("start of the window of sidereal angle", 0, 360, frame=Frame.SKY),
        "lsa_max_deg": Parameter("end of the window of sidereal angle; it may pass 360", 0, 360, frame=Frame.SKY),
        **_POINTING,
        **_STEP,
    },
    ScanType.PONG: {
        "width_deg": _length("width of the rectangle", required=True),
        "height_deg": _length("height of the rectangle", required=True),
        "spacing_deg": _length("distance of the lines", required=True),
        "num_terms": Parameter("terms that round the corners", 1, 100, whole=True),
        "angle_deg": _angle("rotation of the rectangle", frame=Frame.SKY),
        "n_cycles": Parameter("repetitions of the closed pattern", 1, whole=True),
        **_POINTING,
        **_STEP,
    },
    ScanType.DAISY: {
        "radius_deg": _length("radius of the petals", required=True),
        "turn_radius_deg": _length("radius of the turns"),
        "avoidance_radius_deg": Parameter("how near the centre is passed", 0, 180, frame=Frame.SKY),
        "start_acceleration_deg_s2": _length("acceleration at the start"),
        "y_offset_deg": _angle("offset of the start", -180, 180, Frame.SKY),
        **_POINTING,
        **_STEP,
    },
    # The telescope's source_scan: a source is dragged over rows of the focal plane at one elevation.
    ScanType.SOURCE_CES: {
        "footprint": Choice("part of the focal plane that the source crosses", PLACES, frame=Frame.FOCAL_PLANE),
        "footprint_margin_deg": Parameter("added to the footprint on every side", 0, 5, frame=Frame.FOCAL_PLANE),
        "eta_offset_deg": _angle("row of the focal plane, from the middle of the footprint", -5, 5, Frame.FOCAL_PLANE),
        **_SWEEPING,
        "az_throw_deg": _length("sweep from end to end", 360, frame=Frame.MOUNT),
        "az_drift_deg_s": _angle("drift of the sweep's middle", -3, 3),
        "dwell_s": Parameter("time on the source", 0, 86400, above=True),
        "n_passes": Parameter("passes, one for each row", 1, whole=True),
        **_POINTING,
        **_STEP,
    },
    ScanType.TRACK: {
        "x_offset_deg": _angle("offset from the source, along right ascension", -180, 180, Frame.SKY),
        "y_offset_deg": _angle("offset from the source, along declination", -90, 90, Frame.SKY),
        **_POINTING,
    },
    ScanType.PATH: {"points": Points("where to be when", required=True)},
    ScanType.MOVE_TO: {
        "az_deg": _angle("azimuth", required=True),
        "el_deg": _angle("elevation", -90, 180, required=True),
    },
}
#: Two ends of which the first is below the second.
_ORDERED = (("az_min_deg", "az_max_deg"),)
#: Parameters that make sense together only.
_TOGETHER = (("lsa_min_deg", "lsa_max_deg"), ("detector_offset_x_deg", "detector_offset_y_deg"))
#: Of these one can be given.
_EITHER = (("n_scans", "n_cycles"), ("pointing_module", "detector_offset_x_deg"))


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
    return problems or list(_problems_together(parameters))


def _problems_together(parameters: Mapping[str, Any]) -> Iterator[str]:
    for low, high in _ORDERED:
        if low in parameters and high in parameters and parameters[low] >= parameters[high]:
            yield f"{low} {parameters[low]:g} is not below {high} {parameters[high]:g}"
    for one, other in _TOGETHER:
        if (one in parameters) != (other in parameters):
            yield f"{one} and {other} go together"
    for one, other in _EITHER:
        if one in parameters and other in parameters:
            yield f"give {one} or {other}"


def _unknown(name: str, scan_type: str) -> str:
    known = SCAN_PARAMETERS[scan_type]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"{name} is no parameter of a {scan_type} scan; {hint}"
