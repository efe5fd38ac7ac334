"""The web process: `gunicorn ccatdc.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ccatdc.settings.base")
# Nobody waits longer for a page; workers and managers have no such limit.
os.environ.setdefault("CCATDC_STATEMENT_TIMEOUT_SECONDS", "30")
application = get_wsgi_application()
