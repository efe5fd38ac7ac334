"""What tests of faults share: everything to its end, and an independent look at it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
from django.db import connection
from django.db.models import F

from ccatdc.common.states import Status
from checker.check import Report, check
from datamgmt.models import UnrecordedFile
from tests.flow import Flow
from transfer.models import Operation

ALL = ("package", "bundle", "transfer", "unpack", "archive", "resend", "scrub", "delete")


def failed() -> list[tuple[str, str, str]]:
    """What waits for a person."""
    rows = Operation.objects.non_polymorphic().filter(status=Status.FAILED)
    return list(rows.values_list("operation_type", "error_code", "error_message"))


def at_rest(flow: Flow) -> Report:
    """Everything has come to its end, what was left is swept; what the checker says then."""
    flow.run(*ALL)
    for _ in range(2):
        for place in ("monitor", "inventory"):
            flow.run(place)
        UnrecordedFile.objects.update(found_at=F("found_at") - timedelta(days=1))
    with psycopg.connect(**parameters(), autocommit=True) as database:
        return check(database)


def parameters() -> dict[str, Any]:
    """Of the connection to the test's database."""
    left_out = ("context", "cursor_factory", "prepare_threshold")
    return {name: value for name, value in connection.get_connection_params().items() if name not in left_out}
