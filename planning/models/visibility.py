"""Whose data it is, by name: rows of a program are for its members, and for everybody once they are public.

An observation is public when its program says after how many days, and so many have passed since it began. What hangs
on it (files, packages, copies) follows it; a plan is public as soon as something public was observed by it.

Works on names of related fields only: it imports no model, so that models may use it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.apps import apps
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Least, Now
from polymorphic.managers import PolymorphicManager
from polymorphic.query import PolymorphicQuerySet

#: A thousand years.
_LONGEST_DAYS: Final = 365_000


def public(execution: str = "") -> Q:
    """Observations that everybody may see; ``execution`` is the way to them, as ``executed_obs_unit__``."""
    days = f"{execution}obs_unit__observing_program__proprietary_days"
    # Beyond the times that PostgreSQL knows a comparison would be an error, for everybody.
    began = {f"{execution}start_time__lte": Now() - Least(F(days), Value(_LONGEST_DAYS)) * timedelta(days=1)}
    return Q(**{f"{days}__isnull": False}, **began)


def observed_for(user: Any, execution: str = "") -> Q:
    """Observations that a person may see, on the same way."""
    own = {f"{execution}obs_unit__observing_program__in": _programs().of(user).values("pk")}
    return Q(**own) | public(execution)


class ObservingProgramQuerySet(models.QuerySet[Any]):
    def of(self, user: Any) -> ObservingProgramQuerySet:
        """Those that the person leads or is a member of."""
        memberships = _model("ProgramMembership")._default_manager.filter(user=user)
        return self.filter(Q(lead=user) | Q(pk__in=memberships.values("observing_program")))

    def visible_to(self, user: Any) -> ObservingProgramQuerySet:
        """One's own, and those with public data."""
        observed = _executions().filter(public(), obs_unit__observing_program=OuterRef("pk"))
        has_public = Q(proprietary_days__isnull=False) & Q(Exists(observed))
        return self.filter(Q(pk__in=_programs().of(user).values("pk")) | has_public)


class OfProgramQuerySet(models.QuerySet[Any]):
    """Rows with a foreign key to a program, such as its sub-programs."""

    def visible_to(self, user: Any) -> OfProgramQuerySet:
        """Those of programs that the person may see."""
        return self.filter(observing_program__in=_programs().visible_to(user).values("pk"))


class ObsUnitQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> ObsUnitQuerySet:
        """Those of one's own programs, and those by which something public was observed."""
        observed = _executions().filter(public(), obs_unit=OuterRef("pk"))
        has_public = Q(observing_program__proprietary_days__isnull=False) & Q(Exists(observed))
        own = Q(observing_program__in=_programs().of(user).values("pk"))
        return self.filter(own | has_public)


class OfObsUnitQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> OfObsUnitQuerySet:
        """Those about units that the person may see."""
        return self.filter(obs_unit__in=_visible_units(user))


class ConfigurationQuerySet(PolymorphicQuerySet[Any]):
    """Configurations of obs units, of every kind."""

    def visible_to(self, user: Any) -> ConfigurationQuerySet:
        """Those of units that the person may see."""
        return self.filter(obs_unit__in=_visible_units(user))


class ConfigurationManager(PolymorphicManager.from_queryset(ConfigurationQuerySet)):  # type: ignore[misc]
    """Configurations as their own kind."""


class InparParameterQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> InparParameterQuerySet:
        """Those of units that the person may see."""
        return self.filter(chai_observation_configuration__obs_unit__in=_visible_units(user))


class TilingQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> TilingQuerySet:
        """Those of units that the person may see, and those that no unit has yet."""
        return self.filter(Q(obs_unit__isnull=True) | Q(obs_unit__in=_visible_units(user)))


def _model(name: str) -> Any:
    return apps.get_model("planning", name)


def _programs() -> ObservingProgramQuerySet:
    rows: ObservingProgramQuerySet = _model("ObservingProgram").objects.order_by()
    return rows


def _executions() -> models.QuerySet[Any]:
    rows: models.QuerySet[Any] = _model("ExecutedObsUnit").objects.order_by()
    return rows


def _visible_units(user: Any) -> Any:
    return _model("ObsUnit").objects.order_by().visible_to(user).values("pk")
