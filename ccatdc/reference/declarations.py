"""One declaration for each model that reference data can hold: the only place to add one.

A declaration names the model, the fields that name a row (its natural key) and the fields that are operational: what an
operator decides from day to day is taken from the files when the row is made, and never again. Everything else follows
from the model: its fields, its foreign keys, its rules.

A row is referred to by its name: the parts of its natural key joined by ``/`` (``prime-cam/280ghz``), for a data
location by ``_``, as its queues are named (``ccat_output_buffer``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.db import models

from accounts.models import Permission, Role
from datamgmt.models import DataArchive, DataLocation, DiskDataLocation, S3DataLocation, Site, TapeDataLocation
from observatory.models import (
    ChaiModuleConfiguration,
    DataStream,
    Instrument,
    InstrumentModule,
    Line,
    Observatory,
    PrimeCamModuleConfiguration,
    Telescope,
)
from planning.models import (
    CalibrationCadence,
    ChaiInparParameter,
    ChaiObservationConfiguration,
    ChaiTiling,
    ConstantElevationAzimuthRange,
    ConstantElevationSource,
    FixedSource,
    ObservingProgram,
    ObsMode,
    ObsUnit,
    PreScheduledSlot,
    PrimeCamObservationConfiguration,
    SolarSystemObject,
    SubObservingProgram,
)
from transfer.models import DataTransferRoute

ModelField = models.Field[Any, Any]


@dataclass(frozen=True)
class Declaration:
    """How rows of one model are named in files, and what the files decide."""

    model: type[models.Model]
    key: tuple[str, ...]
    operational: frozenset[str] = field(default_factory=frozenset)
    separator: str = "/"
    #: Whether there may be very many rows: they are inserted together and exported as CSV.
    many: bool = False

    @property
    def section(self) -> str:
        """The heading in the files: the name of the model's table."""
        return self.model._meta.db_table

    @property
    def family(self) -> type[models.Model]:
        """The model whose rows share one space of names: for a kind of location, DataLocation."""
        return family_of(self.model)

    @cached_property
    def fields(self) -> dict[str, ModelField]:
        """The columns that a file may give; references only to models that are declared."""
        return {
            column.name: column
            for column in self.model._meta.concrete_fields
            if column.editable and not column.primary_key and _is_plain_or_declared(column)
        }

    @cached_property
    def links(self) -> dict[str, models.ManyToManyField[Any, Any]]:
        """The many-to-many fields that a file may give, as lists of names; not those to users."""
        links = self.model._meta.many_to_many
        return {link.name: link for link in links if _is_plain_or_declared(link)}

    @cached_property
    def required(self) -> frozenset[str]:
        """What a new row cannot do without."""
        return frozenset(
            name for name, column in self.fields.items() if not (column.has_default() or column.null or column.blank)
        )

    @cached_property
    def judged_elsewhere(self) -> frozenset[str]:
        """Columns that a file does not give, and references, which are resolved by name."""
        relations = {name for name, column in self.fields.items() if column.is_relation}
        return frozenset(relations | {c.name for c in self.model._meta.fields} - self.fields.keys())


def key_part(value: Any) -> str:
    """A value as part of a row's name: the same text for what is equal."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value + 0.0 if isinstance(value, float) else value)  # no -0.0


def family_of(model: type[models.Model]) -> type[models.Model]:
    """The topmost stored ancestor of a model, or the model itself."""
    parents = model._meta.get_parent_list()
    return parents[-1] if parents else model


def _is_plain_or_declared(column: ModelField) -> bool:
    """References to what is no reference data (users) are left to the portal."""
    target = column.related_model
    if not column.is_relation:
        return True
    # The discriminator of polymorphic tables refers to a content type, which is not declared.
    return isinstance(target, type) and any(d.family is family_of(target) for d in DECLARATIONS)


def declaration_of(model: type[models.Model]) -> Declaration:
    """The first declaration of the model's family."""
    family = family_of(model)
    return next(d for d in DECLARATIONS if d.family is family)


_LOCATION_OPERATIONAL = frozenset(
    {
        "active",
        "priority",
        "settle_seconds",
        "bundle_max_bytes",
        "bundle_max_age_seconds",
        "retention_days",
        "deletion_mode",
        "min_archive_copies",
        "evidence_max_age_days",
        "last_copy_read_hours",
        "scrub_days",
        "inventory_hours",
        "ignored_paths",
        "scrub_mb_per_s",
        "warning_pct",
        "critical_pct",
        "emergency_pct",
        "check_interval_seconds",
    }
)
_AVAILABLE = frozenset({"available"})
_ACTIVE = frozenset({"active"})


def _location(model: type[DataLocation]) -> Declaration:
    return Declaration(model, ("site", "name"), _LOCATION_OPERATIONAL, separator="_")


#: In the order in which rows are made: what is referred to comes first.
DECLARATIONS: tuple[Declaration, ...] = (
    Declaration(Permission, ("codename",)),
    Declaration(Role, ("name",)),
    Declaration(Observatory, ("short_name",)),
    Declaration(Telescope, ("short_name",)),
    Declaration(Instrument, ("short_name",), _AVAILABLE),
    Declaration(InstrumentModule, ("instrument", "short_name"), _AVAILABLE),
    Declaration(
        DataStream,
        ("instrument_module", "name"),
        frozenset({"active", "priority", "package_seconds", "settle_seconds", "unrecorded_paths"}),
    ),
    Declaration(Line, ("name",)),
    Declaration(ChaiModuleConfiguration, ("instrument_module", "name"), _ACTIVE),
    Declaration(PrimeCamModuleConfiguration, ("instrument_module", "name"), _ACTIVE),
    Declaration(ObservingProgram, ("short_name",), _ACTIVE),
    Declaration(SubObservingProgram, ("observing_program", "short_name"), _ACTIVE),
    Declaration(FixedSource, ("name",), many=True),
    Declaration(SolarSystemObject, ("name",)),
    Declaration(ConstantElevationSource, ("name",)),
    Declaration(ConstantElevationAzimuthRange, ("source", "elevation_deg", "lst_start_h"), many=True),
    Declaration(ObsMode, ("name",)),
    Declaration(CalibrationCadence, ("instrument_module", "obs_mode"), frozenset({"active", "interval_s"})),
    Declaration(ObsUnit, ("observing_program", "name"), frozenset({"state", "priority"}), many=True),
    Declaration(PreScheduledSlot, ("obs_unit", "start_time"), frozenset({"status"}), many=True),
    Declaration(PrimeCamObservationConfiguration, ("obs_unit",), many=True),
    Declaration(ChaiTiling, ("name", "tile_number"), frozenset({"priority"}), many=True),
    Declaration(ChaiObservationConfiguration, ("obs_unit",), many=True),
    Declaration(ChaiInparParameter, ("chai_observation_configuration", "name"), many=True),
    Declaration(Site, ("short_name",), _ACTIVE),
    _location(DiskDataLocation),
    _location(S3DataLocation),
    _location(TapeDataLocation),
    Declaration(DataArchive, ("short_name",), _ACTIVE),
    Declaration(
        DataTransferRoute, ("name",), frozenset({"active", "priority", "bundle_max_bytes", "bundle_max_age_seconds"})
    ),
)
BY_SECTION: dict[str, Declaration] = {d.section: d for d in DECLARATIONS}
