"""The settings, on one page. Every variable is explained in .env.example; each may come from a file named by NAME_FILE.

With nothing configured the console is a **sandbox**: demo identities instead of Office365, an inbox instead of SMS, and
within reach of this machine alone. Naming an Office365 client makes it **production**, which does not start until all
that it needs is there. The refusals are raised here because system checks do not run under a server.
"""

import os
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from kaizala_console import configuration
from kaizala_console.lib import logging
from kaizala_console.lib.env import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
env = Environment(os.environ)
os.umask(0o077)  # whatever is written is for its owner alone

# ---------------------------------------------------------------- Sandbox or production

_MODES = ("sandbox", "production")
SANDBOX = env.choice("CONSOLE_MODE", _MODES[env.is_set("OFFICE365_CLIENT_ID")], _MODES) == "sandbox"
DEBUG = env.flag("CONSOLE_DEBUG")

# ---------------------------------------------------------------- Where it runs, and where it keeps things

DATA_DIR = configuration.private_folder(Path(env.text("CONSOLE_DATA_DIR", str(BASE_DIR / "var"))).absolute())
configuration.require_free_space(DATA_DIR)
CONSOLE_HOST = env.text("CONSOLE_HOST", "127.0.0.1")
CONSOLE_PORT = env.number("CONSOLE_PORT", 8000, minimum=1, maximum=65535)
CONSOLE_WORKERS = env.number("CONSOLE_WORKERS", 2, minimum=1, maximum=64)  # web processes
# Requests at a time in each: with one, whoever reads a file slowly would hold up everybody.
CONSOLE_THREADS = env.number("CONSOLE_THREADS", 4, minimum=1, maximum=64)
_HERE = f"http://{f'[{CONSOLE_HOST}]' if ':' in CONSOLE_HOST else CONSOLE_HOST}:{CONSOLE_PORT}"
CONSOLE_BASE_URL = env.url("CONSOLE_BASE_URL", _HERE if SANDBOX else "", schemes=("https", "http"))
# Where the worker, as any other client, fetches the access tokens that it keeps warm.
TOKEN_SERVICE_URL = env.url("TOKEN_SERVICE_URL", CONSOLE_BASE_URL, schemes=("https", "http"))
_BASE = urlsplit(CONSOLE_BASE_URL)
_HTTPS = _BASE.scheme == "https"
EXTRA_HOSTS = env.items("ALLOWED_HOSTS")
_NAME = f"[{_BASE.hostname}]" if ":" in (_BASE.hostname or "") else _BASE.hostname
ALLOWED_HOSTS = [*filter(None, [_NAME]), *EXTRA_HOSTS, "localhost", "127.0.0.1", "[::1]"]
# Networks of the reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
TRUSTED_PROXIES = env.items("TRUSTED_PROXIES", "" if SANDBOX else "127.0.0.0/8, ::1/128")
# `host` or `host:port` of internal hosts that the console may call; none other may be private or without TLS.
SAFE_HTTP_ALLOWED_HOSTS = env.items("SAFE_HTTP_ALLOWED_HOSTS")

CA_BUNDLE = configuration.trust_authorities(env)  # a file; empty: those that requests brings along

# ---------------------------------------------------------------- Keys

_KEEP = DATA_DIR if SANDBOX else None  # a sandbox makes its own, once
SECRET_KEY = env.secret("SECRET_KEY", configuration.get_or_create_key(_KEEP, "secret_key") if _KEEP else "")
CREDENTIAL_PEPPERS = env.key_ring(
    "CREDENTIAL_PEPPERS", f"sandbox:{configuration.get_or_create_key(_KEEP, 'credential_pepper')}" if _KEEP else ""
)
ACCESS_TOKEN_KEYS = env.key_ring(
    "ACCESS_TOKEN_KEYS", f"20260101:{configuration.get_or_create_key(_KEEP, 'access_token_key')}" if _KEEP else ""
)
ENCRYPTION_KEYS = env.key_list(
    "ENCRYPTION_KEYS", configuration.get_or_create_key(_KEEP, "encryption_key") if _KEEP else ""
)

# ---------------------------------------------------------------- Database, cache, queue

DATABASE_URL = env.url("DATABASE_URL", schemes=("postgresql", "postgres"))
SANDBOX_ON_POSTGRESQL = env.flag("SANDBOX_ON_POSTGRESQL")  # for trials and tests
DATABASES = {"default": configuration.database_settings(DATABASE_URL, DATA_DIR / "console.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.url("REDIS_URL", schemes=("redis", "rediss"))
CACHES = {"default": configuration.cache_settings(REDIS_URL)}

CELERY_BROKER_URL = REDIS_URL or "filesystem://localhost"
CELERY_BROKER_TRANSPORT_OPTIONS = configuration.broker_options(REDIS_URL, DATA_DIR / "queue")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # a worker that is killed may lose what it has prefetched from a folder
CELERY_WORKER_REDIRECT_STDOUTS = False  # a traceback would become a log line for each of its lines
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ROUTES = {  # each queue has workers of its own (celery.QUEUES); all other tasks go to "celery"
    "accounts.tasks.deliver_notice": {"queue": "mail"},
    "accounts.tasks.deliver_pin": {"queue": "sms"},
    "connectors.tasks.deliver_webhooks": {"queue": "webhooks"},
}
CELERY_BEAT_SCHEDULER = "kaizala_console.celery:Scheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")

# ---------------------------------------------------------------- Sign-in

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
OFFICE365_CLIENT_ID = env.text("OFFICE365_CLIENT_ID")
OFFICE365_CLIENT_SECRET = env.secret("OFFICE365_CLIENT_SECRET")
OFFICE365_TENANTS = [tenant.lower() for tenant in env.items("OFFICE365_TENANTS")]
OFFICE365_AUTHORITY = env.url("OFFICE365_AUTHORITY", "https://login.microsoftonline.com")
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "provider_class": "accounts.views.office365.Office365Provider",
        "APPS": []
        if SANDBOX
        else [
            configuration.office365_app(
                OFFICE365_CLIENT_ID, OFFICE365_CLIENT_SECRET, OFFICE365_TENANTS, OFFICE365_AUTHORITY
            )
        ],
    }
}
ACCOUNT_ADAPTER = "accounts.views.login.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "accounts.views.login.SocialAccountAdapter"
SOCIALACCOUNT_ONLY = True  # no local password, no local sign-up
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False  # an address can change hands in Entra; tid and oid cannot
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_METHODS, ACCOUNT_SIGNUP_FIELDS = {"email"}, ["email*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGOUT_REDIRECT_URL = "accounts:signed_out"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
OTP_TOTP_ISSUER = "Kaizala Console"  # what an authenticator app shows

# ---------------------------------------------------------------- SMS and mail

TWILIO_ACCOUNT_SID = env.text("TWILIO_ACCOUNT_SID")
TWILIO_AUTH_TOKEN = env.secret("TWILIO_AUTH_TOKEN")
TWILIO_VERIFY_SERVICE_SID = env.text("TWILIO_VERIFY_SERVICE_SID")  # else PINs are ours, sent from TWILIO_FROM
TWILIO_FROM = env.text("TWILIO_FROM")
TWILIO_API_BASE_URL = env.url("TWILIO_API_BASE_URL", "https://api.twilio.com", schemes=("https", "http"))
TWILIO_VERIFY_BASE_URL = env.url("TWILIO_VERIFY_BASE_URL", "https://verify.twilio.com", schemes=("https", "http"))

EMAIL_BACKEND = f"django.core.mail.backends.{'filebased' if SANDBOX else 'smtp'}.EmailBackend"
EMAIL_FILE_PATH = str(configuration.private_folder(DATA_DIR / "mail")) if SANDBOX else None
EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_PORT = env.number("EMAIL_PORT", 587, minimum=1, maximum=65535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.secret("EMAIL_HOST_PASSWORD", may_be_empty=True)  # a relay of the same network wants none
_SECURITY = env.choice("EMAIL_SECURITY", "starttls", ("starttls", "tls", "none"))
EMAIL_USE_TLS, EMAIL_USE_SSL = _SECURITY == "starttls", _SECURITY == "tls"
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM", "Kaizala Console <console@localhost>" if SANDBOX else "")

# ---------------------------------------------------------------- Limits and lifetimes

PIN_DIGITS = 6
PIN_SECONDS = env.number("PIN_SECONDS", 600, minimum=60, maximum=3600)
PIN_TRIES = env.number("PIN_TRIES", 5, minimum=1, maximum=10)
PIN_COOLDOWN_SECONDS = env.number("PIN_COOLDOWN_SECONDS", 30)  # grows with each PIN that is sent and not used
PIN_PER_NUMBER_PER_DAY = env.number("PIN_PER_NUMBER_PER_DAY", 10, minimum=1)
PIN_PER_ACCOUNT_PER_DAY = env.number("PIN_PER_ACCOUNT_PER_DAY", 20, minimum=1)
PIN_PER_ADDRESS_PER_DAY = env.number("PIN_PER_ADDRESS_PER_DAY", 100, minimum=1)
PIN_PER_CONNECTOR_PER_DAY = env.number("PIN_PER_CONNECTOR_PER_DAY", 2000, minimum=1)  # sign-ins of programs' users
PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY = env.number("PIN_WITHOUT_SECRET_PER_ADDRESS_PER_DAY", 10)  # 0: none
PIN_PER_COUNTRY_PREFIX_PER_DAY = env.number("PIN_PER_COUNTRY_PREFIX_PER_DAY", 2000, minimum=1)  # SMS pumping
STEP_UP_SECONDS = env.number("STEP_UP_SECONDS", 900, minimum=60)
SIGN_IN_AGAIN_SECONDS = env.number("SIGN_IN_AGAIN_SECONDS", 600, minimum=60)  # before a phone number is changed
COOL_OFF_HOURS = env.number("COOL_OFF_HOURS", 24, maximum=720)  # no credentials after a phone number changed
PIN_LOGIN_WITHOUT_SECRET = env.flag("PIN_LOGIN_WITHOUT_SECRET")  # the oldest programs send none
USER_TOKEN_REQUEST_DAYS = env.number("USER_TOKEN_REQUEST_DAYS", 7, minimum=1)
REFRESH_TOKEN_DAYS = env.number("REFRESH_TOKEN_DAYS", 365, minimum=1)
REFRESH_SUCCESSOR_FROM = env.fraction("REFRESH_SUCCESSOR_FROM", 0.9)  # of its life; a successor is offered from then
ACCESS_TOKEN_HOURS = env.number("ACCESS_TOKEN_HOURS", 24, minimum=1)
SHOWN_SECRET_SECONDS = env.number("SHOWN_SECRET_SECONDS", 600, minimum=60)  # a reload shows the same secret until then
HANDOFF_DAYS = env.number("HANDOFF_DAYS", 7, minimum=1)
REQUEST_DAYS = env.number("REQUEST_DAYS", 14, minimum=1)  # an unanswered request of a developer expires then
USAGE_FLUSH_SECONDS = env.number("USAGE_FLUSH_SECONDS", 5, minimum=1, maximum=300)  # what a killed process may lose
USAGE_DAYS = env.number("USAGE_DAYS", 100, minimum=31)  # previews look back 30 days
SECRET_SILENT_DAYS = env.number("SECRET_SILENT_DAYS", 7, minimum=1)  # then the older of two secrets is safe to remove
LEAK_REPORTS_PER_ADDRESS_PER_HOUR = env.number("LEAK_REPORTS_PER_ADDRESS_PER_HOUR", 30, minimum=1)
METRICS_PORT = env.number(
    "METRICS_PORT", 0, maximum=65535
)  # /healthz and /metrics, apart from the web threads; 0: none
MESSAGE_DAYS = env.number("MESSAGE_DAYS", 0)  # messages and actions; 0: for ever
AUDIT_DAYS = env.number("AUDIT_DAYS", 0)  # 0: for ever
METRICS_TOKEN = env.secret("METRICS_TOKEN")  # when it is set, /metrics asks for it
configuration.check_metrics_token(env, METRICS_TOKEN)
THROTTLE_CONNECTOR_PER_MINUTE = env.number("THROTTLE_CONNECTOR_PER_MINUTE", 100, minimum=0)  # 0: no limit
THROTTLE_TENANT_PER_MINUTE = env.number("THROTTLE_TENANT_PER_MINUTE", 300, minimum=0)
MEDIA_MAX_MB = env.number("MEDIA_MAX_MB", 100, minimum=1, maximum=4096)  # a file
MEDIA_MAX_FILES = env.number("MEDIA_MAX_FILES", 20, minimum=1, maximum=100)  # a request
MEDIA_MAX_REQUEST_MB = env.number("MEDIA_MAX_REQUEST_MB", 200, minimum=1, maximum=16384)  # all files of a request
MEDIA_QUOTA_GB = env.number("MEDIA_QUOTA_GB", 100, minimum=1)  # all files of an organisation
MEDIA_URL_HOURS = env.number("MEDIA_URL_HOURS", 72, minimum=1)  # webhooks are tried for two days, with the same address
BULK_MAX_MB = env.number("BULK_MAX_MB", 100, minimum=1, maximum=4096)  # a file of users, of groups, of old messages
BULK_MAX_LINES = env.number("BULK_MAX_LINES", 250_000, minimum=100)
BULK_FILE_DAYS = env.number("BULK_FILE_DAYS", 30, minimum=1)  # then the uploaded file is deleted; its history stays
MEDIA_UNUSED_DAYS = env.number("MEDIA_UNUSED_DAYS", 7, minimum=1)  # then what nothing was posted with is deleted
WEBHOOK_SECONDS = env.number("WEBHOOK_SECONDS", 10, minimum=1, maximum=60)  # one try to deliver, all in all
WEBHOOK_THREADS = env.number("WEBHOOK_THREADS", 16, minimum=2, maximum=200)  # deliveries under way at once
WEBHOOK_DAYS = env.number("WEBHOOK_DAYS", 7, minimum=3)  # what was delivered, or failed, is kept for the log and replay
WEBHOOKS_PER_CONNECTOR = env.number("WEBHOOKS_PER_CONNECTOR", 1000, minimum=1)
WEBHOOKS_PER_OBJECT = env.number("WEBHOOKS_PER_OBJECT", 10, minimum=1)  # of one connector

# ---------------------------------------------------------------- Django

INSTALLED_APPS = [
    "groups",
    "connectors",
    "accounts",
    "kaizala_console",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    *(["allauth.socialaccount.providers.dummy"] if SANDBOX else []),
    "django_cotton",
    "csp",
]
MIDDLEWARE = [
    "kaizala_console.metrics.MetricsMiddleware",  # without METRICS_PORT it is not there
    "kaizala_console.api.middleware.ApiMiddleware",  # answers the wire itself; what follows is for pages
    "kaizala_console.middleware.RequestContextMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "kaizala_console.middleware.CompressedPagesMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "kaizala_console.middleware.ReadersZoneMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "kaizala_console.middleware.SessionSeenMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "kaizala_console.addresses.NoCredentialInAddressMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "kaizala_console.middleware.ConsoleErrorMiddleware",
]
ROOT_URLCONF = "kaizala_console.urls"
API_URLCONF = "kaizala_console.api_urls"
WSGI_APPLICATION = "kaizala_console.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,  # django-cotton puts its loader before these, and caches them
        "OPTIONS": {
            "builtins": ["kaizala_console.templatetags.console"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "kaizala_console.dashboard.navigation.page_context",
            ],
        },
    }
]
SENTRY_DSN = env.secret("SENTRY_DSN")  # errors are reported there
OTEL_EXPORTER_OTLP_ENDPOINT = env.url("OTEL_EXPORTER_OTLP_ENDPOINT", schemes=("https", "http"))  # and traces there
configuration.check_tracing(env, OTEL_EXPORTER_OTLP_ENDPOINT)
LOG_LEVEL = env.choice("LOG_LEVEL", "warning" if SANDBOX else "info", ("debug", "info", "warning", "error"))
LOGGING = logging.logging_config(json=not SANDBOX, level=LOG_LEVEL.upper())  # JSON lines in production, without secrets

COTTON_DIR = "components"
COTTON_ISOLATE_BY_DEFAULT = True

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("hi", _("Hindi"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["kaizala_console.formats"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("CONSOLE_STATIC_DIR", str(DATA_DIR / "static"))).absolute()
STATICFILES_DIRS = [BASE_DIR / "static"]
FILE_UPLOAD_PERMISSIONS = 0o600
MEDIA_ROOT = configuration.private_folder(DATA_DIR / "media")
MEDIA_INCOMING_DIR = configuration.private_folder(DATA_DIR / "incoming")  # uploads while they are checked
MEDIA_S3_BUCKET = env.text("MEDIA_S3_BUCKET")  # unset: media is kept in the data folder
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "media": configuration.media_storage_settings(
        MEDIA_ROOT / "posted",
        bucket=MEDIA_S3_BUCKET,
        endpoint=env.url("MEDIA_S3_ENDPOINT", schemes=("https", "http")),
        region=env.text("MEDIA_S3_REGION"),
        access_key=env.text("MEDIA_S3_ACCESS_KEY"),
        secret_key=env.secret("MEDIA_S3_SECRET_KEY"),
        addressing=env.choice("MEDIA_S3_ADDRESSING", "auto", ("auto", "path", "virtual")),
    ),
    "bulk": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": configuration.private_folder(DATA_DIR / "bulk"),
            "base_url": None,  # nobody fetches one but through a page that asks who it is
            "file_permissions_mode": 0o600,
        },
    },
    "staticfiles": {"BACKEND": "kaizala_console.static_files.StaticFiles"},
}

# ---------------------------------------------------------------- What browsers must hold to

SESSION_ENGINE = "accounts.models.session"
SESSION_COOKIE_NAME = "__Host-session" if _HTTPS else "session"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # Strict would lose the session on the way back from Office365
SESSION_COOKIE_AGE = 12 * 3600  # the sessions page says so too
CSRF_COOKIE_NAME = "__Host-csrf" if _HTTPS else "csrf"
CSRF_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE, LANGUAGE_COOKIE_HTTPONLY, LANGUAGE_COOKIE_SAMESITE = _HTTPS, True, "Lax"
LANGUAGE_COOKIE_AGE = 400 * 24 * 3600  # browsers keep no cookie longer
CSRF_FAILURE_VIEW = "kaizala_console.error_pages.csrf_failure"
CSRF_TRUSTED_ORIGINS = [f"{_BASE.scheme}://{_BASE.netloc}"] if CONSOLE_BASE_URL else []
SECURE_SSL_REDIRECT = _HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz(/web)?$"]  # load balancers ask from inside, without TLS
SECURE_HSTS_SECONDS = 365 * 86400 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _HTTPS
SECURE_HSTS_PRELOAD = env.flag("HSTS_PRELOAD")  # of the whole domain, and hard to take back
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # which asks for it
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # the style sheet draws arrows and ticks as data
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF, *([] if SANDBOX else [OFFICE365_AUTHORITY])],  # holds for redirects after a form, too
    }
}

# ---------------------------------------------------------------- What must not start

if SANDBOX:
    configuration.check_sandbox(
        env,
        host=CONSOLE_HOST,
        base_url=CONSOLE_BASE_URL,
        allowed_hosts=EXTRA_HOSTS,
        on_postgresql=SANDBOX_ON_POSTGRESQL,
    )
else:
    configuration.check_production(
        env,
        addresses={"CONSOLE_BASE_URL": CONSOLE_BASE_URL, "TOKEN_SERVICE_URL": TOKEN_SERVICE_URL},
        allowed_hosts=EXTRA_HOSTS,
        secret_key=SECRET_KEY,
        debug=DEBUG,
    )
configuration.check_keys(
    env, peppers=CREDENTIAL_PEPPERS, access_token_keys=ACCESS_TOKEN_KEYS, encryption_keys=ENCRYPTION_KEYS
)
configuration.check_proxies(env, TRUSTED_PROXIES)
configuration.check_media(env, max_mb=MEDIA_MAX_MB, max_request_mb=MEDIA_MAX_REQUEST_MB)
env.refuse(f"The console cannot start as a {'sandbox' if SANDBOX else 'production installation'}:")
