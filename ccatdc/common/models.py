"""Bases of models that every app may use."""

from __future__ import annotations

import uuid

from django.core.validators import RegexValidator
from django.db import models

#: Names that become part of queue names, cluster names and folders: lower-case letters, digits and underscores.
name_part = RegexValidator(
    r"^[a-z0-9]+(_[a-z0-9]+)*$",
    "Use lower-case letters, digits and single underscores: the name becomes part of queue names.",
)


class UuidPrimaryKey(models.Model):
    """A primary key that can be made by a client before anything is sent, also while the link is cut."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    class Meta:
        abstract = True


class TimeStamped(models.Model):
    """When the row was made and last changed (UTC)."""

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
