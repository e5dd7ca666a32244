#!/bin/sh
# manage.py as the units run it: install it as /usr/local/bin/manage.py, and call it as root.
set -eu
cd /opt/kaizala-console
umask 077
set -a
. /etc/kaizala-console/env
CONSOLE_SECRETS_DIR=/etc/kaizala-console/secrets
CONSOLE_DATA_DIR=/var/lib/kaizala-console
set +a
exec runuser --user kaizala-console -- .venv/bin/python manage.py "$@"
