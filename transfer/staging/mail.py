"""Mails about staging jobs: beside the flow and never in it.

The row decides: a job that is over and whose requester was not told since is told, at least once. Sent by a thread of
``run_managers``, so that a mail server that does not answer holds up nothing but mails.
"""

from __future__ import annotations

import logging
import threading
from smtplib import SMTPException, SMTPRecipientsRefused
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now

from ccatdc.common.states import Status
from datamgmt.models import DataLocation
from transfer.engine.database import DATABASE_AWAY
from transfer.models import StagingJob

logger = logging.getLogger(__name__)

#: Seconds that a mail server may take.
MAIL_SECONDS: Final = 10
#: Seconds between two looks, and after a failure: doubled each time, up to the most.
LOOK_SECONDS: Final = 3.0
LONGEST_WAIT_SECONDS: Final = 600.0
#: One sender at a time, of all processes.
_LOCK: Final = 6_027_733


def send_waiting() -> int:
    """Tell the requesters of jobs that are over; how many were told. SMTPException or OSError when the server refuses."""
    if not StagingJob.objects.to_tell().exists():
        return 0
    told = 0
    with get_connection(timeout=MAIL_SECONDS) as server:
        while _tell_next(server):
            told += 1
    return told


def _tell_next(server: Any) -> bool:
    """One mail, under a lock that no other work needs; False when nothing waits or another process sends."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        (is_ours,) = cursor.fetchone()
        job = (
            StagingJob.objects.to_tell().select_related("requested_by").defer("requested_by__password").first()
            if is_ours
            else None
        )
        if job is None:
            return False
        try:
            _mail_about(job, server).send()
        except SMTPRecipientsRefused:
            logger.warning("The address of %s is refused: staging job %s is not told.", job.requested_by, job.pk)
        StagingJob.objects.filter(pk=job.pk).update(notified_at=Greatest(Now(), F("finished_at")))
    return True


def _mail_about(job: StagingJob, server: Any) -> EmailMessage:
    """Where the data is, or that it is not."""
    location: Any = DataLocation.objects.with_site().get(pk=job.destination_location_id)
    folder = f"{location.path.rstrip('/')}/{job.folder_key}"
    # A name of several lines is from before these were refused.
    what = " ".join(f"{job}: {job.get_status_display().lower()}.".split())
    lines = [
        what,
        f"Your data is in {folder} until {job.expires_at:%Y-%m-%d %H:%M} UTC."
        if job.status == Status.COMPLETED
        else job.failure_error_message,
        f"Follow or extend it at {settings.PORTAL_URL}/staging/jobs/{job.pk}/",
    ]
    return EmailMessage(f"[CCAT] {what}", "\n\n".join(lines), None, [job.requested_by.email], connection=server)


class MailThread(threading.Thread):
    """Sends what waits, until :meth:`stop`."""

    def __init__(self) -> None:
        super().__init__(name="mail", daemon=True)
        self._stopped = threading.Event()

    def run(self) -> None:
        wait = LOOK_SECONDS
        while not self._stopped.wait(wait):
            try:
                send_waiting()
                wait = LOOK_SECONDS
            except DATABASE_AWAY:
                connection.close()
            except (SMTPException, OSError):
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)
                logger.exception("Mails wait: the mail server refused. Next try in %.0f s.", wait)
        connection.close()

    def stop(self) -> None:
        """Send nothing more; what is being sent may end with the process."""
        self._stopped.set()
