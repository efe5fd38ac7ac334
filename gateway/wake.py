"""The bell of ``run_gateway``: rung by whoever accepts a call or wants the reference data refreshed."""

from __future__ import annotations

from typing import Final

from django.db import connection

#: The channel on which ``run_gateway`` listens.
GATEWAY: Final = "ccatdc_gateway"


def wake_gateway() -> None:
    """Ring when the current transaction commits (at once outside of one)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [GATEWAY])
