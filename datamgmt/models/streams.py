"""Files and packages of data streams, and the observations that they overlap.

Nothing is stored about it: both have times, and an index of their time ranges. A stream belongs to the observations of
its instrument and to those of no particular instrument at its telescope; one of the telescope to all of them there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.contrib.postgres.lookups import Overlap
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from observatory.models import DataStream
from planning.models import ExecutedObsUnit
from planning.models.executions import time_range
from planning.models.visibility import observed_for

#: Files and packages of data streams. The indexes of their times hold no others: queries name it to use them.
IS_OF_STREAM: Final = Q(executed_obs_unit__isnull=True, data_stream__isnull=False)


def in_streams_overlapping(execution: ExecutedObsUnit) -> Q:
    """Files or packages of data streams with data of the time of this execution; until now, where it still runs."""
    unit = execution.obs_unit
    of_telescope = Q(instrument_module__instrument__telescope=unit.telescope_id)
    if unit.obs_mode.instrument_id is not None:
        own = Q(instrument_module__instrument=unit.obs_mode.instrument_id)
        of_telescope = own | (of_telescope & Q(of_telescope=True))
    streams = DataStream.objects.order_by().filter(of_telescope).values("pk")
    end = execution.end_time or max(timezone.now(), execution.start_time)
    return IS_OF_STREAM & Q(data_stream__in=streams) & Q(Overlap(time_range(), time_range(execution.start_time, end)))


def belonging_to(rows: Any, execution: UUID) -> Any:
    """Files or packages that belong to the execution with this id; none where there is none."""
    found = ExecutedObsUnit.objects.select_related("obs_unit__obs_mode").filter(pk=execution).first()
    return rows.none() if found is None else rows.belonging_to(found)


def with_files_of_streams(executions: Any, files: Any) -> Any:
    """Those of the executions that some of these files of data streams overlap."""
    instrument = "data_stream__instrument_module__instrument"
    times = Overlap(time_range(), time_range(OuterRef("start_time"), OuterRef("end_time")))
    overlapping = files.filter(IS_OF_STREAM & Q(times))
    at_telescope = overlapping.filter(**{f"{instrument}__telescope": OuterRef("obs_unit__telescope")})
    own = Q(Exists(overlapping.filter(**{instrument: OuterRef("obs_unit__obs_mode__instrument")})))
    of_none = Q(obs_unit__obs_mode__instrument__isnull=True) & Q(Exists(at_telescope))
    of_telescope = Q(Exists(at_telescope.filter(data_stream__of_telescope=True)))
    return executions.filter(own | of_none | of_telescope, end_time__isnull=False)


def executions_overlapping(files: Iterable[Any]) -> Any:
    """Executions that some of these files of data streams overlap; files of other kinds count for none."""
    rows = [file for file in files if file.data_stream_id is not None and file.executed_obs_unit_id is None]
    if not rows:
        return ExecutedObsUnit.objects.none()
    around = ExecutedObsUnit.objects.order_by().overlapping(
        min(file.start_time for file in rows), max(file.end_time for file in rows)
    )
    return with_files_of_streams(around, type(rows[0]).objects.order_by().filter(pk__in=[file.pk for file in rows]))


def in_streams_for(user: Any) -> Q:
    """Files or packages of data streams that a person may see: public ones, and those that overlap an observation that
    they may see. One that still runs does not count: nobody knows yet how long it is.
    """
    instrument = "data_stream__instrument_module__instrument"
    is_of_instrument = Q(obs_unit__obs_mode__instrument=OuterRef(instrument))
    is_of_none = Q(obs_unit__obs_mode__instrument__isnull=True)
    is_at_telescope = Q(obs_unit__telescope=OuterRef(f"{instrument}__telescope"))
    theirs = ExecutedObsUnit.objects.order_by().filter(observed_for(user))
    overlapping = theirs.overlapping(OuterRef("start_time"), OuterRef("end_time"))
    own = Exists(overlapping.filter(is_of_instrument | (is_of_none & is_at_telescope)))
    others = Q(data_stream__of_telescope=True) & Q(Exists(overlapping.filter(is_at_telescope)))
    return IS_OF_STREAM & (Q(data_stream__is_public=True) | Q(own) | others)
