"""Where lines of logs go, and how they look: standard error, as text or as JSON."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from pythonjsonlogger.core import RESERVED_ATTRS

#: Our own, beside what every line has; the request itself is no text.
_NOT_SHOWN: Final = [*RESERVED_ATTRS, "ids", "request"]
FORMATS: Final[dict[str, dict[str, Any]]] = {
    "text": {"format": "{asctime} {levelname} {name} [{process}] {message}{ids}", "style": "{"},
    "json": {
        "()": "pythonjsonlogger.json.JsonFormatter",
        "fmt": ["levelname", "name", "process", "message"],
        "rename_fields": {"levelname": "level", "name": "logger", "exc_info": "traceback"},
        "reserved_attrs": _NOT_SHOWN,
        "timestamp": "time",
    },
}


def logging_settings(form: str, level: str) -> dict[str, Any]:
    """Django's LOGGING. Raises ImproperlyConfigured for a form that there is not."""
    if form not in FORMATS:
        raise ImproperlyConfigured(f"CCATDC_LOG_FORMAT is {form!r}; it is {' or '.join(FORMATS)}.")
    quiet = ("axes", "botocore", "boto3", "httpx")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"ids": {"()": "ccatdc.common.logs.Ids"}},
        "formatters": {"line": {**FORMATS[form]}},  # a copy: who reads it takes it apart
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["ids"]}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django-q": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            **{name: {"level": "WARNING"} for name in quiet},
        },
    }
