"""Spectral lines: what a heterodyne module is tuned to and a spectrometer looks for."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from observatory.models.hierarchy import InstrumentModule


class Line(models.Model):
    """A transition of a species. The rest frequency is decimal, GHz to 100 Hz: a line list gives kHz, and a float would
    round what is compared with it.
    """

    name = models.CharField(max_length=64, unique=True, help_text="As people say it: CO(4-3).")
    species = models.CharField(max_length=32, blank=True)
    transition = models.CharField(max_length=32, blank=True)
    rest_frequency_ghz = models.DecimalField(max_digits=14, decimal_places=7, help_text="GHz.")
    instrument_modules = models.ManyToManyField(
        InstrumentModule,
        db_table="line_instrument_module",
        related_name="lines",
        blank=True,
        help_text="Modules that can observe it.",
    )
    reference = models.CharField(max_length=64, blank=True, help_text="Where the frequency is from: CDMS, JPL.")

    class Meta:
        db_table = "line"
        ordering = ["rest_frequency_ghz", "name"]
        constraints = [models.CheckConstraint(condition=Q(rest_frequency_ghz__gt=0), name="line_frequency_positive")]

    def __str__(self) -> str:
        return self.name
