"""The append-only records: SystemLog, what was done by whom, and Change, what was changed in which row."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models.people import User
from ccatdc.common.audit.triggers import TABLE, ChangeContext, ChangeTime, ChangeUser, root_of
from ccatdc.common.db.indexes import words_index
from ccatdc.common.states import known_values


class LogLevel(models.TextChoices):
    """How much an entry of the audit log matters."""

    DEBUG = "debug", "Debug"
    INFO = "info", "Info"
    WARNING = "warning", "Warning"
    ERROR = "error", "Error"
    CRITICAL = "critical", "Critical"


#: Components of what people say: about a thing, and about a shift.
COMMENT, SHIFT_NOTE = "comment", "shift note"
SAID_BY_PEOPLE = (COMMENT, SHIFT_NOTE)


class SystemLogQuerySet(models.QuerySet["SystemLog"]):
    def about(self, obj: models.Model) -> SystemLogQuerySet:
        """About a thing, under any of the names of its kind."""
        related = [type(obj), *obj._meta.get_parent_list(), *type(obj).__subclasses__()]
        return self.filter(object_type__in={model._meta.label_lower for model in related}, object_id=str(obj.pk))

    def of_kind(self, model: type[models.Model]) -> SystemLogQuerySet:
        """About things of this model or of its kinds."""
        return self.filter(object_type__in=[kind._meta.label_lower for kind in (model, *model.__subclasses__())])

    def said_by_people(self) -> SystemLogQuerySet:
        """Comments and notes of shifts."""
        return self.filter(component__in=SAID_BY_PEOPLE)


class SystemLog(models.Model):
    """One entry of the audit log: who did what to which thing, as text, so that it outlives the thing. Append-only."""

    timestamp = models.DateTimeField(default=timezone.now, db_index=True)
    level = models.CharField(max_length=16, choices=LogLevel.choices, default=LogLevel.INFO)
    component = models.CharField(max_length=64)
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    message = models.TextField()
    context = models.JSONField(default=dict, blank=True)
    object_type = models.CharField(max_length=64, blank=True)
    object_id = models.CharField(max_length=64, blank=True)

    objects = SystemLogQuerySet.as_manager()

    class Meta:
        verbose_name = "entry of the audit log"
        verbose_name_plural = "audit log"
        db_table = "system_log"
        ordering = ["-timestamp"]
        indexes = [
            models.Index(fields=["object_id", "object_type"], name="system_log_object"),
            # The portal's lists and its search: the audit log grows with everything that happens.
            models.Index(fields=["level", "-timestamp"], name="system_log_by_level"),
            models.Index(fields=["user", "-timestamp"], name="system_log_by_user"),
            models.Index(fields=["object_type", "-timestamp"], name="system_log_by_kind"),
            models.Index(
                fields=["-timestamp"], condition=Q(component__in=SAID_BY_PEOPLE), name="system_log_said_by_people"
            ),
            words_index("message", "system_log_words"),
        ]
        constraints = [known_values("level", LogLevel, "system_log_level_known")]

    def __str__(self) -> str:
        return f"{self.timestamp:%Y-%m-%d %H:%M:%S} {self.component}: {self.message}"


class ChangeAction(models.TextChoices):
    """What happened to a row."""

    ADDED = "added", "Added"
    CHANGED = "changed", "Changed"
    DELETED = "deleted", "Deleted"


class ChangeQuerySet(models.QuerySet["Change"]):
    def about(self, obj: models.Model) -> ChangeQuerySet:
        """What happened to one thing, the newest first."""
        kind = root_of(type(obj))._meta.label_lower
        return self.filter(object_type=kind, object_id=str(obj.pk))

    def outside_accounts(self) -> ChangeQuerySet:
        """Without people, roles and tokens, which not everybody may read."""
        return self.exclude(object_type__startswith="accounts.")


class Change(models.Model):
    """One row that was added, changed or deleted: history, written by triggers of the database, read by people.

    ``changes`` is {column: value} of a row that came or went, {column: [from, to]} of one that changed, {column: null}
    where only the fact may be kept (a password). ``context`` says how: in the portal, through the API, by a command. A
    kind of something (a fixed source) has two tables, ``table_name`` says which; the object is named by its base.
    """

    at = models.DateTimeField(db_default=ChangeTime(), editable=False)
    user = models.ForeignKey(
        User,
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_default=ChangeUser(),
        db_index=False,
        related_name="+",
        help_text="Who; empty for a command.",
    )
    context = models.JSONField(db_default=ChangeContext(), help_text="How it was done.")
    action = models.CharField(max_length=16, choices=ChangeAction.choices)
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64)
    object_name = models.TextField(help_text="Its name at the time.")
    table_name = models.CharField(max_length=64)
    changes = models.JSONField()

    objects = ChangeQuerySet.as_manager()

    class Meta:
        verbose_name = "change"
        verbose_name_plural = "history"
        db_table = TABLE
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["object_id", "object_type"], name="change_history_object"),
            models.Index(fields=["user", "-id"], name="change_history_by_user"),
            models.Index(fields=["at"], name="change_history_by_time"),
            words_index("object_name", "change_history_name_words"),
        ]
        constraints = [known_values("action", ChangeAction, "change_history_action_known")]

    def __str__(self) -> str:
        return f"{self.object_name}: {self.action}"


def record(
    component: str,
    message: str,
    *,
    about: models.Model | None = None,
    user: User | None = None,
    level: str = LogLevel.INFO,
    **context: Any,
) -> SystemLog:
    """Write one entry of the audit log about ``about``."""
    return SystemLog.objects.create(
        component=component,
        message=message,
        user=user,
        level=level,
        context=context,
        object_type=about._meta.label_lower if about is not None else "",
        object_id=str(about.pk) if about is not None else "",
    )
