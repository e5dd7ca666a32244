"""The settings of the test run: a sandbox of its own, whatever the developer's environment says.

SQLite, the database cache and no broker; or PostgreSQL and Redis when DATABASE_URL and REDIS_URL are set.
"""

import os
import secrets
import tempfile
from pathlib import Path

CONFIGURATION = (
    "ACCESS_",
    "ALLOWED_HOSTS",
    "BULK_",
    "CONSOLE_",
    "CREDENTIAL_PEPPERS",
    "DATABASE_",
    "EMAIL_",
    "ENCRYPTION_KEYS",
    "HANDOFF_",
    "LEAK_",
    "LOG_LEVEL",
    "METRICS_",
    "MEDIA_",
    "OFFICE365_",
    "OTEL_",
    "PIN_",
    "REDIS_",
    "REFRESH_",
    "SAFE_",
    "SECRET_",
    "SENTRY_",
    "SHOWN_",
    "STEP_",
    "THROTTLE_",
    "TRUSTED_",
    "TOKEN_",
    "TWILIO_",
    "USAGE_",
    "WEBHOOK",
)
KEPT = {"DATABASE_URL", "REDIS_URL"}

for name in list(os.environ):
    if name.startswith(CONFIGURATION) and not name.startswith("CONSOLE_TEST_") and name not in KEPT:
        del os.environ[name]
# The processes of a parallel run inherit these, and each has a folder of its own in it: a test that travels in time
# tidies up what is old by its clock, and that must be nobody else's.
if "CONSOLE_TEST_DATA_DIR" not in os.environ:
    os.environ["CONSOLE_TEST_DATA_DIR"] = tempfile.mkdtemp(prefix="console-tests-")
RUN = os.environ.setdefault("CONSOLE_TEST_RUN", secrets.token_hex(4))
PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ["CONSOLE_DATA_DIR"] = str(Path(os.environ["CONSOLE_TEST_DATA_DIR"], PROCESS))
os.environ["SANDBOX_ON_POSTGRESQL"] = "1"

from kaizala_console.settings import *  # noqa: E402, F403
from kaizala_console.settings import (  # noqa: E402
    CACHES,
    CELERY_BROKER_TRANSPORT_OPTIONS,
    DATA_DIR,
    DATABASE_URL,
    DATABASES,
    REDIS_URL,
    STORAGES,
)

if DATABASE_URL:
    DATABASES["default"]["TEST"] = {"NAME": f"test_console_{RUN}"}
    # A thread of a test is soon gone, and its connection with it; processes that tests start keep theirs (worker.py).
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    # A database that is thrown away need not survive a power cut.
    DATABASES["default"]["OPTIONS"]["options"] += " -c synchronous_commit=off"
else:
    # A file, not memory: the threads of the live server need connections of their own, as in production.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
if REDIS_URL:
    CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"] = f"test-{RUN}-{PROCESS}-"
CACHES["default"]["KEY_PREFIX"] = f"test-{RUN}-{PROCESS}"
CELERY_TASK_ALWAYS_EAGER = True
USAGE_FLUSH_SECONDS = 0  # no thread: it would write into the middle of other tests
CELERY_TASK_EAGER_PROPAGATES = True
# Every test takes the way through the counters, and none meets a limit that it has not set itself.
THROTTLE_CONNECTOR_PER_MINUTE = THROTTLE_TENANT_PER_MINUTE = 1_000_000
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
