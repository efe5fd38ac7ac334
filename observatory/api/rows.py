"""Rows of this app with all that their serializers read, so that a page takes a constant number of queries."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from observatory.models import (
    DataStream,
    Instrument,
    InstrumentModule,
    InstrumentModuleConfiguration,
    Line,
    Observatory,
    Telescope,
)


def observatories() -> QuerySet[Observatory]:
    """With the names of their telescopes."""
    return Observatory.objects.prefetch_related("telescopes")


def telescopes() -> QuerySet[Telescope]:
    return Telescope.objects.select_related("observatory")


def instruments() -> QuerySet[Instrument]:
    return Instrument.objects.select_related("telescope").prefetch_related("modules")


def modules() -> QuerySet[InstrumentModule]:
    return InstrumentModule.objects.select_related("instrument")


def data_streams() -> QuerySet[DataStream]:
    return DataStream.objects.select_related("instrument_module__instrument")


def lines() -> QuerySet[Line]:
    """With the modules that can observe them."""
    return Line.objects.prefetch_related("instrument_modules")


def module_configurations() -> QuerySet[Any]:
    """Of every kind, with module and instrument."""
    return InstrumentModuleConfiguration.objects.select_related("instrument_module__instrument")
