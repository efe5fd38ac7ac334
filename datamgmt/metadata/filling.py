"""Writes the metadata of packages: when one is made (stage 10), before its sidecar (stage 50), and by a command.

Only what is computed; corrections of people are in columns of their own. A package that cannot be described is a
package all the same: the row says why.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import transaction
from django.db.models.functions import Now

from datamgmt.metadata.obscore import computed
from datamgmt.models import RawDataPackage, RawDataPackageMetadata

logger = logging.getLogger(__name__)
#: Packages that are read at a time.
_BATCH: Final = 500


def fill(package: RawDataPackage) -> bool:
    """Compute and write; whether all could be told. Never raises: what went wrong is in the row and in the log."""
    described = RawDataPackage.objects.with_all_that_describes_it().get(pk=package.pk)
    try:
        with transaction.atomic():
            found = computed(described)
            json.dumps(found, allow_nan=False)  # PostgreSQL has no infinite numbers in JSON
    except Exception as error:
        # Whatever a rule stumbles over: bytes must reach the archive, and the command computes it anew.
        logger.exception("The metadata of %s cannot be computed.", package)
        found = {"problems": [f"{type(error).__name__}: {error}"[:500]]}
    RawDataPackageMetadata.objects.update_or_create(
        raw_data_package=described, defaults={"computed": found, "computed_at": Now()}
    )
    return not found["problems"]


def fill_where_missing(package: RawDataPackage) -> None:
    """Before a sidecar is written: a package that was made before there was metadata gets it."""
    if not RawDataPackageMetadata.objects.of_package(package.pk).filled().exists():
        fill(package)


@dataclass(slots=True)
class Refilled:
    """How many packages, how many of them could not be told in full, and names that are none."""

    done: int = 0
    incomplete: int = 0
    unknown: list[str] = field(default_factory=list)


def refill(names: Sequence[str]) -> Refilled:
    """Compute anew: these packages, or all, in the order of their ids and each in a transaction of its own."""
    result = Refilled()
    for package in _named(names, result) if names else _all():
        result.done += 1
        result.incomplete += not fill(package)
    return result


def _named(names: Sequence[str], result: Refilled) -> Iterator[RawDataPackage]:
    for name in names:
        package = RawDataPackage.objects.named(name)
        if package is None:
            result.unknown.append(name)
        else:
            yield package


def _all() -> Iterator[RawDataPackage]:
    last = None
    while found := list(RawDataPackage.objects.in_order_of_keys(last, _BATCH)):
        yield from found
        last = found[-1].pk
