"""What the pages of products and runs say, and the products that were made of an observation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

import django_filters
import django_tables2 as tables
from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ccatdc.common.admin.badges import badge
from ccatdc.common.units import NOTHING, duration_text, size_text
from ccatdc.common.visibility import visible
from datamgmt.lineage.graph import bad_inputs
from datamgmt.models import DataProduct, ProcessingRun, ProductKind, ProductLevel, RawDataPackage, Release
from planning.models import ExecutedObsUnit, ObservingProgram

MAX_PRODUCTS: Final = 100
KIND_COLOURS: Final = {"science": "primary", "log": "default"}
RELEASE_COLOURS: Final = {"internal": "default", "collaboration": "info", "public": "success"}
BAD: Final = badge("Rests on bad data", "danger")


def _programs(request: HttpRequest | None) -> Any:
    return visible(ObservingProgram.objects.all(), getattr(request, "user", None))


class ProductFilter(django_filters.FilterSet):  # type: ignore[misc]
    """The search of products."""

    name = django_filters.CharFilter(
        lookup_expr="icontains", label="Name", widget=forms.TextInput(attrs={"maxlength": 255})
    )
    kind = django_filters.ChoiceFilter(choices=ProductKind.choices, empty_label="all")
    level = django_filters.ChoiceFilter(choices=ProductLevel.choices, empty_label="all")
    release = django_filters.ChoiceFilter(choices=Release.choices, empty_label="all")
    observing_program = django_filters.ModelChoiceFilter(queryset=_programs, label="Program", empty_label="all")
    versions = django_filters.ChoiceFilter(
        method="of_versions", label="Versions", choices=[("all", "all versions")], empty_label="the newest"
    )

    class Meta:
        model = DataProduct
        fields: list[str] = []

    def of_versions(self, rows: Any, _name: str, _value: str) -> Any:
        """All of them; what is left out is narrowed in :meth:`filter_queryset`."""
        return rows

    def filter_queryset(self, queryset: Any) -> Any:
        rows = super().filter_queryset(queryset)
        return rows if self.form.cleaned_data.get("versions") else rows.current()


class ProductTable(tables.Table):  # type: ignore[misc]
    """Products with what they are and who may see them."""

    name = tables.Column(orderable=False, attrs={"td": {"class": "breakable"}})
    version = tables.Column(orderable=False, attrs={"td": {"class": "num"}, "th": {"class": "num"}})
    kind = tables.Column(orderable=False)
    level = tables.Column(orderable=False, default=NOTHING)
    program = tables.Column(accessor="observing_program", verbose_name="Program", orderable=False)
    software = tables.Column(accessor="processing_run__software_version", verbose_name="Software", orderable=False)
    release = tables.Column(orderable=False)
    registered_at = tables.Column(verbose_name="Filed (UTC)", attrs={"td": {"class": "nowrap"}})

    class Meta:
        model = DataProduct
        fields: list[str] = []
        order_by = "-registered_at"
        empty_text = "No product matches."

    def gather(self) -> None:
        """Which of the shown rows rest on bad data, for all at once."""
        self._bad = bad_inputs(row.record.pk for row in self.page).products

    def render_name(self, record: DataProduct) -> SafeString:
        """To its page, with a warning."""
        return format_html("{} {}", link_to(record), BAD if record.pk in self._bad else "")

    def render_kind(self, record: DataProduct) -> SafeString:
        return badge(record.get_kind_display(), KIND_COLOURS.get(record.kind, "info"))

    def render_release(self, record: DataProduct) -> SafeString:
        return release_badge(record)

    def render_registered_at(self, record: DataProduct) -> str:
        return f"{record.registered_at:%Y-%m-%d %H:%M}"


def link_to(product: DataProduct) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse("products:product", args=[product.pk]), product.name)


def release_badge(product: DataProduct) -> SafeString:
    return badge(product.get_release_display(), RELEASE_COLOURS[product.release])


def facts(row: DataProduct) -> Iterator[tuple[str, Any]]:
    """What it is, and where it comes from."""
    run = row.processing_run
    yield "Kind", badge(row.get_kind_display(), KIND_COLOURS.get(row.kind, "info"))
    if row.level:
        yield "Level", f"{row.get_level_display()}, calibration level {row.calib_level} of ObsCore"
    yield "Version", row.version
    if row.superseded_by is not None:
        address = reverse("products:product", args=[row.superseded_by.pk])
        yield "Superseded by", format_html('<a href="{}">version {}</a>', address, row.superseded_by.version)
    yield "Program", f"{row.observing_program}: {row.observing_program.name}"
    yield "Instrument module", run.instrument_module
    yield "Made by", format_html('<a href="{}">{}</a>', reverse("products:run", args=[run.pk]), run.name)
    yield "Software", run.software_version
    yield "Release", release_badge(row)
    if row.description:
        yield "Description", row.description
    yield "Filed", f"{row.registered_at:%Y-%m-%d %H:%M:%S} UTC"
    yield "ID", format_html("<code>{}</code>", row.pk)


def run_facts(row: ProcessingRun) -> Iterator[tuple[str, Any]]:
    """Which software, by whom, where and when."""
    yield "Software", row.software_version
    yield "Program", f"{row.observing_program}: {row.observing_program.name}"
    yield "Instrument module", row.instrument_module
    yield "Submitted by", row.submitted_by or NOTHING
    where = " on ".join(filter(None, [str(row.location or ""), row.host]))
    yield "Where", where or NOTHING
    if row.start_time is not None:
        yield "Start", f"{row.start_time:%Y-%m-%d %H:%M:%S} UTC"
    if row.start_time is not None and row.end_time is not None:
        yield "End", f"{row.end_time:%Y-%m-%d %H:%M:%S} UTC, after {duration_text(row.end_time - row.start_time)}"
    if row.exit_code is not None:
        yield "Exit code", row.exit_code
    if row.message:
        yield "Message", row.message
    if row.command:
        yield "Command", format_html("<code>{}</code>", row.command)
    yield "ID", format_html("<code>{}</code>", row.pk)


def configuration(row: ProcessingRun) -> str:
    """As it was filed, for people."""
    return json.dumps(row.configuration, indent=2, ensure_ascii=False, sort_keys=True) if row.configuration else ""


def metrics(row: DataProduct) -> list[tuple[str, Any]]:
    """Numbers of the pipeline by name."""
    return sorted(row.quality_metrics.items())


def files(row: DataProduct) -> list[tuple[Any, str]]:
    """Its files, each with its size in words."""
    found = row.files.select_related("raw_data_package").order_by("relative_path")[:MAX_PRODUCTS]
    return [(file, size_text(file.size)) for file in found]


def packages(row: DataProduct, user: Any) -> Any:
    """Archived packages with files of it that the person may stage."""
    found = RawDataPackage.objects.archived().filter(pk__in=row.files.order_by().values("raw_data_package"))
    return visible(found, user)


def made_of(row: ExecutedObsUnit, user: Any) -> list[tuple[DataProduct, bool]]:
    """Products of runs that read the observation, newest first, and whether each rests on bad data."""
    runs = ProcessingRun.objects.order_by().that_read_observation(row.pk)
    found = visible(DataProduct.objects.for_listing(), user).filter(processing_run__in=runs.values("pk"))
    return flagged(found.order_by("-registered_at")[:MAX_PRODUCTS])


def flagged(products: Iterable[DataProduct]) -> list[tuple[DataProduct, bool]]:
    """With whether each rests on bad data."""
    rows = list(products)
    bad = bad_inputs(row.pk for row in rows).products
    return [(row, row.pk in bad) for row in rows]
