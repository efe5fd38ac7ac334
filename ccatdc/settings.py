"""Settings, from the environment: one file, one name per fact, loud when something needed is missing.

Names start with ``CCATDC_``, except ``DATABASE_URL``. A secret may be given as ``NAME_FILE``: the path of a file that
holds it. What an operator decides from day to day (sites, locations, priorities, retention, thresholds) is no setting:
it is a row, edited in the portal.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import django_stubs_ext
import environ
from django.core.exceptions import ImproperlyConfigured

from ccatdc import access_settings
from ccatdc.access_settings import LIMITS  # noqa: F401  read by accounts
from ccatdc.github_settings import github_from, github_settings
from ccatdc.portal_look import UNFOLD
from ccatdc.program import program_name
from ccatdc.secondary_settings import at_gateway

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()

# --- Where and as what this process runs ------------------------------------------------------------------------------

DEBUG = env.bool("CCATDC_DEBUG", default=False)
SECRET_KEY = env.str("CCATDC_SECRET_KEY", default="")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "CCATDC_SECRET_KEY is not set. Set it (or CCATDC_SECRET_KEY_FILE) to 50 random characters, the same for all "
            "processes: it signs sessions and the messages that wake the workers. CCATDC_DEBUG=1 makes do without."
        )
    SECRET_KEY = "not-secret-only-for-debugging"  # noqa: S105
ALLOWED_HOSTS = env.list("CCATDC_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CCATDC_CSRF_TRUSTED_ORIGINS", default=[])

vars().update(access_settings.by_name())

# "primary": the data center. "secondary": a gateway at the telescope, which files while the link is cut (gateway/).
SITE_ROLE = env.str("CCATDC_SITE_ROLE", default="primary")
if SITE_ROLE not in ("primary", "secondary"):
    raise ImproperlyConfigured(f"CCATDC_SITE_ROLE is {SITE_ROLE!r}; it is primary or secondary.")
ROOT_URLCONF = "ccatdc.urls"
WSGI_APPLICATION = "ccatdc.wsgi.application"
PORTAL_URL = env.str("CCATDC_PORTAL_URL", default="http://127.0.0.1:8000")

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "ccatdc.portal.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "polymorphic",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_tables2",
    "django_q",
    "pgtrigger",
    "observatory",
    "accounts",
    "planning",
    "datamgmt",
    "transfer",
    "gateway",
    "ccatdc",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "ccatdc.content_policy.ContentPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.ChangesBearAName",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

GITHUB = github_from(env)
if GITHUB is not None:
    vars().update(github_settings(GITHUB, INSTALLED_APPS, MIDDLEWARE))

# --- The database: PostgreSQL, the single source of truth, the queue's broker and the locks ---------------------------

DATABASES = {"default": env.db("DATABASE_URL")}
if DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
    raise ImproperlyConfigured(
        "DATABASE_URL must name a PostgreSQL database; no other engine is supported."
    )
DATABASES["default"].update(
    # A connection lives as long as its process: opening one for each message cost 22 ms of 23.
    CONN_MAX_AGE=None,
    CONN_HEALTH_CHECKS=True,
    OPTIONS={
        # A dead network must end in an error well before a lease runs out (transfer/lease.py).
        "connect_timeout": 10,
        "tcp_user_timeout": 30_000,
        "keepalives": 1,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        # History says by it which command changed something.
        "application_name": env.str("CCATDC_APPLICATION_NAME", default=program_name(sys.argv)),
        # Lists of the newest among millions: an index on the order alone must not seem cheaper than the one that was made for
        # the list, and a query of milliseconds must not be compiled.
        "options": "-c random_page_cost=1.1 -c jit=off",
        **DATABASES["default"].get("OPTIONS", {}),
    },
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# History (ccatdc/tracked.py): its triggers follow from the code after each migrate, so that no migration holds their text.
PGTRIGGER_MIGRATIONS = PGTRIGGER_SCHEMA_EDITOR = False
PGHISTORY_MIDDLEWARE_METHODS = ("POST", "PUT", "PATCH", "DELETE")

# --- Workers: django-q2 hosts the processes and rings the bell; the operation row decides (transfer/runner.py) -----------

# It warns about a missing timeout when it is imported; ours is missing on purpose (below).
warnings.filterwarnings("ignore", message="Retry and timeout are misconfigured")
Q_CLUSTER = {
    # The salt of the message signature: the same for every process, or messages are thrown away as forged.
    "name": "ccatdc",
    "orm": "default",
    "broker_class": "transfer.broker.WakingBroker",
    # Without this key django-q2 fails when Q_CLUSTER_NAME is set; with it any location is a valid cluster name.
    "ALT_CLUSTERS": {},
    "workers": env.int("CCATDC_WORKERS", default=1),
    # Prefetched messages wait behind a long operation although another cluster is free: keep the hand small.
    "queue_limit": 1,
    "bulk": 1,
    # Seconds that the broker waits in LISTEN; also how long a stop may take.
    "poll": 5,
    "guard_cycle": 1,
    # Seconds until an unclaimed message is offered again. The claim deletes it, so this may be shorter than an operation.
    "retry": 60,
    # Leases and progress (transfer/lease.py, transfer/watchdog.py) replace django-q2's timeout and attempts.
    "timeout": None,
    "ack_failures": True,
    "max_attempts": 1,
    "save_limit": -1,
    "recycle": 10**9,
    "catch_up": False,
    "scheduler": False,
    "log_level": "WARNING",
}
# A lease is renewed at a sixth of this; a worker that cannot renew for two thirds of it ends itself.
LEASE_SECONDS = env.float("CCATDC_LEASE_SECONDS", default=300.0)
# The first wait after a failure; doubled each time, with jitter, up to the maximum.
RETRY_BASE_SECONDS = env.float("CCATDC_RETRY_BASE_SECONDS", default=60.0)
RETRY_MAX_SECONDS = env.float("CCATDC_RETRY_MAX_SECONDS", default=3600.0)
# How often managers look although nothing woke them.
MANAGER_POLL_SECONDS = env.float("CCATDC_MANAGER_POLL_SECONDS", default=30.0)
LOG_DIR = Path(env.str("CCATDC_LOG_DIR", default=str(BASE_DIR / "var" / "log")))

# --- The site gateway: at the telescope only (gateway/) ---------------------------------------------------------------

# Where the main site is, and the token of this gateway there (scopes write:observations, relay:observations,
# mirror:reference).
PRIMARY_URL = env.str("CCATDC_PRIMARY_URL", default="").rstrip("/")
PRIMARY_TOKEN = env.str("CCATDC_PRIMARY_TOKEN", default="").strip()
# Connections to the main site: so many observations are sent at a time.
GATEWAY_CONNECTIONS = env.int("CCATDC_GATEWAY_CONNECTIONS", default=8)
# How often the reference data is asked for. An unchanged one costs one short request.
GATEWAY_REFRESH_SECONDS = env.float("CCATDC_GATEWAY_REFRESH_SECONDS", default=60.0)
# The longest wait between two tries of a link that is down, and of a call that the main site failed over.
GATEWAY_RETRY_MAX_SECONDS = env.float("CCATDC_GATEWAY_RETRY_MAX_SECONDS", default=60.0)
# From when on /health and the portal warn: of a backlog, and of an old copy of the reference data.
GATEWAY_BACKLOG_MAX_SECONDS = env.float("CCATDC_GATEWAY_BACKLOG_MAX_SECONDS", default=900.0)
GATEWAY_REFERENCE_MAX_SECONDS = env.float("CCATDC_GATEWAY_REFERENCE_MAX_SECONDS", default=86_400.0)
# How long calls are kept that the main site has.
GATEWAY_KEEP_DAYS = env.float("CCATDC_GATEWAY_KEEP_DAYS", default=30.0)

# --- People and programs that log in ----------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.RoleBackend"]

# --- The API ----------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    # A view that does not say what it needs is closed to everybody.
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.RolePermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["ccatdc.common.api.StrictJsonParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "ccatdc.common.api.AlwaysJson",
    # Nobody sees more than they may, then what was asked for.
    "DEFAULT_FILTER_BACKENDS": [
        "accounts.visibility.VisibleRows",
        "django_filters.rest_framework.DjangoFilterBackend",
    ],
    "DEFAULT_SCHEMA_CLASS": "ccatdc.common.openapi.ProblemSchema",
    "DEFAULT_PAGINATION_CLASS": "ccatdc.common.api_pages.KeysetPagination",
    "PAGE_SIZE": 100,
    "EXCEPTION_HANDLER": "ccatdc.common.problems.problem_response",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "CCAT Data Center",
    "DESCRIPTION": "File observations and their files, follow them to the archive, stage them for analysis.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    # The user interface is served from our own host: the telescope has no other.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "Status": "ccatdc.common.states.Status",
        "ExecutionStatus": "planning.models.executions.ExecutionStatus",
        "ExecutionEnd": "datamgmt.api.filing_serializers.ENDED",
        "ModuleConfigurationType": "observatory.models.configurations.ModuleConfigurationType",
        "ObservationConfigurationType": "planning.models.configurations.ObservationConfigurationType",
        "SourceType": "planning.models.sources.SourceType",
        "ObsUnitState": "planning.models.obs_units.ObsUnitState",
        "PackageState": "datamgmt.states.PackageState",
        "CopyStatus": "datamgmt.states.PhysicalCopyStatus",
        "ChecksumAlgorithm": "datamgmt.models.files.ChecksumAlgorithm",
    },
}
MAX_WAITERS = env.int("CCATDC_MAX_WAITERS", default=2)  # datamgmt/milestones.py, per process
# Ten thousand files in one call are about 5 MB of JSON.
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024

# --- Pages ------------------------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = ["ccatdc.formats"]
STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("CCATDC_STATIC_ROOT", default=str(BASE_DIR / "var" / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG
DJANGO_TABLES2_TEMPLATE = "tables/table.html"
# --- Mail and logs ----------------------------------------------------------------------------------------------------

EMAIL_CONFIG = env.email_url("CCATDC_EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = env.str("CCATDC_EMAIL_FROM", default="ccatdc@localhost")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name} [{process}] {message}", "style": "{"}
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("CCATDC_LOG_LEVEL", default="INFO")},
    "loggers": {
        "django-q": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "botocore": {"level": "WARNING"},
        "boto3": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
    },
}
os.environ.setdefault("PYTHONUNBUFFERED", "1")

if SITE_ROLE == "secondary":
    vars().update(at_gateway(INSTALLED_APPS, UNFOLD))
