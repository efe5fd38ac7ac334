"""Which tables a gateway has a copy of, in an order in which each refers only to those before it.

Read by both sides: the main site writes a snapshot of these tables (snapshot.py), the gateway makes its own equal to it
(applying.py). Columns are left out that are secrets or facts of one site alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import models

from accounts.models import ApiToken, Permission, Role, User
from datamgmt.models import DataArchive, DataLocation, DiskDataLocation, S3DataLocation, Site, TapeDataLocation
from datamgmt.models.locations import MEASURED
from observatory import models as observatory
from planning import models as planning

#: Changes whenever a gateway of another version could not read it.
FORMAT: Final = 1
#: Keys of rows that are made at a gateway begin here: far above those that the main site gives.
LOCAL_KEYS: Final = 10**12


@dataclass(frozen=True, slots=True)
class Table:
    """One table. ``left_out`` are columns that each site keeps for itself.

    ``withdrawn`` is what becomes of a row that the main site deleted while something here refers to it; ``names`` are
    its unique texts, which another row may want. ``has_local_rows``: rows with keys from LOCAL_KEYS are the gateway's
    own.
    """

    model: type[models.Model]
    left_out: frozenset[str] = frozenset()
    withdrawn: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    has_local_rows: bool = False

    @property
    def name(self) -> str:
        return self.model._meta.db_table

    @property
    def key(self) -> str:
        """The column of the primary key."""
        return str(self.model._meta.pk.column)

    @property
    def columns(self) -> list[str]:
        """Those that are copied, in the order of the model."""
        return [name for name in _columns(self.model) if name not in self.left_out]

    @property
    def own_columns(self) -> list[str]:
        return [name for name in _columns(self.model) if name in self.left_out]


def _columns(model: type[models.Model]) -> list[str]:
    return [str(each.column) for each in model._meta.local_concrete_fields]


def _location(model: type[models.Model]) -> Table:
    """What a location's own checks found is of the site that checks it."""
    return Table(model, frozenset(MEASURED), {"active": "FALSE"}, ("name",))


_MODELS: Final[Sequence[Table]] = (
    Table(observatory.Observatory, names=("name", "short_name")),
    Table(observatory.Telescope, names=("name", "short_name")),
    Table(observatory.Instrument, withdrawn={"available": "FALSE"}, names=("name", "short_name")),
    Table(observatory.InstrumentModule, withdrawn={"available": "FALSE"}, names=("name", "short_name")),
    Table(observatory.DataStream, withdrawn={"active": "FALSE"}, names=("name",)),
    Table(observatory.Line, names=("name",)),
    Table(observatory.InstrumentModuleConfiguration, withdrawn={"active": "FALSE"}, names=("name",)),
    Table(observatory.ChaiModuleConfiguration),
    Table(observatory.PrimeCamModuleConfiguration),
    Table(Permission),
    Table(Role, names=("name",)),
    Table(
        User,
        # A password is good at the site where it was set; mail addresses are nobody's business here.
        frozenset({"password", "last_login", "email"}),
        {"is_active": "FALSE"},
        ("username",),
        has_local_rows=True,
    ),
    Table(
        ApiToken,
        frozenset({"last_used_at", "last_used_from", "use_count"}),
        {"revoked_at": "COALESCE(revoked_at, now())"},
        ("name",),
        has_local_rows=True,
    ),
    Table(planning.ObservingProgram, withdrawn={"active": "FALSE"}, names=("name", "short_name")),
    Table(planning.ProgramMembership),
    Table(planning.SubObservingProgram, withdrawn={"active": "FALSE"}, names=("short_name",)),
    Table(planning.Source, names=("name",)),
    Table(planning.FixedSource),
    Table(planning.SolarSystemObject),
    Table(planning.ConstantElevationSource),
    Table(planning.ConstantElevationAzimuthRange),
    Table(planning.ObsMode, names=("name",)),
    Table(planning.CalibrationCadence, withdrawn={"active": "FALSE"}),
    Table(planning.ObsUnit, withdrawn={"state": "'cancelled'"}, names=("name",)),
    Table(planning.ObservationConfiguration),
    Table(planning.ChaiObservationConfiguration),
    Table(planning.PrimeCamObservationConfiguration),
    Table(planning.ChaiInparParameter),
    Table(planning.ChaiTiling),
    Table(planning.PreScheduledSlot, withdrawn={"status": "'cancelled'"}),
    Table(Site, withdrawn={"active": "FALSE"}, names=("name", "short_name")),
    _location(DataLocation),
    Table(DiskDataLocation),
    Table(S3DataLocation, frozenset({"refused_checksums"})),
    Table(TapeDataLocation),
    Table(DataArchive, withdrawn={"active": "FALSE"}, names=("name", "short_name")),
)


def _with_links(tables: Sequence[Table]) -> list[Table]:
    """And the tables that link two of them (roles of users, modules of obs units)."""
    known = {table.model for table in tables}
    local = {table.model for table in tables if table.has_local_rows}
    links: list[Table] = []
    for table in tables:
        for many in table.model._meta.local_many_to_many:
            through: Any = many.remote_field.through
            if through._meta.auto_created and many.related_model in known:
                links.append(Table(through, has_local_rows=table.model in local))
    return [*tables, *links]


TABLES: Final[Sequence[Table]] = tuple(_with_links(_MODELS))
