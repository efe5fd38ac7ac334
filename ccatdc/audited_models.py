"""What keeps a history: everything that people edit. One table of it, and the triggers that follow from it.

The triggers are brought up to date after each ``migrate``, as the default roles are (accounts/auth/defaults.py), and
not by migrations: a new column needs nothing, and a tracked table one line here. What the flow writes (files, copies,
packages, operations, executions) is a record of its own and has no history; columns that workers write into edited
tables are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import pgtrigger
from django.apps import apps
from django.db import connections, transaction

from accounts.models import ApiToken, Change, Permission, Role, SystemLog, User
from ccatdc.common.audit.triggers import Tracked, TrackedLink
from datamgmt.models import (
    DataArchive,
    DataLocation,
    DataProduct,
    Publication,
    RawDataPackageMetadata,
    ReductionSoftware,
    Site,
)
from datamgmt.models.locations import MEASURED
from datamgmt.models.metadata import COMPUTED
from notifications.models import NotificationChannel, NotificationRule
from observatory.models import (
    DataStream,
    Instrument,
    InstrumentModule,
    InstrumentModuleConfiguration,
    Line,
    Observatory,
    Telescope,
)
from planning.models import (
    CalibrationCadence,
    ChaiInparParameter,
    ChaiTiling,
    ConstantElevationAzimuthRange,
    ObservationConfiguration,
    ObservingProgram,
    ObsMode,
    ObsUnit,
    PreScheduledSlot,
    Source,
    SubObservingProgram,
)
from transfer.models import DataTransferRoute, ReductionPipeline, RunBackend, StagingQuota

#: How a channel fared.
_FARED: Final = ("failures", "failing_since", "next_trial_at", "error_message", "last_success_at")


def _of(table: str, column: str, key: str) -> str:
    """The name of a row by what it belongs to."""
    return f'(SELECT b.{column} FROM "{table}" b WHERE b.id = {{r}}.{key})'  # noqa: S608 - our own names


_TABLES: Final = (
    Tracked(Observatory, "{r}.name"),
    Tracked(Telescope, "{r}.name"),
    Tracked(Instrument, "{r}.name"),
    Tracked(InstrumentModule, f"{_of('instrument', 'name', 'instrument_id')} || ' ' || {{r}}.name"),
    Tracked(InstrumentModuleConfiguration, "{r}.name", ("polymorphic_ctype_id",)),
    Tracked(DataStream, "{r}.name"),
    Tracked(Line, "{r}.name"),
    Tracked(User, "{r}.username", ("last_login",), ("password",)),
    Tracked(Role, "{r}.name"),
    Tracked(Permission, "{r}.codename"),
    Tracked(ApiToken, "{r}.name", ("last_used_at", "last_used_from", "use_count"), ("token_hash", "token_prefix")),
    Tracked(NotificationChannel, "{r}.name", _FARED),
    Tracked(
        NotificationRule,
        f"COALESCE({_of('notification_channel', 'name', 'channel_id')}, {_of('user', 'username', 'user_id')})",
        ("last_told_at",),
    ),
    Tracked(ObservingProgram, "{r}.short_name"),
    Tracked(
        SubObservingProgram,
        f"{_of('observing_program', 'short_name', 'observing_program_id')} || '/' || {{r}}.short_name",
    ),
    Tracked(Source, "{r}.name", ("polymorphic_ctype_id",)),
    Tracked(ConstantElevationAzimuthRange, _of("source", "name", "source_id")),
    Tracked(ObsMode, "{r}.name"),
    Tracked(CalibrationCadence, _of("obs_mode", "name", "obs_mode_id")),
    Tracked(ObsUnit, "{r}.name", ("created_at", "updated_at")),
    Tracked(PreScheduledSlot, _of("obs_unit", "name", "obs_unit_id")),
    Tracked(ObservationConfiguration, _of("obs_unit", "name", "obs_unit_id"), ("polymorphic_ctype_id",)),
    Tracked(ChaiInparParameter, "{r}.name"),
    Tracked(ChaiTiling, "{r}.name || ' tile ' || {r}.tile_number"),
    Tracked(Site, "{r}.name"),
    Tracked(
        DataLocation,
        f"{_of('site', 'short_name', 'site_id')} || '_' || {{r}}.name",
        ("polymorphic_ctype_id", *MEASURED),
    ),
    Tracked(DataArchive, "{r}.name"),
    Tracked(
        RawDataPackageMetadata,
        _of("raw_data_package", "name", "raw_data_package_id"),
        ("created_at", "updated_at", "computed", "computed_at", *COMPUTED),
    ),
    Tracked(ReductionSoftware, "{r}.name"),
    Tracked(DataProduct, "{r}.name"),
    Tracked(Publication, "{r}.title", ("created_at", "updated_at")),
    Tracked(DataTransferRoute, "{r}.name"),
    Tracked(
        StagingQuota,
        f"COALESCE({_of('user', 'username', 'user_id')}, {_of('observing_program', 'short_name', 'program_id')},"
        " 'everybody')",
    ),
    Tracked(
        RunBackend,
        "(SELECT s.short_name || '_' || b.name FROM data_location b JOIN site s ON s.id = b.site_id WHERE b.id = {r}.location_id)",
        ("followed_at",),
    ),
    Tracked(ReductionPipeline, "{r}.name"),
)


@cache
def tracked_tables() -> tuple[Tracked, ...]:
    """Every table, with one for each kind of a polymorphic base: a new kind needs no line here."""
    return tuple(_with_kinds())


def _with_kinds() -> Iterator[Tracked]:
    for tracked in _TABLES:
        yield tracked
        for kind in tracked.model.__subclasses__():
            if kind._meta.proxy:
                continue
            # Named as the row of the upper table is.
            base = tracked.model._meta.db_table
            key = kind._meta.pk.column
            name = f'(SELECT {tracked.named("u")} FROM "{base}" u WHERE u.id = {{r}}.{key})'  # noqa: S608
            yield Tracked(kind, name)


@cache
def tracked_links() -> tuple[TrackedLink, ...]:
    """Every many-to-many relation of the tracked tables."""
    return tuple(
        TrackedLink(tracked, link.name)
        for tracked in tracked_tables()
        for link in tracked.model._meta.local_many_to_many
        if not (tracked.model is User and link.name in ("groups", "user_permissions"))
    )


#: History and the audit log are written once.
APPEND_ONLY: Final = pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)


@cache
def triggers() -> tuple[tuple[Any, pgtrigger.Trigger], ...]:
    """Every trigger of history, with the model of its table. ``manage.py pgtrigger ls`` lists them."""
    found: list[tuple[Any, pgtrigger.Trigger]] = [(Change, APPEND_ONLY), (SystemLog, APPEND_ONLY)]
    every: list[Tracked | TrackedLink] = [*tracked_tables(), *tracked_links()]
    for tracked in every:
        found += [(tracked.model, trigger) for trigger in tracked.triggers()]
    return tuple(found)


def touched() -> list[tuple[Any, pgtrigger.Trigger]]:
    """``updated_at`` moves with every change, also of many rows at once and in SQL, unless the change says it itself."""
    return [
        (model, _touch(model))
        for model in apps.get_models()
        if any(field.name == "updated_at" for field in model._meta.local_concrete_fields)
    ]


def _touch(model: Any) -> pgtrigger.Trigger:
    unsaid = pgtrigger.Condition(f"OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at AND {_differs(model)}")
    return pgtrigger.Trigger(
        name="touch",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        condition=unsaid,
        func="NEW.updated_at = now(); RETURN NEW;",
    )


def _differs(model: Any) -> str:
    """The row, or its columns where the database keeps some itself: before it has, nothing may look at those."""
    fields = model._meta.local_concrete_fields
    if not any(field.generated for field in fields):
        return "OLD.* IS DISTINCT FROM NEW.*"
    columns = [field.column for field in fields if not field.generated]
    old, new = (", ".join(f'{row}."{column}"' for column in columns) for row in ("OLD", "NEW"))
    return f"({old}) IS DISTINCT FROM ({new})"


def register() -> None:
    """Make the triggers known to django-pgtrigger. Once, when all models are there."""
    for model, trigger in touched():
        trigger.register(model)
    for model, trigger in triggers():
        trigger.register(model)


@cache
def _wanted() -> dict[str, tuple[str, Any]]:
    """By the trigger's name: its table and what makes it. Those of history, and those that models have of their own."""
    known = pgtrigger.registered()
    return {trigger.get_pgid(model): (model._meta.db_table, trigger.compile(model)) for model, trigger in known}


_INSTALLED = r"""
SELECT c.relname, t.tgname, obj_description(t.oid, 'pg_trigger')
FROM pg_class c LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname LIKE 'pgtrigger\_%%'
WHERE c.relkind = 'r' AND pg_table_is_visible(c.oid) AND (t.oid IS NOT NULL OR c.relname = ANY (%s))
"""


def install(using: str) -> None:
    """Make the triggers that are missing or of an older version, and drop those that nobody wants any more.

    Tables that are not there (``migrate planning zero``) are left out. One look-up when nothing is to be done.
    """
    wanted = _wanted()
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute(_INSTALLED, [sorted({table for table, _ in wanted.values()})])
        rows = cursor.fetchall()
        tables = {table for table, _, _ in rows}
        versions = {name: version for _, name, version in rows if name}
        if Change._meta.db_table not in tables:
            return
        for name, (table, compiled) in wanted.items():
            if table in tables and versions.get(name) != compiled.hash:
                cursor.execute(str(compiled.install_sql))
        for table, name, _ in rows:
            if name and name not in wanted:
                cursor.execute(f'DROP TRIGGER "{name}" ON "{table}"; DROP FUNCTION "{name}"()')
