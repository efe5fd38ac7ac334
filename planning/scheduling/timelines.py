"""A timeline: a night or a week of blocks becomes slots, and the obs units that they need. All of it, or nothing.

Sent by the scheduler (planning/api/timeline_views.py). A timeline has the name of its plan: sent again, it changes
nothing; sent otherwise, it replaces the slots of the plan that nothing was observed in yet. A block names an obs unit,
or says what is needed to make one: a calibration its mode and perhaps a target, a field its place and scan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef

from accounts.models import User, record
from ccatdc.common.errors import NotFoundError, RequestError
from ccatdc.common.row_errors import RowError, in_words, listed
from ccatdc.common.states import transition_all
from observatory.models import Telescope
from planning.models import (
    ConstantElevationSource,
    ExecutedObsUnit,
    FixedSource,
    ObservingProgram,
    ObsMode,
    ObsUnit,
    PreScheduledSlot,
    SlotStatus,
    Source,
)
from planning.models.scan_parameters import ScanType
from planning.models.slots import TAKING_TIME

COMPONENT = "planning"
MAX_BLOCKS: Final = 10_000
#: Columns of a slot that a block gives.
GEOMETRY: Final = (
    "azimuth_min_deg",
    "azimuth_max_deg",
    "elevation_deg",
    "boresight_angle_deg",
    "scan_index",
    "subscan_index",
    "retune_events",
)


class TimelineError(RequestError):
    """Blocks that cannot be planned; nothing of the timeline was."""

    default_code = "timeline.invalid_blocks"

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__(
            in_words(errors, "Block"), remedy="Nothing was planned. Correct the blocks and send all of them again."
        )
        self.extra = listed(errors)


@dataclass(frozen=True, slots=True)
class FieldGeometry:
    """A field on the sky, degrees, that a block observes; ``rising`` for a scan at constant elevation."""

    ra_deg: float
    dec_deg: float
    width_deg: float = 0.0
    height_deg: float = 0.0
    rising: bool | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """One entry of a timeline. ``index`` is its place in what was sent.

    The obs unit is ``obs_unit`` (its id), or ``name`` in ``program``. Where there is none of that name it is made, with
    the observing mode ``mode`` and the target: a ``source`` by name, a ``sky_field``, or none.
    """

    index: int
    start: datetime
    end: datetime
    name: str = ""
    obs_unit: int | None = None
    program: str = ""
    mode: str = ""
    source: str = ""
    sky_field: FieldGeometry | None = None
    geometry: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a timeline changed."""

    plan: str
    created: int
    unchanged: int
    replaced: int
    obs_units_created: int


def accept_timeline(plan: str, telescope: Telescope, blocks: Sequence[Block], user: User | None) -> Accepted:
    """Plan the blocks on a telescope.

    Raises TimelineError, with what is wrong by block: an unknown name, blocks that overlap each other or slots of others.
    """
    with transaction.atomic():
        # One timeline at a time for a telescope: two of the same plan would each replace the other's half.
        Telescope.objects.select_for_update().get(pk=telescope.pk)
        errors = list(_impossible(blocks))
        units = _Units(telescope)
        placed = [(block, units.of(block, errors)) for block in blocks]
        if errors:
            raise TimelineError(sorted(errors, key=lambda error: error.index))
        accepted = _replace(plan, telescope, [(block, unit) for block, unit in placed if unit is not None], units.made)
        if accepted.created or accepted.replaced:
            record(
                COMPONENT,
                f"Timeline {plan} of {telescope}: {accepted.created} slots are new, {accepted.unchanged} as before,"
                f" {accepted.replaced} replaced; {accepted.obs_units_created} obs units are new.",
                user=user,
            )
    return accepted


def telescope_named(short_name: str) -> Telescope:
    """The telescope, or the only one there is. RequestError where it is not clear."""
    rows = Telescope.objects.all()
    found = list((rows.filter(short_name=short_name) if short_name else rows)[:2])
    if len(found) != 1:
        raise NotFoundError(
            "There is no such telescope." if not found else "There are several telescopes.",
            code="timeline.which_telescope",
            remedy="Name one by its short name.",
        )
    return found[0]


def _impossible(blocks: Sequence[Block]) -> list[RowError]:
    errors = [
        RowError(block.index, "end_time", "order", "The block ends before it starts.")
        for block in blocks
        if block.end <= block.start
    ]
    for before, after in pairwise(sorted(blocks, key=lambda block: (block.start, block.end))):
        if after.start < before.end:
            first, second = sorted((before.index, after.index))
            errors.append(RowError(second, "start_time", "overlap", f"Block {first} is at this time."))
    return errors


class _Units:
    """The obs units of blocks, found or made."""

    def __init__(self, telescope: Telescope) -> None:
        self.made = 0
        self._telescope = telescope
        self._programs = {row.short_name: row for row in ObservingProgram.objects.all()}
        self._modes = {row.name: row for row in ObsMode.objects.select_related("instrument")}
        self._units: dict[tuple[str, str], ObsUnit] = {}
        self._by_id: dict[int, ObsUnit] = {}

    def of(self, block: Block, errors: list[RowError]) -> ObsUnit | None:
        """The block's unit; None, and a line more in ``errors``, where it cannot be found or made."""
        try:
            return self._of(block)
        except _Problem as problem:
            errors.append(RowError(block.index, problem.field, problem.code, str(problem)))
        except ValidationError as problem:
            for name, messages in problem.message_dict.items():
                errors.append(RowError(block.index, name, "invalid", " ".join(messages)))
        return None

    def _of(self, block: Block) -> ObsUnit:
        if block.obs_unit is not None:
            return self._known(block.obs_unit)
        program = self._programs.get(block.program)
        if program is None:
            raise _Problem("program", "does_not_exist", f"There is no program {block.program!r}.")
        key = (block.program, block.name)
        if key not in self._units:
            named = ObsUnit.objects.filter(observing_program=program, name=block.name).first()
            self._units[key] = self._checked(named) if named is not None else self._make(block, program)
        return self._units[key]

    def _known(self, key: int) -> ObsUnit:
        if key not in self._by_id:
            unit = ObsUnit.objects.filter(pk=key).first()
            if unit is None:
                raise _Problem("obs_unit", "does_not_exist", f"There is no obs unit {key}.")
            self._by_id[key] = self._checked(unit)
        return self._by_id[key]

    def _checked(self, unit: ObsUnit) -> ObsUnit:
        if unit.telescope_id != self._telescope.pk:
            raise _Problem("obs_unit", "other_telescope", f"{unit} is for another telescope.")
        return unit

    def _make(self, block: Block, program: ObservingProgram) -> ObsUnit:
        mode = self._modes.get(block.mode)
        if mode is None:
            known = ", ".join(sorted(self._modes))
            message = f"{block.program} has no unit {block.name!r}, and there is no mode {block.mode!r} for a new one."
            raise _Problem("mode", "does_not_exist", f"{message} Modes: {known}.")
        unit = ObsUnit(
            name=block.name,
            observing_program=program,
            obs_mode=mode,
            telescope=self._telescope,
            source=self._target(block),
            obs_unit_type=self._kind(mode),
            planned_duration_s=max(1, round((block.end - block.start).total_seconds())),
        )
        unit.full_clean()
        unit.save()
        self.made += 1
        return unit

    @staticmethod
    def _kind(mode: ObsMode) -> str:
        is_chai = mode.instrument is not None and mode.instrument.short_name == "chai"
        return "chai_obs_unit" if is_chai else "prime_cam_obs_unit"

    def _target(self, block: Block) -> Source | None:
        if block.source:
            named = Source.objects.filter(name__iexact=block.source).first()
            if named is None and block.sky_field is None:
                raise _Problem("source", "does_not_exist", f"There is no source {block.source!r}.")
            if named is not None:
                return named
        if block.sky_field is None:
            return None
        source = self._field(block, block.sky_field)
        same = Source.objects.filter(name=source.name).first()
        if same is not None:
            return same
        source.type = source.TYPE
        source.full_clean()
        source.save()
        return source

    @staticmethod
    def _field(block: Block, place: FieldGeometry) -> Source:
        name = block.source or block.name
        if block.mode != ScanType.CONSTANT_EL:
            return FixedSource(name=name, ra_deg=place.ra_deg % 360, dec_deg=place.dec_deg, source_class="field")
        elevation = block.geometry.get("elevation_deg")
        if elevation is None:
            raise _Problem("elevation_deg", "required", "A field at constant elevation needs an elevation.")
        return ConstantElevationSource(
            name=name,
            source_class="field",
            elevation_deg=elevation,
            rising=place.rising,
            ra_center_deg=place.ra_deg % 360,
            dec_center_deg=place.dec_deg,
            width_deg=place.width_deg or None,
            height_deg=place.height_deg or None,
        )


class _Problem(Exception):
    """What is wrong with one field of a block."""

    def __init__(self, name: str, code: str, message: str) -> None:
        super().__init__(message)
        self.field, self.code = name, code


def _replace(plan: str, telescope: Telescope, placed: Sequence[tuple[Block, ObsUnit]], units_made: int) -> Accepted:
    """Keep what is as it was, cancel what is not in the timeline any more and not begun, make what is new."""
    known = {
        (slot.obs_unit_id, slot.start_time, slot.end_time): slot
        for slot in PreScheduledSlot.objects.filter(plan=plan, telescope=telescope).exclude(status=SlotStatus.CANCELLED)
    }
    wanted = {(unit.pk, block.start, block.end): block for block, unit in placed}
    unchanged = 0
    for key in wanted.keys() & known.keys():
        slot, geometry = known[key], wanted[key].geometry
        unchanged += 1
        if any(getattr(slot, name) != value for name, value in geometry.items()):
            for name, value in geometry.items():
                setattr(slot, name, value)
            slot.save(update_fields=list(geometry))
    gone = [slot.pk for key, slot in known.items() if key not in wanted]
    begun = ExecutedObsUnit.objects.filter(pre_scheduled_slot=OuterRef("pk"))
    replaceable = PreScheduledSlot.objects.filter(~Exists(begun), pk__in=gone, status=SlotStatus.PLANNED)
    replaced = transition_all(replaceable, SlotStatus.CANCELLED)
    new = [(block, unit) for block, unit in placed if (unit.pk, block.start, block.end) not in known]
    _require_free(telescope, [block for block, _ in new])
    PreScheduledSlot.objects.bulk_create(
        PreScheduledSlot(
            obs_unit=unit, telescope=telescope, start_time=block.start, end_time=block.end, plan=plan, **block.geometry
        )
        for block, unit in new
    )
    return Accepted(plan, len(new), unchanged, replaced, units_made)


def _require_free(telescope: Telescope, blocks: Sequence[Block]) -> None:
    """No slot that stays is at the time of a new one."""
    if not blocks:
        return
    first, last = min(block.start for block in blocks), max(block.end for block in blocks)
    taken = PreScheduledSlot.objects.filter(
        telescope=telescope, status__in=TAKING_TIME, start_time__lt=last, end_time__gt=first
    )
    others = list(taken.select_related("obs_unit__observing_program").order_by("start_time"))
    errors = [
        RowError(block.index, "start_time", "slot_taken", f"The telescope has another slot at this time: {other}.")
        for block in blocks
        for other in others
        if other.start_time < block.end and other.end_time > block.start
    ]
    if errors:
        raise TimelineError(sorted(errors, key=lambda error: error.index))
