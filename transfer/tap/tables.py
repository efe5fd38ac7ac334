"""The tables that can be asked, and the tables that describe these (TAP_SCHEMA). Names, units, UCDs and utypes of ObsCore
are those of the recommendation 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

_OBSCORE: Final = "obscore:"
_CHAR: Final = f"{_OBSCORE}Char."
_SPACE: Final = "Char.SpatialAxis."
_TIME: Final = "Char.TimeAxis."
_SPECTRUM: Final = "Char.SpectralAxis."


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer. The type is VOTable's; texts are of any length."""

    name: str
    datatype: str = "char"
    unit: str = ""
    ucd: str = ""
    description: str = ""
    utype: str = ""
    xtype: str = ""
    principal: bool = True
    indexed: bool = False
    std: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its view in the database, or for TAP_SCHEMA the rows themselves."""

    schema: str
    name: str
    relation: str
    description: str
    columns: tuple[Column, ...]
    utype: str = ""
    keys: tuple[tuple[str, str, str, str], ...] = ()
    """Foreign keys: id, target table, column here, column there."""

    @property
    def full_name(self) -> str:
        """With its schema."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables that belong together."""

    name: str
    description: str
    tables: tuple[Table, ...] = field(default=())
    utype: str = ""


def _std(  # noqa: PLR0917 - a line of a table
    name: str, datatype: str, unit: str, ucd: str, utype: str, description: str, **more: Any
) -> Column:
    return Column(name, datatype, unit, ucd, description, f"{_OBSCORE}{utype}", std=True, **more)


OBSCORE: Final = Table(
    "ivoa",
    "obscore",
    "tap_obscore",
    "Packages of raw data in the archive, as ObsCore 1.1 describes them. One row for each package; those of one observation"
    " have the same obs_id.",
    (
        _std("dataproduct_type", "char", "", "meta.code.class", "ObsDataset.dataProductType", "timeseries or spectrum."),
        _std("calib_level", "int", "", "meta.code;obs.calib", "ObsDataset.calibLevel", "0: raw."),
        _std("obs_collection", "char", "", "meta.id", "DataID.collection", "CCAT and the program."),
        _std("obs_id", "char", "", "meta.id", "DataID.observationID", "The observation.", indexed=True),
        _std("obs_publisher_did", "char", "", "meta.ref.ivoid", "Curation.publisherDID", "The package."),
        _std("access_url", "char", "", "meta.ref.url", "Access.reference", "Page of the observation."),
        _std("access_format", "char", "", "meta.code.mime", "Access.format", "Media type of access_url."),
        _std("access_estsize", "long", "kbyte", "phys.size;meta.file", "Access.size", "Size of the package."),
        _std("target_name", "char", "", "meta.id;src", "Target.name", "What was observed."),
        _std("s_ra", "double", "deg", "pos.eq.ra", f"{_SPACE}Coverage.Location.Coord.Position2D.Value2.C1",
             "ICRS, at the middle of the time.", indexed=True),
        _std("s_dec", "double", "deg", "pos.eq.dec", f"{_SPACE}Coverage.Location.Coord.Position2D.Value2.C2",
             "ICRS, at the middle of the time.", indexed=True),
        _std("s_fov", "double", "deg", "phys.angSize;instr.fov", f"{_SPACE}Coverage.Bounds.Extent.diameter",
             "Diameter of the circle that holds what was covered."),
        _std("s_region", "char", "", "pos.outline;obs.field", f"{_SPACE}Coverage.Support.Area", "What was covered.",
             xtype="adql:REGION", indexed=True),
        _std("s_resolution", "double", "arcsec", "pos.angResolution", f"{_SPACE}Resolution.Refval.value",
             "Beam (FWHM)."),
        _std("s_xel1", "long", "", "meta.number", f"{_SPACE}numBins1", "None: raw data have no image."),
        _std("s_xel2", "long", "", "meta.number", f"{_SPACE}numBins2", "None: raw data have no image."),
        _std("t_min", "double", "d", "time.start;obs.exposure", f"{_TIME}Coverage.Bounds.Limits.StartTime",
             "Start (MJD, UTC).", indexed=True),
        _std("t_max", "double", "d", "time.end;obs.exposure", f"{_TIME}Coverage.Bounds.Limits.StopTime",
             "End (MJD, UTC)."),
        _std("t_exptime", "double", "s", "time.duration;obs.exposure", f"{_TIME}Coverage.Support.Extent", "Duration."),
        _std("t_resolution", "double", "s", "time.resolution", f"{_TIME}Resolution.Refval.value", "One sample."),
        _std("t_xel", "long", "", "meta.number", f"{_TIME}numBins", "Samples of a detector."),
        _std("em_min", "double", "m", "em.wl;stat.min", f"{_SPECTRUM}Coverage.Bounds.Limits.LoLimit",
             "Shortest wavelength."),
        _std("em_max", "double", "m", "em.wl;stat.max", f"{_SPECTRUM}Coverage.Bounds.Limits.HiLimit",
             "Longest wavelength."),
        _std("em_res_power", "double", "", "spect.resolution", f"{_SPECTRUM}Resolution.ResolPower.refVal",
             "Wavelength over resolution."),
        _std("em_xel", "long", "", "meta.number", f"{_SPECTRUM}numBins", "Channels."),
        _std("o_ucd", "char", "", "meta.ucd", "Char.ObservableAxis.ucd", "What was measured."),
        _std("pol_states", "char", "", "meta.code;phys.polarization", "Char.PolarizationAxis.stateList",
             "None: polarization comes with reduction."),
        _std("pol_xel", "long", "", "meta.number", "Char.PolarizationAxis.numBins", "None."),
        _std("facility_name", "char", "", "meta.id;instr.tel", "Provenance.ObsConfig.Facility.name", "FYST."),
        _std("instrument_name", "char", "", "meta.id;instr", "Provenance.ObsConfig.Instrument.name",
             "Instrument and module."),
        _std("obs_title", "char", "", "meta.title;obs", "DataID.title", "In words."),
        _std("target_class", "char", "", "src.class", "Target.class", "Kind of the target."),
        _std("em_ucd", "char", "", "meta.ucd", f"{_SPECTRUM}ucd", "Band."),
        _std("proposal_id", "char", "", "meta.id;obs.proposal", "Provenance.Proposal.identifier", "Program.",
             indexed=True),
        _std("obs_release_date", "char", "", "time.release", "Curation.releaseDate", "From when on it is public.",
             xtype="timestamp"),
        _std("data_rights", "char", "", "meta.code", "Curation.rights", "public or proprietary."),
    ),
    utype="ivo://ivoa.net/std/ObsCore#table-1.1",
    keys=(("obscore_observation", "ccat.observations", "obs_id", "obs_id"),),
)  # fmt: skip

OBSERVATIONS: Final = Table(
    "ccat",
    "observations",
    "tap_observations",
    "Observations, with what was planned, the conditions and how much data there is. Also those that are not in the archive"
    " yet.",
    (
        Column("obs_id", ucd="meta.id;meta.main", description="The observation.", indexed=True),
        Column("program", ucd="meta.id;obs.proposal", description="Short name of the program."),
        Column("obs_unit", ucd="meta.id;obs", description="What was planned."),
        Column("obs_mode", ucd="meta.code;obs", description="Observing mode."),
        Column("source_id", "int", ucd="meta.id", description="The source, where there is one."),
        Column("target_name", ucd="meta.id;src", description="The source, or where the telescope was pointed."),
        Column("start_time", ucd="time.start;obs", description="UTC.", xtype="timestamp", indexed=True),
        Column("end_time", ucd="time.end;obs", description="UTC; none while it goes on.", xtype="timestamp"),
        Column("t_min", "double", "d", "time.start;obs.exposure", "Start (MJD, UTC)."),
        Column("t_max", "double", "d", "time.end;obs.exposure", "End (MJD, UTC)."),
        Column("status", ucd="meta.code", description="running, completed, aborted or failed."),
        Column("quality", ucd="meta.code.qual", description="good, usable, bad or unknown."),
        Column("pwv", "double", "mm", "phys.columnDensity;obs.atmos", "Precipitable water vapor, mean."),
        Column("tau_225", "double", "", "phys.absorption.opticalDepth;obs.atmos", "Opacity at 225 GHz."),
        Column("humidity", "double", "", "", "Relative humidity, percent."),
        Column("temperature", "double", "", "phys.temperature;obs.atmos", "Of the air, degrees Celsius."),
        Column("wind", "double", "m/s", "phys.veloc;obs.atmos", "Speed of the wind, mean."),
        Column("elevation", "double", "deg", "pos.az.alt", "Mean."),
        Column("azimuth", "double", "deg", "pos.az.azi", "Mean."),
        Column("packages", "long", "", "meta.number", "Packages of it."),
        Column("packages_archived", "long", "", "meta.number", "Those in the archive."),
        Column("data_volume", "long", "byte", "phys.size;meta.file", "Size of the packages."),
    ),
    keys=(
        ("observation_source", "ccat.sources", "source_id", "source_id"),
        ("observation_program", "ccat.programs", "program", "short_name"),
    ),
)
SOURCES: Final = Table(
    "ccat",
    "sources",
    "tap_sources",
    "What the telescope is pointed at. What moves has no position here.",
    (
        Column("source_id", "int", ucd="meta.id;meta.main", indexed=True),
        Column("source_name", ucd="meta.id", description="Name.", indexed=True),
        Column("aliases", ucd="meta.id", description="Other names, separated by |."),
        Column("source_type", ucd="meta.code.class", description="Fixed, of the solar system, or a field."),
        Column("source_class", ucd="src.class", description="Kind of the object."),
        Column("ra", "double", "deg", "pos.eq.ra;meta.main", "ICRS; of a field its centre.", indexed=True),
        Column("dec", "double", "deg", "pos.eq.dec;meta.main", "ICRS; of a field its centre.", indexed=True),
        Column("vlsr", "double", "km/s", "phys.veloc;pos.lsr", "Velocity (LSR)."),
    ),
)
PROGRAMS: Final = Table(
    "ccat",
    "programs",
    "tap_programs",
    "Observing programs with public data, and one's own.",
    (
        Column("short_name", ucd="meta.id;meta.main", description="What people call it.", indexed=True),
        Column("program_name", ucd="meta.title", description="In full."),
        Column("summary", ucd="meta.note", description="What it is for."),
        Column("is_technical", "int", ucd="meta.code", description="1: no science."),
        Column("proprietary_days", "int", "d", "time.duration", "From an observation until it is public; none: never."),
    ),
)


def _text(name: str, description: str, **more: Any) -> Column:
    return Column(name, description=description, std=True, **more)


def _whole(name: str, description: str) -> Column:
    return Column(name, "int", description=description, std=True)


_DESCRIBED: Final = "TAP_SCHEMA"
TAP_SCHEMA: Final = Schema(
    "tap_schema",
    "What tables and columns there are.",
    (
        Table("tap_schema", "schemas", "", "Schemas.", (
            _text("schema_name", "Name."), _text("utype", "Utype."), _text("description", "In words."),
            _whole("schema_index", "Order."),
        )),
        Table("tap_schema", "tables", "", "Tables.", (
            _text("schema_name", "Of which schema."), _text("table_name", "Name, with the schema."),
            _text("table_type", "table or view."), _text("utype", "Utype."), _text("description", "In words."),
            _whole("table_index", "Order."),
        ), keys=(("table_schema", "tap_schema.schemas", "schema_name", "schema_name"),)),
        Table("tap_schema", "columns", "", "Columns.", (
            _text("table_name", "Of which table."), _text("column_name", "Name."), _text("datatype", "Type of VOTable."),
            _text("arraysize", "Length of a text."), _text("xtype", "Meaning of a text."),
            _whole("\"size\"", "Length, deprecated."), _text("description", "In words."), _text("utype", "Utype."),
            _text("unit", "Unit."), _text("ucd", "UCD."), _whole("indexed", "1: fast to search."),
            _whole("principal", "1: what most people want."), _whole("std", "1: of a standard."),
            _whole("column_index", "Order."),
        ), keys=(("column_table", "tap_schema.tables", "table_name", "table_name"),)),
        Table("tap_schema", "keys", "", "Foreign keys.", (
            _text("key_id", "Name."), _text("from_table", "Which table refers."), _text("target_table", "To which."),
            _text("utype", "Utype."), _text("description", "In words."),
        ), keys=(("key_from", "tap_schema.tables", "from_table", "table_name"),
                 ("key_target", "tap_schema.tables", "target_table", "table_name"))),
        Table("tap_schema", "key_columns", "", "Columns of foreign keys.", (
            _text("key_id", "Of which key."), _text("from_column", "Which column refers."),
            _text("target_column", "To which."),
        ), keys=(("key_column_key", "tap_schema.keys", "key_id", "key_id"),)),
    ),
)  # fmt: skip
SCHEMAS: Final = (
    Schema("ivoa", "Tables of the Virtual Observatory.", (OBSCORE,)),
    Schema("ccat", "Observations, sources and programs of CCAT.", (OBSERVATIONS, SOURCES, PROGRAMS)),
    TAP_SCHEMA,
)
TABLES: Final = {table.full_name: table for schema in SCHEMAS for table in schema.tables}


def bare(name: str) -> str:
    """A column's name without the quotes that a word of ADQL needs."""
    return name.strip('"')


def rows_of(table: Table) -> list[dict[str, Any]]:
    """The rows of a table of TAP_SCHEMA."""
    made = {"schemas": _schemas, "tables": _tables, "columns": _columns, "keys": _keys, "key_columns": _key_columns}
    return list(made[table.name]())


def _schemas() -> Iterator[dict[str, Any]]:
    for number, schema in enumerate(SCHEMAS):
        yield {
            "schema_name": schema.name,
            "utype": schema.utype or None,
            "description": schema.description,
            "schema_index": number,
        }


def _tables() -> Iterator[dict[str, Any]]:
    for number, table in enumerate(TABLES.values()):
        yield {
            "schema_name": table.schema,
            "table_name": table.full_name,
            "table_type": "view" if table.relation else "table",
            "utype": table.utype or None,
            "description": table.description,
            "table_index": number,
        }


def _columns() -> Iterator[dict[str, Any]]:
    for table in TABLES.values():
        for number, column in enumerate(table.columns):
            yield {
                "table_name": table.full_name,
                "column_name": column.name,
                "datatype": column.datatype,
                "arraysize": "*" if column.datatype == "char" else None,
                "xtype": column.xtype or None,
                "size": None,
                "description": column.description or None,
                "utype": column.utype or None,
                "unit": column.unit or None,
                "ucd": column.ucd or None,
                "indexed": int(column.indexed),
                "principal": int(column.principal),
                "std": int(column.std),
                "column_index": number,
            }


def _keys() -> Iterator[dict[str, Any]]:
    for table in TABLES.values():
        for key, target, _, _ in table.keys:
            yield {
                "key_id": key,
                "from_table": table.full_name,
                "target_table": target,
                "utype": None,
                "description": None,
            }


def _key_columns() -> Iterator[dict[str, Any]]:
    for table in TABLES.values():
        for key, _, here, there in table.keys:
            yield {"key_id": key, "from_column": here, "target_column": there}
