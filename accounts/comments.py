"""What people say about a thing, and notes of a shift: entries of the audit log, which keeps who, when and about what.

They are of the log and no table of their own: nobody edits or deletes them, they outlive the thing, and its history shows
them between what was done.
"""

from __future__ import annotations

from typing import Final

from django.db import models

from accounts.models import SystemLog, User, record
from accounts.models.audit import COMMENT, SHIFT_NOTE
from ccatdc.common.errors import RequestError

#: Characters of a comment.
LONGEST: Final = 2000
SHOWN: Final = 5


def comment(text: str, *, user: User, about: models.Model | None = None) -> SystemLog:
    """Say something about a thing; without one it is a note of the shift. Raises RequestError for nothing or too much."""
    said = text.strip()
    if not said or "\0" in said:
        raise RequestError("The comment is empty.", remedy="Write something.")
    if len(said) > LONGEST:
        raise RequestError(f"The comment has {len(said)} characters.", remedy=f"Write {LONGEST} at most.")
    return record(COMMENT if about is not None else SHIFT_NOTE, said, about=about, user=user)


def comments_on(obj: models.Model) -> list[SystemLog]:
    """The newest, under any of the names of its kind."""
    return list(SystemLog.objects.about(obj).filter(component=COMMENT).select_related("user")[:SHOWN])
