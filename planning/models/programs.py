"""Observing programs and their sub-programs (ops-db "observation model")."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from observatory.models import Instrument
from planning.models.visibility import ObservingProgramQuerySet, OfProgramQuerySet


class ObservingProgram(models.Model):
    """A scientific or technical program. For Prime-Cam a survey, for CHAI Galactic Ecology; people say the short name.

    Its data is for its lead and its members, and for everybody ``proprietary_days`` after it was observed.
    """

    name = models.CharField(max_length=128, unique=True)
    short_name = models.CharField(max_length=16, unique=True)
    description = models.TextField(blank=True)
    lead = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    instruments = models.ManyToManyField(
        Instrument, db_table="observing_program_instrument", related_name="programs", blank=True
    )
    allocated_hours = models.FloatField(null=True, blank=True)
    is_technical = models.BooleanField(default=False)
    active = models.BooleanField(default=True)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="ProgramMembership", related_name="observing_programs", blank=True
    )
    proprietary_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Days after an observation began until everybody may see it: 0 at once, empty never.",
    )

    objects = ObservingProgramQuerySet.as_manager()

    class Meta:
        verbose_name = "program"
        db_table = "observing_program"
        ordering = ["short_name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(allocated_hours__isnull=True) | Q(allocated_hours__gte=0), name="program_hours_not_negative"
            )
        ]

    def __str__(self) -> str:
        return self.short_name


class ProgramMembership(models.Model):
    """Somebody who may see and stage the data of a program before it is public."""

    observing_program = models.ForeignKey(ObservingProgram, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="program_memberships")

    objects = OfProgramQuerySet.as_manager()

    class Meta:
        verbose_name = "member of a program"
        verbose_name_plural = "members of programs"
        db_table = "observing_program_member"
        ordering = ["observing_program", "user"]
        constraints = [
            # In this order: what is asked on every page is which programs somebody is in.
            models.UniqueConstraint(fields=["user", "observing_program"], name="program_member_unique")
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.observing_program}"


class SubObservingProgram(models.Model):
    """A smaller project inside a program; in practice only GEco has them."""

    observing_program = models.ForeignKey(ObservingProgram, models.PROTECT, related_name="sub_programs")
    name = models.CharField(max_length=128)
    short_name = models.CharField(max_length=16)
    description = models.TextField(blank=True)
    lead = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    active = models.BooleanField(default=True)

    objects = OfProgramQuerySet.as_manager()

    class Meta:
        verbose_name = "sub-program"
        db_table = "sub_observing_program"
        ordering = ["observing_program", "short_name"]
        constraints = [
            models.UniqueConstraint(fields=["observing_program", "short_name"], name="sub_program_short_name_unique"),
            # What an obs unit's foreign key over both columns refers to.
            models.UniqueConstraint(fields=["id", "observing_program"], name="sub_program_with_program_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.observing_program}/{self.short_name}"
