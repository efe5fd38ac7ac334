"""Bases of models that every app may use."""

from __future__ import annotations

import re
import uuid
from typing import Final

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

#: Names that become part of queue names, cluster names and folders: lower-case letters, digits and underscores.
name_part = RegexValidator(
    r"^[a-z0-9]+(_[a-z0-9]+)*$",
    "Use lower-case letters, digits and single underscores: the name becomes part of queue names.",
)


#: A UUID with or without dashes, or eight digits of its beginning at least.
_BEGINNING_OF_KEY: Final = re.compile(r"[0-9a-fA-F]{8,32}")


def key_begins(text: str) -> Q:
    """Rows whose key is a UUID that begins so: a range of the index of keys. None for fewer than eight digits, and for
    what is no UUID.
    """
    digits = text.replace("-", "")
    if not _BEGINNING_OF_KEY.fullmatch(digits):
        return Q(pk__in=[])
    return Q(pk__range=(uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))))


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
