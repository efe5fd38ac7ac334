"""The web process: `gunicorn ccatdc.wsgi`."""

import logging
import os
import sys

from django.core.wsgi import get_wsgi_application
from django.db import DatabaseError, connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ccatdc.settings.base")
# Nobody waits longer for a page; workers and managers have no such limit.
os.environ.setdefault("CCATDC_STATEMENT_TIMEOUT_SECONDS", "30")
application = get_wsgi_application()


def _prepare() -> None:
    """What takes long is made before the first request, not during it."""
    from ccatdc.api import describe

    # A thread that computes gives way to the others after 1 ms instead of 5: /health gives way twenty times.
    sys.setswitchinterval(0.001)
    try:
        describe()
    except DatabaseError:
        logging.getLogger(__name__).warning("The database does not answer: the API is described at the first request.")
    finally:
        # With --preload this is the parent, whose connection the children must not use.
        connections.close_all()


_prepare()
