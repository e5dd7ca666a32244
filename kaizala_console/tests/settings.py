"""The settings of the test run: a sandbox of its own, whatever the developer's environment says.

SQLite, the database cache and no broker; or PostgreSQL and Redis when DATABASE_URL and REDIS_URL are set.
"""

import os
import tempfile

KEPT = {"DATABASE_URL", "REDIS_URL", "CONSOLE_DATA_DIR"}
for name in list(os.environ):
    prefixes = ("CONSOLE_", "OFFICE365_", "TWILIO_", "EMAIL_", "DATABASE_", "REDIS_", "PIN_", "THROTTLE_")
    names = {"SECRET_KEY", "CREDENTIAL_PEPPERS", "ENCRYPTION_KEYS", "ALLOWED_HOSTS", "TRUSTED_PROXIES"}
    if name not in KEPT and (name.startswith(prefixes) or name.removesuffix("_FILE") in names):
        del os.environ[name]
os.environ["SANDBOX_ON_POSTGRESQL"] = "1"
if "CONSOLE_TEST_DATA_DIR" not in os.environ:  # one for all processes of the run
    os.environ["CONSOLE_TEST_DATA_DIR"] = tempfile.mkdtemp(prefix="console-tests-")
os.environ["CONSOLE_DATA_DIR"] = os.environ["CONSOLE_TEST_DATA_DIR"]

from kaizala_console.settings import *  # noqa: E402, F403
from kaizala_console.settings import CACHES, DATA_DIR, DATABASE_URL, DATABASES, STORAGES  # noqa: E402

# A file, not memory: threads of the live server need connections of their own, as in production.
if not DATABASE_URL:
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
CACHES["default"]["KEY_PREFIX"] = f"test-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
