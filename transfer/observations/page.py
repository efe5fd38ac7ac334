"""What the page of one observation says: plan, configuration, conditions, who may see it, where its packages are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import django_tables2 as tables
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ccatdc.common.units import duration_text, size_text
from ccatdc.common.visibility import visible
from datamgmt.models import PhysicalCopy, RawDataFile, RawDataPackage
from datamgmt.states import PackageState
from planning.admin.pictures import visibility_picture
from planning.models import ExecutedObsUnit
from planning.sky.visibility import night_of
from transfer.observations.lines import Line

MAX_PACKAGES: Final = 200
#: Label, column, unit and decimals.
_CONDITIONS: Final = (
    ("PWV", "pwv_mm_mean", "mm", 2),
    ("Opacity at 225 GHz", "tau_225", "", 3),
    ("Humidity", "humidity", "%", 0),
    ("Temperature", "temperature_c", "°C", 1),
    ("Wind", "wind_m_s", "m/s", 1),
    ("Gusts", "wind_gust_m_s", "m/s", 1),
    ("Wind from", "wind_direction_deg", "°", 0),
    ("Pressure", "pressure_hpa", "hPa", 0),
    ("Elevation, mean", "elevation_deg_mean", "°", 1),
    ("Elevation from", "el_min_deg", "°", 1),
    ("Elevation to", "el_max_deg", "°", 1),
    ("Azimuth, mean", "azimuth_deg_mean", "°", 1),
    ("Azimuth from", "az_min_deg", "°", 1),
    ("Azimuth to", "az_max_deg", "°", 1),
)


class FileTable(tables.Table):  # type: ignore[misc]
    """Files with their sizes and digests."""

    relative_path = tables.Column(verbose_name="File", orderable=False, attrs={"td": {"class": "breakable"}})
    instrument_module = tables.Column(accessor="instrument_module__short_name", verbose_name="Module", orderable=False)
    size = tables.Column(orderable=False, attrs={"td": {"class": "num nowrap"}, "th": {"class": "num"}})
    digest = tables.Column(orderable=False, default="not computed yet", attrs={"td": {"class": "breakable"}})
    checksum = tables.Column(
        verbose_name="Filed checksum", orderable=False, default="none", attrs={"td": {"class": "breakable"}}
    )

    download = tables.Column(accessor="pk", verbose_name="Download", orderable=False)

    class Meta:
        model = RawDataFile
        fields: list[str] = []
        prefix = "files-"
        empty_text = "No file was filed yet."

    def __init__(self, *args: Any, observation: Any, may_download: bool, **kwargs: Any) -> None:
        super().__init__(*args, exclude=() if may_download else ("download",), **kwargs)
        self._observation = observation

    def render_download(self, record: RawDataFile) -> SafeString | str:
        """A file can be had when its package is archived."""
        package = record.raw_data_package
        if package is None or package.state != PackageState.ARCHIVED:
            return "when archived"
        address = reverse("observations:file", args=[self._observation, record.pk])
        return format_html('<a href="{}" download aria-label="Download {}">Download</a>', address, record.name)

    def render_size(self, value: int) -> str:
        return size_text(value)

    def render_checksum(self, record: RawDataFile) -> str:
        """With its algorithm."""
        return f"{record.checksum_algorithm}:{record.checksum}"


def facts(line: Line) -> Iterator[tuple[str, str]]:
    """What, when, by which plan, with which configuration."""
    row, unit = line.row, line.row.obs_unit
    yield "Target", unit.target_name
    if unit.source is not None and unit.source.aliases:
        yield "Also named", ", ".join(map(str, unit.source.aliases))
    if line.place is not None:
        yield "Position", f"{line.place.ra_deg:.5f}, {line.place.dec_deg:+.5f} degrees (ICRS)"
    yield "Start", _moment(row.start_time)
    if row.end_time is not None:
        yield "End", f"{_moment(row.end_time)}, after {duration_text(row.end_time - row.start_time)}"
    yield "Program", f"{unit.observing_program}: {unit.observing_program.name}"
    yield "Obs unit", f"{unit.name}, {duration_text(unit.planned_duration_s)}"
    yield "Observing mode", unit.obs_mode.name
    yield "Telescope", str(unit.telescope)
    yield "Modules", ", ".join(line.modules) or "not known yet"
    for used in row.instrument_module_configurations.all():
        yield "Module configuration", f"{used.instrument_module}: {used.name}"
    if row.observation_configuration_id is not None:
        yield "Configuration", f"revision {row.observation_configuration_version} of that of the plan"
    yield "Filed", _moment(row.created_at)


def conditions(row: ExecutedObsUnit) -> list[tuple[str, str]]:
    """Those that were reported."""
    told = ((label, getattr(row, column), unit, digits) for label, column, unit, digits in _CONDITIONS)
    return [(label, f"{value:.{digits}f} {unit}".strip()) for label, value, unit, digits in told if value is not None]


def who_may_see(row: ExecutedObsUnit) -> str:
    """The rule of planning/models/visibility.py in words."""
    program = row.obs_unit.observing_program
    members = f"the lead and the members of {program}, and who runs the data center"
    if program.proprietary_days is None:
        return f"{members[0].upper()}{members[1:]}. It does not become public by itself."
    public_from = row.start_time + timedelta(days=program.proprietary_days)
    if public_from <= timezone.now():
        return f"Everybody, since {public_from:%Y-%m-%d}."
    return f"Until {public_from:%Y-%m-%d} {members}; then everybody."


def citation(row: ExecutedObsUnit, address: str) -> str:
    """The observation in a list of references."""
    unit = row.obs_unit
    return (
        f"{unit.telescope.name}, program {unit.observing_program}, {unit.target_name},"
        f" {row.start_time:%Y-%m-%d %H:%M} UTC, observation {row.pk}. CCAT Data Center, {address}"
    )


def picture(row: ExecutedObsUnit) -> SafeString | None:
    """The elevation of its source through the day on which it was observed."""
    unit = row.obs_unit
    if unit.source_id is None:
        return None
    evening = night_of(row.start_time, unit.telescope)
    return visibility_picture(unit.source_id, obs_unit=unit.pk, evening=evening)


def packages(row: ExecutedObsUnit, user: Any) -> list[tuple[RawDataPackage, list[str]]]:
    """Its packages and those of data streams that overlap it, each with the locations of its copies.

    One more than :data:`MAX_PACKAGES` where there are more.
    """
    found = visible(RawDataPackage.objects.belonging_to(row), user).select_related("instrument_module__instrument")
    rows = list(found.order_by("name")[: MAX_PACKAGES + 1])
    copies = PhysicalCopy.objects.non_polymorphic().existing().filter(raw_data_package__in=[each.pk for each in rows])
    places: dict[Any, list[str]] = {}
    for copy in copies.select_related("data_location__site").order_by("pk"):
        places.setdefault(copy.raw_data_package_id, []).append(copy.data_location.full_name)
    return [(each, places.get(each.pk, [])) for each in rows]


def files(row: ExecutedObsUnit, user: Any) -> Any:
    """Its files and those of data streams that overlap it."""
    found = visible(RawDataFile.objects.belonging_to(row), user)
    return found.select_related("instrument_module", "raw_data_package").order_by("relative_path", "pk")


def _moment(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
