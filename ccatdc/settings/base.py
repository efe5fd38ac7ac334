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
from typing import Any

import django_stubs_ext
import environ
from django.core.exceptions import ImproperlyConfigured

from ccatdc.portal.theme import UNFOLD
from ccatdc.settings.access import *  # noqa: F403
from ccatdc.settings.gateway import at_gateway
from ccatdc.settings.github import github_from, github_settings
from ccatdc.settings.influxdb import influxdb_from
from ccatdc.settings.logs import logging_settings
from ccatdc.settings.program import program_name

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent.parent
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

# "primary": the data center. "gateway": the telescope's own site, which files while the link is cut (gateway/); the
# software of the observatory calls it "secondary", so that name is understood too.
SITE_ROLE = env.str("CCATDC_SITE_ROLE", default="primary").replace("secondary", "gateway")
if SITE_ROLE not in ("primary", "gateway"):
    raise ImproperlyConfigured(f"CCATDC_SITE_ROLE is {SITE_ROLE!r}; it is primary or gateway.")
ROOT_URLCONF = "ccatdc.urls"
WSGI_APPLICATION = "ccatdc.wsgi.application"
# Whom who has no account asks for one: a mail address or the address of a page, shown to everybody.
CONTACT = env.str("CCATDC_CONTACT", default="")
PORTAL_URL = env.str("CCATDC_PORTAL_URL", default="http://127.0.0.1:8000")

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "ccatdc.portal.site.PortalAdminConfig",
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
    "axes",
    "pgtrigger",
    "observatory",
    "accounts",
    "notifications",
    "planning",
    "datamgmt",
    "transfer",
    "gateway",
    "ccatdc",
]

MIDDLEWARE = [
    "ccatdc.common.logs.RequestIds",
    "django.middleware.security.SecurityMiddleware",
    "ccatdc.content_policy.ContentPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.auth.middleware.ChangesBearAName",
    "accounts.auth.middleware.UseOfSessions",
    "accounts.auth.middleware.KeptByNobody",
    "accounts.auth.middleware.TooCostly",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
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
            ]
        },
    }
]

GITHUB = github_from(env)
if GITHUB is not None:
    vars().update(github_settings(GITHUB, INSTALLED_APPS, MIDDLEWARE))

# --- The database: PostgreSQL, the single source of truth, the queue's broker and the locks ---------------------------

DATABASES = {"default": env.db("DATABASE_URL")}
# DATABASE_URL says where the database is; what a shell prescribes for libpq would change it silently.
for _name in ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGOPTIONS", "PGREQUIREAUTH",
              "PGCHANNELBINDING", "PGTARGETSESSIONATTRS", "PGGSSENCMODE"):  # fmt: skip
    os.environ.pop(_name, None)
if DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
    raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database; no other engine is supported.")
DATABASES["default"].update(
    # A connection lives as long as its process: opening one for each message cost 22 ms of 23.
    CONN_MAX_AGE=None,
    CONN_HEALTH_CHECKS=True,
    OPTIONS={
        # A dead network must end in an error well before a lease runs out (transfer/engine/worker/lease.py).
        "connect_timeout": 10,
        "tcp_user_timeout": 30_000,
        "keepalives": 1,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        # History says by it which command changed something.
        "application_name": env.str("CCATDC_APPLICATION_NAME", default=program_name(sys.argv)),
        # Lists of the newest among millions: an index on the order alone must not seem cheaper than the one that was
        # made for the list, and a query of milliseconds must not be compiled. Web processes have a limit of time
        # (ccatdc/wsgi.py): a question that is too costly ends with an answer; 0 is none.
        "options": "-c random_page_cost=1.1 -c jit=off"
        f" -c statement_timeout={int(1000 * env.float('CCATDC_STATEMENT_TIMEOUT_SECONDS', default=0))}",
        **DATABASES["default"].get("OPTIONS", {}),
    },
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# History (ccatdc/audited_models.py): its triggers follow from the code after each migrate, so that no migration holds their text.
PGTRIGGER_MIGRATIONS = PGTRIGGER_SCHEMA_EDITOR = False
PGHISTORY_MIDDLEWARE_METHODS = ("POST", "PUT", "PATCH", "DELETE")

# --- Workers: django-q2 has the queue and the loop of a worker; the operation row decides (transfer/engine/worker/runner.py) -----------

# It warns about a missing timeout when it is imported; ours is missing on purpose (below).
warnings.filterwarnings("ignore", message="Retry and timeout are misconfigured")
Q_CLUSTER = {
    "orm": "default",
    "workers": env.int("CCATDC_WORKERS", default=1),
    # Seconds that an idle worker waits in LISTEN before it looks again.
    "poll": 5,
    # Seconds until an unclaimed message is offered again. The claim deletes it, so this may be shorter than an operation.
    "retry": 60,
    # Leases and progress (transfer/engine/worker/lease.py, transfer/engine/watchdog.py) replace django-q2's timeout and attempts.
    "timeout": None,
    # A worker is replaced after so many operations, or at this much memory (KiB), whatever leaked in it.
    "recycle": 5000,
    "max_rss": env.int("CCATDC_WORKER_MAX_MIB", default=1024) * 1024,
    "log_level": "WARNING",
}
# A lease is renewed at a sixth of this; a worker that cannot renew for two thirds of it ends itself.
LEASE_SECONDS = env.float("CCATDC_LEASE_SECONDS", default=300.0)
# The first wait after a failure; doubled each time, with jitter, up to the maximum.
RETRY_BASE_SECONDS = env.float("CCATDC_RETRY_BASE_SECONDS", default=60.0)
RETRY_MAX_SECONDS = env.float("CCATDC_RETRY_MAX_SECONDS", default=3600.0)
# A circuit breaker that opened tries with one operation after this, then at waits that double up to the longest.
BREAKER_FIRST_SECONDS = env.float("CCATDC_BREAKER_FIRST_SECONDS", default=15.0)
BREAKER_LONGEST_SECONDS = env.float("CCATDC_BREAKER_LONGEST_SECONDS", default=120.0)
# How often managers look although nothing woke them.
MANAGER_POLL_SECONDS = env.float("CCATDC_MANAGER_POLL_SECONDS", default=30.0)
LOG_DIR = Path(env.str("CCATDC_LOG_DIR", default=str(BASE_DIR / "var" / "log")))

# --- Queries of the Virtual Observatory (transfer/tap) ------------------------------------------------------------------

# Who publishes, as registered with the IVOA: a part of the names of data sets.
IVOA_AUTHORITY = env.str("CCATDC_IVOA_AUTHORITY", default="ccat.invalid")
# At once: seconds of a query, rows of an answer where nothing is said, and at most. Less than the web process waits.
TAP_SECONDS = env.float("CCATDC_TAP_SECONDS", default=20.0)
TAP_ROWS = env.int("CCATDC_TAP_ROWS", default=10_000)
TAP_MAX_ROWS = env.int("CCATDC_TAP_MAX_ROWS", default=100_000)
# As a job.
TAP_JOB_SECONDS = env.int("CCATDC_TAP_JOB_SECONDS", default=600)
TAP_JOB_ROWS = env.int("CCATDC_TAP_JOB_ROWS", default=1_000_000)
# How many run at a time in the whole database, so that the others go on as before.
TAP_QUERIES = env.int("CCATDC_TAP_QUERIES", default=4)
RESULT_DIR = Path(env.str("CCATDC_RESULT_DIR", default=str(BASE_DIR / "var" / "results")))

# --- Backups (manage.py backup and restore) -----------------------------------------------------------------------------

# The folder of pg_dump and its kin, of the server's version; empty: those in PATH.
PG_BIN = env.str("CCATDC_PG_BIN", default="")
# The first page says when the newest verified backup is older than this. 0: nobody looks.
BACKUP_MAX_AGE_HOURS = env.float("CCATDC_BACKUP_MAX_AGE_HOURS", default=0.0 if DEBUG else 26.0)

# Figures for an InfluxDB, beside /metrics: run_notifications writes them, where one is named.
INFLUXDB = influxdb_from(env)

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

# --- The API ----------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.auth.tokens.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    # A view that does not say what it needs is closed to everybody.
    "DEFAULT_PERMISSION_CLASSES": ["accounts.auth.permissions.RolePermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["ccatdc.common.api.parsers.StrictJsonParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "ccatdc.common.api.parsers.AlwaysJson",
    # Nobody sees more than they may, then what was asked for.
    "DEFAULT_FILTER_BACKENDS": [
        "accounts.auth.visibility.VisibleRows",
        "django_filters.rest_framework.DjangoFilterBackend",
    ],
    "DEFAULT_SCHEMA_CLASS": "ccatdc.common.api.schema.ProblemSchema",
    "DEFAULT_PAGINATION_CLASS": "ccatdc.common.api.pagination.KeysetPagination",
    "PAGE_SIZE": 100,
    "EXCEPTION_HANDLER": "ccatdc.common.api.problems.problem_response",
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
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "ccatdc.common.api.schema.say_limits_of_parameters",
    ],
    "ENUM_NAME_OVERRIDES": {
        "Status": "ccatdc.common.states.Status",
        "ExecutionStatus": "planning.models.executions.ExecutionStatus",
        "ExecutionEnd": "datamgmt.api.filing_serializers.ENDED",
        "RunStatus": "datamgmt.models.runs.RunStatus",
        "RunEnd": "datamgmt.api.products.serializers.ENDS",
        "ProductLevel": "datamgmt.models.products.ProductLevel",
        "ModuleConfigurationType": "observatory.models.configurations.ModuleConfigurationType",
        "ObservationConfigurationType": "planning.models.configurations.ObservationConfigurationType",
        "SourceType": "planning.models.sources.SourceType",
        "OffsetFrame": "planning.models.chai.OffsetFrame",
        "ObsUnitState": "planning.models.obs_units.ObsUnitState",
        "PackageState": "datamgmt.states.PackageState",
        "JobStatus": "transfer.models.jobs.JobStatus",
        "ProcessingJobStatus": "transfer.models.runs.JobStatus",
        "CopyStatus": "datamgmt.states.PhysicalCopyStatus",
        "ChecksumAlgorithm": "datamgmt.models.files.ChecksumAlgorithm",
    },
}
MAX_WAITERS = env.int("CCATDC_MAX_WAITERS", default=2)  # datamgmt/filing/milestones.py, per process
# Downloads occupy threads of web processes (transfer/downloads/limits.py). GB are 10^9 bytes; 0 MB/s is no limit.
DOWNLOAD_STREAMS_PER_USER = env.int("CCATDC_DOWNLOAD_STREAMS_PER_USER", default=3)
DOWNLOAD_STREAMS_PER_PROCESS = env.int("CCATDC_DOWNLOAD_STREAMS_PER_PROCESS", default=4)
DOWNLOAD_MAX_GB = env.float("CCATDC_DOWNLOAD_MAX_GB", default=100.0)
DOWNLOAD_MAX_GB_PER_DAY = env.float("CCATDC_DOWNLOAD_MAX_GB_PER_DAY", default=1000.0)
DOWNLOAD_MB_PER_S = env.float("CCATDC_DOWNLOAD_MB_PER_S", default=100.0)
DOWNLOAD_MAX_SECONDS = env.float("CCATDC_DOWNLOAD_MAX_SECONDS", default=4 * 3600.0)
# A client that takes nothing for so long is left.
DOWNLOAD_STALL_SECONDS = env.float("CCATDC_DOWNLOAD_STALL_SECONDS", default=30.0)
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
STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Logs of operations: on disk, or in a bucket that workers and portal reach from everywhere.
    "logs": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": LOG_DIR}},
    # Answers to queries that run as jobs: written by run_notifications, read by the web.
    "results": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": RESULT_DIR}},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
if env.str("CCATDC_LOG_BUCKET", default=""):
    STORAGES["logs"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": env.str("CCATDC_LOG_BUCKET"),
            "endpoint_url": env.str("CCATDC_LOG_S3_ENDPOINT", default=None),
            "region_name": env.str("CCATDC_LOG_S3_REGION", default=None),
            "access_key": env.str("CCATDC_LOG_S3_ACCESS_KEY"),
            "secret_key": env.str("CCATDC_LOG_S3_SECRET_KEY"),
            "file_overwrite": True,
        },
    }
    STORAGES["results"] = {
        "BACKEND": STORAGES["logs"]["BACKEND"],
        "OPTIONS": {**STORAGES["logs"]["OPTIONS"], "location": "results"},
    }
WHITENOISE_USE_FINDERS = DEBUG
DJANGO_TABLES2_TEMPLATE = "tables/table.html"
# --- Mail and logs ----------------------------------------------------------------------------------------------------

EMAIL_CONFIG = env.email_url("CCATDC_EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = env.str("CCATDC_EMAIL_FROM", default="ccatdc@localhost")

# "text" for people at a screen, "json" for what collects lines: one object a line, with ids (ccatdc/common/logs.py).
LOGGING = logging_settings(env.str("CCATDC_LOG_FORMAT", default="text"), env.str("CCATDC_LOG_LEVEL", default="INFO"))
os.environ.setdefault("PYTHONUNBUFFERED", "1")

if SITE_ROLE == "gateway":
    vars().update(at_gateway(INSTALLED_APPS, UNFOLD))
