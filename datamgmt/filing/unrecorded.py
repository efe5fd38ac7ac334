"""Step 0, what nobody filed: files that an inventory found at a SOURCE are filed by a person, or by a data stream that
claims their paths.

Rows only: stage 10 reads the bytes, as of every file. A file of a stream has the times of its data; nobody said these, so
that it counts for one package span before its last change: it is staged with every observation that it may belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from django.db import transaction

from accounts.models import User, record
from ccatdc.common.bulk_actions import Kept, Outcome
from ccatdc.common.errors import CcatError, NotFoundError, RequestError
from ccatdc.common.path_patterns import matcher
from datamgmt.filing.files import register_files
from datamgmt.filing.reports import FileReport, clock_problem
from datamgmt.models import DataLocation, UnrecordedFile
from observatory.models import DataStream, InstrumentModule
from planning.models import ExecutedObsUnit

#: Files that one pass of the managers files by rule.
AT_ONCE: Final = 1000
#: Ids of files are made from location and path: who files the same file twice files it once.
_NAMESPACE: Final = UUID("5b0ea0a5-6d29-4f5c-9d5b-5c8b7a4be0c1")


@dataclass(frozen=True, slots=True)
class Owner:
    """To what a file belongs: a module's data stream, or an execution observed with the module."""

    module: InstrumentModule
    stream: DataStream | None = None
    execution: ExecutedObsUnit | None = None

    def __str__(self) -> str:
        return str(self.stream) if self.stream is not None else f"{self.module}, execution {self._execution_id}"

    @property
    def _execution_id(self) -> UUID | None:
        return self.execution.pk if self.execution is not None else None

    def report(self, file: UnrecordedFile) -> FileReport:
        """What its instrument would have filed. Raises RequestError where nobody knows when it was written."""
        end = start = None
        if self.stream is not None:
            end = file.modified_at
            problem = "Nobody knows when it was written." if end is None else clock_problem(end)
            if end is None or problem:
                raise RequestError(
                    f"{file}: {problem}", code="unrecorded.no_time", remedy="File it with ccat-file and its times."
                )
            start = end - self.stream.package_span
        location: DataLocation = file.location
        return FileReport(
            id=uuid5(_NAMESPACE, f"{location.pk}/{file.key}"),
            source_location=location.full_name,
            relative_path=file.key,
            size=file.size,
            executed_obs_unit=self._execution_id,
            data_stream=self.stream.name if self.stream is not None else "",
            start_time=start,
            end_time=end,
            name=file.key.rpartition("/")[2][:255],
            instrument_module=self.module.pk,
            created_at=file.modified_at,
            description="Found by an inventory; nobody filed it.",
        )


def owner_named(text: str) -> Owner:
    """``instrument/module/data stream`` or ``instrument/module/id of the execution``, by short names.

    Raises RequestError, NotFoundError.
    """
    parts = [part.strip() for part in text.split("/")]
    if len(parts) != 3 or not all(parts):
        raise RequestError(
            f"{text!r} is not three names.",
            code="unrecorded.no_owner",
            remedy="Write instrument/module/data stream, or instrument/module/id of the execution.",
        )
    modules = InstrumentModule.objects.select_related("instrument")
    module = modules.filter(instrument__short_name=parts[0], short_name=parts[1]).first()
    if module is None:
        raise NotFoundError(f"There is no module {parts[0]}/{parts[1]}.", code="unrecorded.no_owner")
    stream = DataStream.objects.filter(instrument_module=module, name=parts[2]).first()
    if stream is not None:
        return Owner(module, stream=stream)
    try:
        execution = ExecutedObsUnit.objects.filter(pk=UUID(parts[2])).first()
    except ValueError:
        execution = None
    if execution is None:
        raise NotFoundError(
            f"{module} has no data stream {parts[2]!r}, and it is no id of an execution.", code="unrecorded.no_owner"
        )
    return Owner(module, execution=execution)


def file_unrecorded(
    files: Sequence[UnrecordedFile], owner: Owner, *, user: User | None = None, reason: str = ""
) -> Outcome:
    """File each of them as the owner's; those that cannot be are left alone with the reason. Permission is the caller's
    business.
    """
    filed, kept = [], []
    for file in files:
        try:
            with transaction.atomic():
                register_files([owner.report(file)])
                UnrecordedFile.objects.filter(pk=file.pk).delete()
                words = f"Filed: {file}, as of {owner}." + (f" {reason}" if reason else "")
                record("unrecorded files", words, about=file, user=user, size=file.size)
        except CcatError as error:
            kept.append(Kept(file.pk, file.key, str(error)))
        else:
            filed.append(file.pk)
    return Outcome(tuple(filed), tuple(kept))


def file_by_rule() -> int:
    """File what lies at SOURCE locations, is settled, and has a path that a data stream claims; how many were filed.

    What a person decided stays as decided. What cannot be filed says why, and is not tried again until it changes.
    """
    claims = [_Claim(stream) for stream in DataStream.objects.that_claim_files()]
    if not claims:
        return 0
    waiting: Any = UnrecordedFile.objects.at_sources().undecided().filter(error_message="")
    filed = 0
    for file in waiting.select_related("location__site").order_by("pk")[:AT_ONCE].iterator():
        claim = next((claim for claim in claims if claim.has(file)), None)
        if claim is not None:
            outcome = file_unrecorded([file], Owner(claim.stream.instrument_module, stream=claim.stream))
            filed += len(outcome.changed)
            for left in outcome.kept:
                UnrecordedFile.objects.filter(pk=left.pk).update(error_message=left.reason)
    return filed


class _Claim:
    """The paths of one data stream."""

    def __init__(self, stream: DataStream) -> None:
        self.stream = stream
        self._matches: Callable[[str], bool] = matcher(stream.unrecorded_paths)

    def has(self, file: UnrecordedFile) -> bool:
        instrument = file.location.instrument_id
        ours = instrument is None or instrument == self.stream.instrument_module.instrument_id
        return ours and self._matches(file.key)
