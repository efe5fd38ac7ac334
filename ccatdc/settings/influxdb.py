"""Where figures are written, if anywhere: part of ccatdc/settings/base.py."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured


def influxdb_from(env: Any) -> dict[str, Any] | None:
    """The fields of ccatdc.metrics.influxdb.InfluxDB; None where the environment names none. Raises ImproperlyConfigured
    where it says half.
    """
    url = env.str("CCATDC_INFLUXDB_URL", default="").strip().rstrip("/")
    if not url:
        return None
    found = {
        name: env.str(f"CCATDC_INFLUXDB_{name.upper()}", default="").strip()
        for name in ("database", "username", "password", "bucket", "organisation", "token")
    }
    if bool(found["database"]) == bool(found["bucket"]):
        raise ImproperlyConfigured(
            "CCATDC_INFLUXDB_URL needs one of CCATDC_INFLUXDB_DATABASE (version 1) and CCATDC_INFLUXDB_BUCKET (version 2)."
        )
    if found["bucket"] and not (found["organisation"] and found["token"]):
        raise ImproperlyConfigured(
            "CCATDC_INFLUXDB_BUCKET needs CCATDC_INFLUXDB_ORGANISATION and CCATDC_INFLUXDB_TOKEN."
        )
    seconds = env.float("CCATDC_INFLUXDB_SECONDS", default=30.0)
    if not 5 <= seconds <= 3600:
        raise ImproperlyConfigured("CCATDC_INFLUXDB_SECONDS is from 5 to 3600.")
    return {"url": url, "seconds": seconds, **found}
