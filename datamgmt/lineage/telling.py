"""Who made something of data that was judged bad afterwards is told: one mail to each, in the transaction of the judgement.

The products themselves are not changed: whether they rest on bad data is computed (datamgmt/lineage/graph.py).
"""

from __future__ import annotations

from typing import Final

from django.conf import settings

from datamgmt.lineage.graph import Lineage
from datamgmt.models import DataProduct
from notifications.queueing import queue_mail

#: Products that one mail names.
MOST_NAMED: Final = 20


def tell_owners(lineage: Lineage, what: str, comment: str) -> int:
    """Mail everybody whose run rests on it, with their own products; how many mails. ``what`` was judged bad."""
    products = DataProduct.objects.filter(pk__in=lineage.made_by, processing_run__submitted_by__is_active=True)
    by_address: dict[str, list[DataProduct]] = {}
    for product in products.select_related("processing_run__submitted_by").order_by("name", "version"):
        owner = product.processing_run.submitted_by
        if owner is not None and owner.email:
            by_address.setdefault(owner.email, []).append(product)
    return sum(_tell(address, own, what, comment) for address, own in sorted(by_address.items()))


def _tell(address: str, products: list[DataProduct], what: str, comment: str) -> int:
    named = [f"{product}: {settings.PORTAL_URL}/products/{product.pk}/" for product in products[:MOST_NAMED]]
    if len(products) > MOST_NAMED:
        named.append(f"and {len(products) - MOST_NAMED} more")
    lines = [
        f"{what} was judged bad{f': {comment}' if comment else '.'}",
        "These products of yours rest on it:\n" + "\n".join(named),
        "They are shown with a warning. Run their reduction again without it, or with what replaces it.",
    ]
    return queue_mail(address, f"{len(products)} of your products rest on data that is bad", "\n\n".join(lines))
