"""Step 0, runs: somebody reports that data is reduced, of what and with which software, and how that ended.

As for observations (datamgmt/filing/executions.py): the UUID is the client's, the same report again changes nothing,
another one under the same UUID is refused and told what differs. What is over leads to packaging (10).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.db.models.functions import Now

from accounts.models import ApiToken, User
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import ConflictError, NotAllowedError, NotFoundError, RequestError
from ccatdc.common.states import transition
from ccatdc.common.visibility import visible
from datamgmt.filing.access import require_module
from datamgmt.filing.repeats import differences_between
from datamgmt.filing.reports import clock_problem
from datamgmt.models import (
    DataLocation,
    DataProduct,
    ProcessingRun,
    RawDataPackage,
    ReductionSoftware,
    ReductionSoftwareVersion,
    RunStatus,
)
from observatory.models import InstrumentModule
from planning.models import ExecutedObsUnit, ObservingProgram

#: Inputs of one run, of all kinds together.
MAX_INPUTS: Final = 10_000
#: The columns of a run that name what it read.
INPUTS: Final = ("input_packages", "input_observations", "input_products")
RowT = TypeVar("RowT", bound=Model)


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run begins. Packages by id or name, observations and products by id; without a module or program those of the
    inputs, where these have one.
    """

    id: UUID
    name: str
    software: str
    version: str
    start_time: datetime | None = None
    program: str = ""
    instrument: str = ""
    module: str = ""
    location: str = ""
    host: str = ""
    command: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    input_packages: tuple[str, ...] = ()
    input_observations: tuple[UUID, ...] = ()
    input_products: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class RunEnd:
    """A run is over, however it ended."""

    status: str
    end_time: datetime
    exit_code: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The rows that a run reads."""

    packages: list[RawDataPackage]
    observations: list[ExecutedObsUnit]
    products: list[DataProduct]

    def as_filed(self) -> dict[str, list[str]]:
        """Their ids, by column of the run."""
        ids = ([row.pk for row in rows] for rows in (self.packages, self.observations, self.products))
        return {name: sorted(map(str, found)) for name, found in zip(INPUTS, ids, strict=True)}

    def modules(self) -> set[int]:
        """Those that wrote what is read, where it is known."""
        products = {product.processing_run.instrument_module_id for product in self.products}
        return products | {package.instrument_module_id for package in self.packages}

    def programs(self) -> set[int]:
        """Those whose data is read."""
        owners = [package.owner for package in self.packages]
        executions = [each for each in owners if isinstance(each, ExecutedObsUnit)] + self.observations
        runs = [each for each in owners if isinstance(each, ProcessingRun)]
        return {
            *(execution.obs_unit.observing_program_id for execution in executions),
            *(run.observing_program_id for run in runs),
            *(product.observing_program_id for product in self.products),
        }


class RunConflictError(ConflictError):
    """Another report was filed under this UUID; ``differences`` says field by field what."""

    default_code = "filing.differs"

    def __init__(self, message: str, differences: Mapping[str, Any]) -> None:
        super().__init__(
            f"{message}: {', '.join(differences)} differ.", remedy="Nothing was changed. A new run needs a new UUID."
        )
        self.extra = {"differences": dict(differences)}


def start_run(report: RunReport, *, user: User, token: ApiToken | None = None) -> tuple[ProcessingRun, bool]:
    """A run begins; without a start time it is pending. The run, and whether this call made it.

    Raises RequestError (what it names does not exist, or ``user`` may not see it), NotAllowedError (the program is not
    theirs, or ``token`` is bound to another instrument), RunConflictError.
    """
    if report.start_time is not None:
        _require_clock("start_time", report.start_time)
    stored = ProcessingRun.objects.for_listing().filter(pk=report.id).first()
    if stored is not None:
        return _repeated(stored, report, user), False
    inputs = find_inputs(report, user)
    columns = _columns(report, inputs, user, token)
    try:
        with transaction.atomic():
            return _create(report, columns, inputs, user, token), True
    except IntegrityError:
        # The same call came twice at once.
        stored = ProcessingRun.objects.for_listing().filter(pk=report.id).first()
        if stored is None:
            raise
        return _repeated(stored, report, user), False


def finish_run(run_id: UUID, end: RunEnd, *, user: User) -> tuple[ProcessingRun, bool]:
    """A run is over. The run, and whether this call ended it.

    ``finished_at`` is the database's clock: the settle delay counts from it. Raises NotFoundError, RequestError
    (impossible time), RunConflictError.
    """
    _require_clock("end_time", end.end_time)
    with transaction.atomic():
        run = locked_runs([run_id], user).get(run_id)
        if run is None:
            raise NotFoundError(f"There is no run {run_id}.", code="product.unknown_run")
        filed = {
            "status": end.status,
            "end_time": _utc(end.end_time),
            "exit_code": end.exit_code,
            "message": end.message,
        }
        if run.is_over:
            _require_same(run, run.filed.get("finish", {}), filed)
            return run, False
        if run.start_time is not None and end.end_time < run.start_time:
            raise RequestError(
                f"The run cannot end at {end.end_time.isoformat()}: it began at {run.start_time.isoformat()}.",
                code="filing.ends_before_start",
            )
        transition(
            run,
            end.status,
            end_time=end.end_time if run.start_time is not None else None,
            finished_at=Now(),
            exit_code=end.exit_code,
            message=end.message,
            filed={**run.filed, "finish": filed},
        )
        notify_managers()
    return run, True


def locked_runs(pks: Iterable[UUID], user: User) -> dict[UUID, ProcessingRun]:
    """The runs that the person may file for, locked: those that they may see."""
    mine = visible(ProcessingRun.objects.filter(pk__in=list(pks)), user)
    rows = ProcessingRun.objects.all_for_update(mine.order_by().values_list("pk", flat=True)).for_listing()
    return {run.pk: run for run in rows}


def find_inputs(report: RunReport, user: User) -> Inputs:
    """What the run reads, in three queries. RequestError for what is not there, or not theirs to see: the answer does
    not tell which of the two.
    """
    if sum(len(getattr(report, name)) for name in INPUTS) > MAX_INPUTS:
        raise RequestError(f"A run has at most {MAX_INPUTS} inputs.", code="product.too_many_inputs")
    packages = RawDataPackage.objects.select_related("executed_obs_unit__obs_unit", "data_stream", "processing_run")
    by_name = [name for name in report.input_packages if _as_uuid(name) is None]
    by_id = [pk for name in report.input_packages if (pk := _as_uuid(name)) is not None]
    found = Inputs(
        [
            *_found("input_packages", packages, "pk", by_id, user),
            *_found("input_packages", packages, "name", by_name, user),
        ],
        _found(
            "input_observations",
            ExecutedObsUnit.objects.select_related("obs_unit"),
            "pk",
            report.input_observations,
            user,
        ),
        _found(
            "input_products", DataProduct.objects.select_related("processing_run"), "pk", report.input_products, user
        ),
    )
    for product in found.products:
        if product.processing_run_id == report.id:
            raise RequestError(f"{product} is a product of this run.", code="product.own_input")
    return found


def link_inputs(run: ProcessingRun) -> int:
    """Add the links to inputs that ``filed`` names and that are there by now: packages may come into a rebuilt
    catalogue after the runs that read them. How many inputs are still missing.
    """
    missing = 0
    for name in INPUTS:
        wanted = set(run.filed.get("start", {}).get(name, ()))
        relation = getattr(run, name)
        known = relation.model.objects.filter(pk__in=wanted).values_list("pk", flat=True)
        relation.add(*known)
        missing += len(wanted) - len(known)
    return missing


def _found(field: str, rows: QuerySet[RowT], column: str, wanted: Iterable[Any], user: User) -> list[RowT]:
    names = list(dict.fromkeys(wanted))
    if not names:
        return []
    found = {getattr(row, column): row for row in visible(rows.filter(**{f"{column}__in": names}), user)}
    missing = [str(name) for name in names if name not in found]
    if missing:
        kind = rows.model._meta.verbose_name
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise RequestError(
            f"{field}: there is no {kind} {missing[0]}{more} that you may see.",
            code="product.unknown_input",
            remedy="Name inputs that are filed, and that you may read.",
        )
    return list(found.values())


def _columns(report: RunReport, inputs: Inputs, user: User, token: ApiToken | None) -> dict[str, Any]:
    """What the report names beyond its inputs."""
    location = None
    if report.location:
        location = DataLocation.objects.non_polymorphic().with_site().named(report.location).first()
        if location is None:
            raise RequestError(f"There is no location {report.location!r}.", code="product.unknown_location")
    module = _module(report, inputs)
    require_module(token, module)
    software = ReductionSoftware.objects.filter(name=report.software).first()
    if software is None or not software.active:
        state = "unknown" if software is None else "switched off"
        raise RequestError(
            f"The software {report.software!r} is {state}.",
            code="product.unknown_software",
            remedy="Let an operator add it, or switch it on, in the portal.",
        )
    return {
        "instrument_module": module,
        "observing_program": _program(report, inputs, user),
        "location": location,
        "software": software,
    }


def _module(report: RunReport, inputs: Inputs) -> InstrumentModule:
    rows = InstrumentModule.objects.select_related("instrument")
    if report.instrument or report.module:
        found = rows.filter(instrument__short_name=report.instrument, short_name=report.module).first()
        if found is None:
            raise RequestError(
                f"There is no module {report.instrument}/{report.module}.", code="product.unknown_module"
            )
        return found
    modules = list(rows.filter(pk__in=inputs.modules())[:2])
    if len(modules) != 1:
        raise RequestError(
            "The inputs are not of one module.",
            code="product.unknown_module",
            remedy="Name the module that the products are of, by instrument and module.",
        )
    return modules[0]


def _program(report: RunReport, inputs: Inputs, user: User) -> ObservingProgram:
    """The program that the products are for: its members see them. One files for one's own only."""
    programs: QuerySet[ObservingProgram] = ObservingProgram.objects.all()
    found: ObservingProgram | None
    if report.program:
        found = programs.filter(short_name=report.program).first()
    else:
        rows = list(programs.filter(pk__in=inputs.programs())[:2])
        found = rows[0] if len(rows) == 1 else None
    if found is None:
        raise RequestError(
            f"There is no program {report.program!r}." if report.program else "The inputs are not of one program.",
            code="product.unknown_program",
            remedy="Name the program that the products are for.",
        )
    if not (user.sees_all_programs or ObservingProgram.objects.of(user).filter(pk=found.pk).exists()):
        raise NotAllowedError(
            f"You are no member of {found}.",
            code="product.foreign_program",
            remedy="Name a program of yours: the products are for its members.",
        )
    return found


def _create(
    report: RunReport, columns: dict[str, Any], inputs: Inputs, user: User, token: ApiToken | None
) -> ProcessingRun:
    software = columns.pop("software")
    version, _ = ReductionSoftwareVersion.objects.get_or_create(reduction_software=software, version=report.version)
    run = ProcessingRun.objects.create(
        id=report.id,
        name=report.name,
        software_version=version,
        host=report.host,
        command=report.command,
        configuration=report.configuration,
        submitted_by=user,
        reported_by_token=token,
        status=RunStatus.PENDING if report.start_time is None else RunStatus.RUNNING,
        start_time=report.start_time,
        filed={"start": {**_as_filed(report), **inputs.as_filed()}},
        **columns,
    )
    run.input_packages.add(*inputs.packages)
    run.input_observations.add(*inputs.observations)
    run.input_products.add(*inputs.products)
    return run


def _repeated(stored: ProcessingRun, report: RunReport, user: User) -> ProcessingRun:
    """The run of this UUID, if it is theirs and was filed so."""
    if not visible(ProcessingRun.objects.filter(pk=stored.pk), user).exists():
        raise NotAllowedError(f"Run {stored.pk} is somebody else's.", code="product.foreign_run")
    inputs = find_inputs(report, user)
    _require_same(stored, stored.filed.get("start", {}), {**_as_filed(report), **inputs.as_filed()})
    return stored


def _as_filed(report: RunReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "software": report.software,
        "version": report.version,
        "start_time": report.start_time and _utc(report.start_time),
        "program": report.program,
        "instrument": report.instrument,
        "module": report.module,
        "location": report.location,
        "host": report.host,
        "command": report.command,
        "configuration": dict(report.configuration),
    }


def _require_same(run: ProcessingRun, stored: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
    differences = differences_between(stored, sent)
    if differences:
        raise RunConflictError(f"Run {run.pk} was filed otherwise", differences)


def _require_clock(name: str, moment: datetime) -> None:
    reason = clock_problem(moment)
    if reason:
        raise RequestError(f"{name}: {reason}", code="filing.clock", remedy="Check the clock of the cluster.")


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
