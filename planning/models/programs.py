"""Observing programs and their sub-programs (ops-db "observation model")."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from observatory.models import Instrument


class ObservingProgram(models.Model):
    """A scientific or technical program. For Prime-Cam a survey, for CHAI Galactic Ecology; people say the short name."""

    name = models.CharField(max_length=128, unique=True)
    short_name = models.CharField(max_length=16, unique=True)
    description = models.TextField(blank=True)
    lead = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    instruments = models.ManyToManyField(
        Instrument, db_table="observing_program_instrument", related_name="programs", blank=True
    )
    allocated_hours = models.FloatField(null=True, blank=True)
    is_technical = models.BooleanField(default=False)
    active = models.BooleanField(default=True)

    class Meta:
        db_table = "observing_program"
        ordering = ["short_name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(allocated_hours__isnull=True) | Q(allocated_hours__gte=0),
                name="program_hours_not_negative",
            )
        ]

    def __str__(self) -> str:
        return self.short_name


class SubObservingProgram(models.Model):
    """A smaller project inside a program; in practice only GEco has them."""

    observing_program = models.ForeignKey(
        ObservingProgram, models.PROTECT, related_name="sub_programs"
    )
    name = models.CharField(max_length=128)
    short_name = models.CharField(max_length=16)
    description = models.TextField(blank=True)
    lead = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    active = models.BooleanField(default=True)

    class Meta:
        db_table = "sub_observing_program"
        ordering = ["observing_program", "short_name"]
        constraints = [
            models.UniqueConstraint(
                fields=["observing_program", "short_name"], name="sub_program_short_name_unique"
            ),
            # What an obs unit's foreign key over both columns refers to.
            models.UniqueConstraint(
                fields=["id", "observing_program"], name="sub_program_with_program_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.observing_program}/{self.short_name}"
