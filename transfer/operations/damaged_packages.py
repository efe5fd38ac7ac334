"""Packages that a bundle has to do without: one that is damaged must not hold up the others. Part of the operations of
stages 20, 30 and 40.

A package that is set aside becomes FAILED, with a note in the audit log, on the operation and, where a
copy is to blame, on that copy. It leaves the bundle: what happens to that is not its way any more.
*Resend* in the portal sends it from where it is good.
"""

from __future__ import annotations

from uuid import UUID

from accounts.models import LogLevel, record
from ccatdc.common.errors import CcatError
from ccatdc.common.states import transition_all
from datamgmt.models import DataTransferPackage, RawDataPackage
from datamgmt.states import PackageState
from transfer.engine.worker.lease import LeaseHandle
from transfer.operations.base import Op, StageOperation


class BundleOperation(StageOperation[Op]):
    """Work on the packages of one bundle. ``packages_aside`` are those that it does without."""

    bundle: DataTransferPackage

    def __init__(self, operation: Op, lease: LeaseHandle) -> None:
        super().__init__(operation, lease)
        self.packages_aside: dict[UUID, tuple[RawDataPackage, CcatError]] = {}

    def set_package_aside(self, package: RawDataPackage, error: CcatError) -> None:
        self.problem(error, package.name)
        self.packages_aside[package.pk] = (package, error)

    def record(self) -> None:
        """What was set aside; subclasses add what they made."""
        super().record()
        # What is archived already was only to be replicated: the archives do that among themselves.
        rows = RawDataPackage.objects.filter(pk__in=self.packages_aside).not_archived()
        transition_all(rows, PackageState.FAILED, field="state")
        failed = set(rows.failed().values_list("pk", flat=True))
        self.bundle.raw_data_packages.remove(*failed)
        for package, error in self.packages_aside.values():
            record(
                "packages",
                f"Set aside by {self.operation} of {self.bundle}: {error}",
                about=package,
                level=LogLevel.ERROR,
                code=error.code,
            )
