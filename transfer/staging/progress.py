"""How far a staging job is, package by package, in words for the one who asked for it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import cached_property
from django.utils.safestring import SafeString

from ccatdc.common.states import Status
from datamgmt.models import DataLocation
from transfer.models import StagingJob
from transfer.operators.wait_reasons import Waiting
from transfer.staging.requests import PackageProgress, progress_of
from transfer.staging.tables import job_badge


@dataclass(frozen=True, slots=True)
class Line:
    of: PackageProgress
    why: str


class Progress:
    """Everything that the page of a job shows."""

    def __init__(self, job: StagingJob) -> None:
        self.job = job
        self.packages = progress_of(job)

    @cached_property
    def lines(self) -> list[Line]:
        """Every package, with why it is not there yet."""
        waiting = Waiting()
        return [Line(package, self._why(package, waiting)) for package in self.packages]

    def _why(self, package: PackageProgress, waiting: Waiting) -> str:
        operation = package.staging
        if not self.job.active:
            return ""
        if operation is None:
            place = self.job.destination_location
            if not (place.active and place.site.active):
                return f"{place.full_name} is switched off."
            return "Not planned yet. If another job fetches the same package, it is only linked."
        return operation.error_message if operation.status == Status.FAILED else waiting.why(operation)

    @cached_property
    def root(self) -> str:
        location = DataLocation.objects.get(pk=self.job.destination_location_id)
        return f"{location.path.rstrip('/')}/{self.job.folder_key}"

    @property
    def badge(self) -> SafeString:
        return job_badge(self.job)

    @property
    def done_count(self) -> int:
        return sum(package.status == Status.COMPLETED for package in self.packages)

    @property
    def done_bytes(self) -> int:
        """Bytes that are there; of running work its progress."""
        total = 0
        for package in self.packages:
            if package.status == Status.COMPLETED:
                total += package.package.size or 0
            elif package.staging is not None:
                total += package.staging.progress_bytes
        return total

    @property
    def is_over(self) -> bool:
        """Nothing changes any more by itself."""
        ended = self.job.status in (Status.COMPLETED, Status.FAILED)
        return ended or not self.job.active

    @property
    def may_cancel(self) -> bool:
        """Data that is there is given up too."""
        return self.job.active

    @property
    def may_retry(self) -> bool:
        return self.job.active and self.job.status == Status.FAILED
