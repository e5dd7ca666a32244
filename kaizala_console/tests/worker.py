"""The settings of real processes that a test starts: the database, keys and broker of the test, and its mail server."""

import os

from kaizala_console.tests.settings import *  # noqa: F403
from kaizala_console.tests.settings import DATABASES

DATABASES["default"]["NAME"] = os.environ["CONSOLE_TEST_DATABASE"]
DATABASES["default"]["CONN_MAX_AGE"] = None
CELERY_TASK_ALWAYS_EAGER = False
CELERY_IMPORTS = ["kaizala_console.tests.hanging"]
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST, EMAIL_PORT = "127.0.0.1", int(os.environ["CONSOLE_TEST_SMTP_PORT"])
EMAIL_USE_TLS = EMAIL_USE_SSL = False
EMAIL_TIMEOUT = 30
