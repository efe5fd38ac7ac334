"""Settings of who comes in and how: cookies, TLS, sessions, log-in, rates. Part of ccatdc/settings/base.py.

Without CCATDC_DEBUG everything is as production needs it; only CCATDC_PLAIN_HTTP opens it for a machine on its own
(docs/operations/security.md).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import environ
from django.urls import reverse_lazy

_env = environ.FileAwareEnv()
_tls: Final[bool] = not (_env.bool("CCATDC_DEBUG", default=False) or _env.bool("CCATDC_PLAIN_HTTP", default=False))
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
SESSION_ENGINE = "accounts.sessions"
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

PASSWORD_RESET_TIMEOUT = 3600

# --- Guessing, and asking too often (accounts/auth/guessing.py, accounts/rates.py) ------------------------------------

# Our own proxies that a request passes: so many entries of X-Forwarded-For are believed.
PROXIES: int = _env.int("CCATDC_PROXIES", default=1 if _behind_proxy else 0)
# gunicorn's own variable says how many processes there are; each gives out its part of a limit that it keeps itself.
WEB_WORKERS: int = max(1, _env.int("WEB_CONCURRENCY", default=1))
TOKEN_REQUESTS_PER_MINUTE: int = _env.int("CCATDC_TOKEN_REQUESTS_PER_MINUTE", default=30_000)
_window: Final[int] = _env.int("CCATDC_LOG_IN_WINDOW_SECONDS", default=900)
THROTTLE_RATES: dict[str, str] = {
    "log_in": f"{_env.int('CCATDC_LOG_INS_PER_ADDRESS', default=100)}/{_window}",
    "anonymous": f"{_env.int('CCATDC_ANONYMOUS_REQUESTS_PER_MINUTE', default=60)}/60",
    "token": f"{_env.int('CCATDC_TOKEN_FAILURES_PER_ADDRESS', default=300)}/{_window}",
}
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "accounts.auth.backend.RoleBackend"]
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT: int = _env.int("CCATDC_LOG_IN_FAILURES_PER_ACCOUNT", default=10)
AXES_COOLOFF_TIME: timedelta = timedelta(seconds=_window)
AXES_RESET_ON_SUCCESS = True
# What is refused unseen counts for nothing, so that the wait has an end.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # the audit log and the rows of sessions say who was here
AXES_ENABLE_ADMIN = False  # the portal has its own page (accounts/admin/people.py)
AXES_VERBOSE = False
AXES_CLIENT_IP_CALLABLE = "accounts.addresses.client_address"
AXES_USERNAME_CALLABLE = "accounts.auth.guessing.account_of"
AXES_CLIENT_STR_CALLABLE = "accounts.auth.guessing.client_in_log"
AXES_LOCKOUT_CALLABLE = "accounts.auth.guessing.locked_out"
