"""Step 0, with what it is observed: the module configurations, the observation configuration and the slot that
``start`` names.

All of it is optional, and all of it must fit the obs unit: what an instrument says it used is kept for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from accounts.models import ApiToken
from ccatdc.common.errors import RequestError
from datamgmt.filing.access import require_module
from datamgmt.filing.reports import ModuleConfigurationName, StartReport
from observatory.models import InstrumentModuleConfiguration
from planning.models import ExecutedObsUnit, ObservationConfiguration, ObsUnit, PreScheduledSlot

ModelT = TypeVar("ModelT", bound=Model)


@dataclass(frozen=True, slots=True)
class Used:
    """The rows that a start names."""

    module_configurations: Sequence[InstrumentModuleConfiguration] = ()
    configuration: ObservationConfiguration | None = None
    slot: PreScheduledSlot | None = None

    def columns(self) -> dict[str, Any]:
        """Of the execution; the configuration in the revision that it has now."""
        version = self.configuration.version if self.configuration is not None else None
        return {
            "observation_configuration": self.configuration,
            "observation_configuration_version": version,
            "pre_scheduled_slot": self.slot,
        }

    def as_filed(self) -> dict[str, Any]:
        """What a repeated call is compared with, by ids: only what was named, so that a start without any of it stays
        what it was before there were these fields.
        """
        return _as_filed(
            [each.pk for each in self.module_configurations],
            self.configuration.pk if self.configuration is not None else None,
            self.slot.pk if self.slot is not None else None,
        )


def used_by(execution: ExecutedObsUnit) -> dict[str, Any]:
    """The same of an execution that was not filed."""
    return _as_filed(
        execution.instrument_module_configurations.order_by().values_list("pk", flat=True),
        execution.observation_configuration_id,
        execution.pre_scheduled_slot_id,
    )


def _as_filed(module_configurations: Iterable[int], configuration: int | None, slot: int | None) -> dict[str, Any]:
    named = {
        "instrument_module_configurations": sorted(module_configurations),
        "observation_configuration": configuration,
        "pre_scheduled_slot": slot,
    }
    return {field: value for field, value in named.items() if value not in (None, [])}


def find_used(report: StartReport, obs_unit: ObsUnit, token: ApiToken | None) -> Used:
    """The rows that the report names.

    Raises RequestError for what does not exist or does not fit the obs unit, NotAllowedError for a module of another
    instrument than the token's.
    """
    module_configurations = [_module_configuration(name, obs_unit, token) for name in report.module_configurations]
    modules = [each.instrument_module_id for each in module_configurations]
    for each in module_configurations:
        if modules.count(each.instrument_module_id) > 1:
            raise RequestError(
                f"{each.instrument_module} is named with several module configurations: it has one at a time.",
                code="filing.module_twice",
            )
    configurations = ObservationConfiguration.objects.non_polymorphic()
    slots = PreScheduledSlot.objects.all()
    return Used(
        module_configurations,
        _of_unit(configurations, report.observation_configuration, obs_unit),
        _of_unit(slots, report.pre_scheduled_slot, obs_unit),
    )


def _module_configuration(
    name: ModuleConfigurationName, obs_unit: ObsUnit, token: ApiToken | None
) -> InstrumentModuleConfiguration:
    rows: QuerySet[InstrumentModuleConfiguration]
    rows = InstrumentModuleConfiguration.objects.non_polymorphic()  # type: ignore[assignment]
    named = rows.select_related("instrument_module__instrument").filter(**name.lookup())
    found = named.first()
    if found is None:
        raise RequestError(f"There is no module configuration {name}.", code="filing.unknown_module_configuration")
    module = found.instrument_module
    require_module(token, module)
    instrument = obs_unit.obs_mode.instrument
    if instrument is not None and module.instrument_id != instrument.pk:
        raise RequestError(
            f"{module} is no module of {instrument}, with which {obs_unit} is observed.",
            code="filing.not_of_the_instrument",
        )
    if module.instrument.telescope_id != obs_unit.telescope_id:
        raise RequestError(
            f"{module} is not at the telescope at which {obs_unit} is observed.", code="filing.not_of_the_instrument"
        )
    return found


def _of_unit(rows: QuerySet[ModelT], pk: int | None, obs_unit: ObsUnit) -> ModelT | None:
    """The row with this key, which must be the unit's."""
    if pk is None:
        return None
    found = rows.filter(pk=pk).first()
    kind = rows.model._meta.verbose_name
    if found is None:
        raise RequestError(f"There is no {kind} {pk}.", code="filing.unknown_plan")
    if getattr(found, "obs_unit_id") != obs_unit.pk:  # noqa: B009  of two models
        raise RequestError(
            f"The {kind} {pk} is of another obs unit than {obs_unit}.", code="filing.not_of_the_obs_unit"
        )
    return found
