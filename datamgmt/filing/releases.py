"""Who may see a data product: changed by the people of its program, with a line of the audit log."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.models import User, record
from ccatdc.common.errors import NotAllowedError, NotFoundError
from ccatdc.common.visibility import visible
from datamgmt.models import DataProduct, Release
from datamgmt.models.runs import runs_for


def set_release(product_id: UUID, release: str, *, user: User, reason: str = "") -> DataProduct:
    """Set it. The same again changes nothing. Raises NotFoundError, and NotAllowedError for who is not of its program."""
    with transaction.atomic():
        rows = visible(DataProduct.objects.for_listing(), user)
        product = rows.select_for_update(of=("self",)).filter(pk=product_id).first()
        if product is None:
            raise NotFoundError(f"There is no data product {product_id}.", code="product.unknown")
        is_theirs = DataProduct.objects.filter(runs_for(user, "processing_run__"), pk=product_id).exists()
        if not (user.sees_all_programs or is_theirs):
            raise NotAllowedError(
                f"You are no member of {product.observing_program}.",
                code="product.foreign_program",
                remedy="Ask a member of it.",
            )
        if product.release != release:
            before = product.get_release_display()
            product.release = release
            product.save(update_fields=["release"])
            text = f"Release of {product}: {before} became {Release(release).label}.{f' {reason}' if reason else ''}"
            record("filing", text, about=product, user=user)
    return product
