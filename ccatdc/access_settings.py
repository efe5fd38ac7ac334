"""Settings of who comes in and how: cookies, TLS, sessions, log-in, rates. Part of ccatdc/settings.py.

Without CCATDC_DEBUG everything is as production needs it; only CCATDC_PLAIN_HTTP opens it for a machine on its own
(docs/operations/security.md).
"""

from __future__ import annotations

from typing import Any, Final

import environ
from django.urls import reverse_lazy

from ccatdc.common.limits import Limits

_env = environ.FileAwareEnv()
_tls: Final[bool] = not (
    _env.bool("CCATDC_DEBUG", default=False) or _env.bool("CCATDC_PLAIN_HTTP", default=False)
)
_behind_proxy: Final[bool] = _env.bool("CCATDC_BEHIND_TLS_PROXY", default=False)
_VALIDATION: Final = "django.contrib.auth.password_validation"

# --- TLS and cookies --------------------------------------------------------------------------------------------------

SESSION_COOKIE_SECURE = _tls
CSRF_COOKIE_SECURE = _tls
SECURE_SSL_REDIRECT = _tls
# Asked by load balancers on the machine itself.
SECURE_REDIRECT_EXEMPT = [r"^health$"]
SECURE_HSTS_SECONDS: int = _env.int("CCATDC_HSTS_SECONDS", default=31_536_000) if _tls else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS: bool = _env.bool("CCATDC_HSTS_SUBDOMAINS", default=False)
# Other hosts below our name, and the lists of browsers, are not ours to decide about.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _behind_proxy else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = int(3600 * _env.float("CCATDC_SESSION_HOURS", default=12.0))

# --- Passwords --------------------------------------------------------------------------------------------------------

LOGIN_URL = reverse_lazy("login")
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATION}.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATION}.NumericPasswordValidator"},
]

# --- Guessing, and asking too often (accounts/log_in.py, accounts/rates.py) -------------------------------------------

LIMITS = Limits(
    proxies=_env.int("CCATDC_PROXIES", default=1 if _behind_proxy else 0),
    window_seconds=_env.float("CCATDC_LOG_IN_WINDOW_SECONDS", default=900.0),
    failures_per_account=_env.int("CCATDC_LOG_IN_FAILURES_PER_ACCOUNT", default=10),
    failures_per_address=_env.int("CCATDC_LOG_IN_FAILURES_PER_ADDRESS", default=50),
    bad_tokens_per_address=_env.int("CCATDC_TOKEN_FAILURES_PER_ADDRESS", default=300),
    token_requests_per_minute=_env.int("CCATDC_TOKEN_REQUESTS_PER_MINUTE", default=30_000),
    # gunicorn's own variable says how many processes there are.
    web_workers=max(1, _env.int("WEB_CONCURRENCY", default=1)),
)


def by_name() -> dict[str, Any]:
    """All of them, for ccatdc/settings.py."""
    return {name: value for name, value in globals().items() if name.isupper()}
