"""What a person does about copies that need attention: have them checked again. The flow does the rest.

A copy that is missing, damaged or suspect is set aside: no stage uses it, nothing deletes it. When its cause is gone (a
disk is mounted again, a file was repaired by its instrument) somebody says so here, and the managers take it up as if
it were new.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import models, transaction

from accounts.models import User, record
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import ConflictError
from datamgmt.copies.recording import want_check
from datamgmt.models import LocationType, PhysicalCopy
from datamgmt.states import NEEDS_ATTENTION, Integrity, WantedCheck

#: Copies that one click has checked again.
MOST_AT_ONCE: Final = 1000


def check_again(copies: models.QuerySet[Any], user: User) -> int:
    """Forget the verdict on those of ``copies`` that need attention; returns how many.

    They become *unverified*: a claim that the next stage verifies when it reads the bytes; of packages in buffers and
    archives stage 90 does, at once. What was said against them stays in the audit log. Permission is the caller's
    business.

    Raises ConflictError when none of them needs attention: there is nothing to check again.
    """
    with transaction.atomic():
        chosen = PhysicalCopy.objects.non_polymorphic().filter(pk__in=copies.values("pk"))
        found = list(chosen.needing_attention().with_subjects().select_for_update(of=("self",)))
        if not found:
            raise ConflictError(
                "None of these copies is missing, damaged or suspect.",
                code="copy.needs_no_attention",
                remedy="Reload the page: somebody else may have been faster.",
            )
        for copy in found:
            record(
                "copies",
                f"To be checked again: {copy}, which was {copy.integrity}.",
                about=copy,
                user=user,
                code=copy.error_code,
                said=copy.error_message,
            )
        again = PhysicalCopy.objects.non_polymorphic().filter(pk__in=[copy.pk for copy in found])
        changed = again.filter(integrity__in=NEEDS_ATTENTION).update(
            integrity=Integrity.UNVERIFIED, error_code="", error_message="", verified_at=None, verified_how=""
        )
        want_check([copy.pk for copy in found if _is_scrubbed(copy)], WantedCheck.READ)
        notify_managers()
    return int(changed)


def check_cause_again(copy: PhysicalCopy, user: User) -> int:
    """The same for all copies about which the same was found at the same place, at most MOST_AT_ONCE; how many."""
    alike = PhysicalCopy.objects.non_polymorphic().needing_attention()
    alike = alike.filter(data_location=copy.data_location_id, integrity=copy.integrity, error_code=copy.error_code)
    return check_again(
        PhysicalCopy.objects.filter(pk__in=list(alike.values_list("pk", flat=True)[:MOST_AT_ONCE])), user
    )


def _is_scrubbed(copy: PhysicalCopy) -> bool:
    places = (LocationType.BUFFER, LocationType.LONG_TERM_ARCHIVE)
    return copy.raw_data_package_id is not None and copy.data_location.location_type in places
