"""Settings of the tests: the real database, the real queue, a fast password hasher, leases of seconds."""

from __future__ import annotations

import os

os.environ.setdefault("CCATDC_DEBUG", "1")
os.environ.setdefault("CCATDC_LEASE_SECONDS", "6")
os.environ.setdefault("CCATDC_RETRY_BASE_SECONDS", "0.2")
os.environ.setdefault("CCATDC_MANAGER_POLL_SECONDS", "2")

from ccatdc.settings.base import *  # noqa: F403

DEBUG = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
