"""What a person does about copies in trouble: have them looked at again. The flow does the rest.

A copy that is missing, damaged or suspect is set aside: no stage uses it, nothing deletes it. When
its cause is gone (a disk is mounted again, a file was repaired by its instrument) somebody says so
here, and the managers take it up as if it were new.
"""

from __future__ import annotations

from typing import Any

from django.db import models, transaction

from accounts.models import User, record
from ccatdc.common.errors import ConflictError
from ccatdc.common.states import transition_all
from ccatdc.common.wake import wake_managers
from datamgmt.copy_querysets import IN_TROUBLE
from datamgmt.models import PhysicalCopy
from datamgmt.states import Integrity


def check_again(copies: models.QuerySet[Any], user: User) -> int:
    """Forget the verdict on those of ``copies`` that are in trouble; returns how many.

    They become *unverified*: a claim that the next stage verifies when it reads the bytes. What was
    said against them stays in the diary. Permission is the caller's business.

    Raises ConflictError when none of them is in trouble: there is nothing to check again.
    """
    with transaction.atomic():
        chosen = PhysicalCopy.objects.non_polymorphic().filter(pk__in=copies.values("pk"))
        troubled = list(chosen.in_trouble().with_subjects().select_for_update(of=("self",)))
        if not troubled:
            raise ConflictError(
                "None of these copies is missing, damaged or suspect.",
                code="copy.not_in_trouble",
                remedy="Reload the page: somebody else may have been faster.",
            )
        for copy in troubled:
            record(
                "copies",
                f"To be checked again: {copy}, which was {copy.integrity}.",
                about=copy,
                user=user,
                code=copy.error_code,
                said=copy.error_message,
            )
        again = PhysicalCopy.objects.non_polymorphic().filter(pk__in=[copy.pk for copy in troubled])
        changed = transition_all(
            again.filter(integrity__in=IN_TROUBLE),
            Integrity.UNVERIFIED,
            field="integrity",
            error_code="",
            error_message="",
            verified_at=None,
            verified_how="",
        )
        wake_managers()
    return changed
