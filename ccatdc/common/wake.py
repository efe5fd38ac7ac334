"""Waking the managers: whoever leaves work behind rings once, in its transaction.

Stands below every app, so that filing (0) and the engine ring the same bell. PostgreSQL delivers
the notice when the transaction commits, and equal notices of one transaction once; with nobody
listening it is lost, and the managers' poll finds the work.
"""

from __future__ import annotations

from typing import Final

from django.db import connection

#: The channel on which ``run_managers`` listens.
MANAGERS: Final = "ccatdc_managers"


def wake_managers() -> None:
    """Ring when the current transaction commits (at once outside of one)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [MANAGERS])
