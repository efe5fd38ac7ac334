"""Packages that a bundle has to do without: one that is damaged must not hold up the others. Part of the operations of stages
20, 30 and 40.

A package that is set aside becomes FAILED, with a note on the operation and, where a copy is to blame, on that copy. *Send again* in
the portal finds a way from where it is good.
"""

from __future__ import annotations

from uuid import UUID

from ccatdc.common.errors import CcatError
from ccatdc.common.states import transition_all
from datamgmt.models import PhysicalCopy, RawDataPackage
from datamgmt.states import PackageState
from transfer.holding import Held
from transfer.operations.base import Op, StageOperation
from transfer.origins import OriginError, note_bad


class BundleOperation(StageOperation[Op]):
    """Work on the packages of one bundle. ``packages_aside`` are those that it does without."""

    def __init__(self, operation: Op, lease: Held) -> None:
        super().__init__(operation, lease)
        self.packages_aside: set[UUID] = set()
        self.bad_copies: list[tuple[PhysicalCopy, OriginError]] = []

    def set_package_aside(
        self, package: RawDataPackage, error: CcatError, copy: PhysicalCopy | None = None
    ) -> None:
        """Go on without it. ``copy`` is the one that was read and found bad; what may pass is raised
        instead, for another attempt.
        """
        if isinstance(error, OriginError) and not self.is_verdict(error):
            raise error
        self.problem(error, package.name)
        self.packages_aside.add(package.pk)
        if copy is not None and self.is_verdict(error):
            self.bad_copies.append((copy, error))

    def record(self) -> None:
        """What was set aside; subclasses add what they made."""
        self._note_bad_copies()
        transition_all(
            RawDataPackage.objects.filter(pk__in=self.packages_aside),
            PackageState.FAILED,
            field="state",
        )

    def record_failure(self, error: CcatError) -> None:  # noqa: ARG002
        """What was found wrong about copies is kept although the work was not done."""
        self._note_bad_copies()

    def _note_bad_copies(self) -> None:
        for copy, error in self.bad_copies:
            note_bad(copy, error)
