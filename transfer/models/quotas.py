"""How much staged data a person, or the data of a program, may take at PROCESSING locations together."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import User
from planning.models import ObservingProgram


class StagingQuotaQuerySet(models.QuerySet["StagingQuota"]):
    def for_user(self, user: User) -> StagingQuota | None:
        """The person's own, else that of everybody who has none."""
        rows = self.filter(Q(user=user) | Q(user__isnull=True, program__isnull=True))
        return rows.order_by(models.F("user").asc(nulls_last=True)).first()

    def for_programs(self, ids: Any) -> StagingQuotaQuerySet:
        return self.filter(program__in=ids).select_related("program")

    def visible_to(self, user: Any) -> StagingQuotaQuerySet:
        """One's own, those of one's programs, and that of everybody."""
        programs = ObservingProgram.objects.of(user).values("pk")
        return self.filter(Q(user=user) | Q(program__in=programs) | Q(user__isnull=True, program__isnull=True))


class StagingQuota(models.Model):
    """The bytes that active staging jobs may hold together: of one person, of the data of one program, or of everybody
    who has no quota of their own (neither is named). No row: no limit but the room of the location.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+")
    program = models.OneToOneField(ObservingProgram, models.CASCADE, null=True, blank=True, related_name="+")
    max_gb = models.FloatField(validators=[MinValueValidator(0)], help_text="10^9 bytes.")

    objects = StagingQuotaQuerySet.as_manager()

    class Meta:
        db_table = "staging_quota"
        verbose_name = "staging quota"
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) | Q(program__isnull=True), name="staging_quota_of_one"
            ),
            models.UniqueConstraint(
                models.Value(1), condition=Q(user__isnull=True, program__isnull=True), name="staging_quota_of_everybody"
            ),
            models.CheckConstraint(condition=Q(max_gb__gte=0), name="staging_quota_not_negative"),
        ]

    def __str__(self) -> str:
        return f"Quota of {self.user or self.program or 'everybody else'}"

    @property
    def max_bytes(self) -> int:
        return int(self.max_gb * 10**9)
