"""What settings.py needs besides reading variables: parts of the configuration, kept keys, and what must not start."""

import ipaddress
import os
import secrets
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from kaizala_console.lib.crypto import parse_key_day
from kaizala_console.lib.env import Environment, encode_key

SHORTEST_METRICS_TOKEN = 32
FEWEST_DIFFERENT_BYTES = 10  # of 32; a random key has some 30
SPARE_BYTES = 1_048_576  # what the data folder must have room for at a start
SHORTEST_PROXY_PREFIX = 7  # bits of a network that is believed: fc00::/7 is the widest that can be one's own


@contextmanager
def data_folder_errors(path: Path) -> Iterator[None]:
    """Turn what the system answers to a use of the data folder into one line for the operator."""
    try:
        yield
    except OSError as error:
        raise ImproperlyConfigured(
            f"The data folder cannot be used: {path} ({os.strerror(error.errno or 0)}). "
            "Free some space, give the folder to the user who runs the console, or name another: CONSOLE_DATA_DIR=…"
        ) from error


def private_folder(path: Path) -> Path:
    """Makes the folder if need be, readable by its owner only, and returns it."""
    with data_folder_errors(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)
    return path


def require_free_space(path: Path) -> None:
    """Raise ImproperlyConfigured when a megabyte cannot be written: a database would say so in a traceback."""
    with data_folder_errors(path), tempfile.TemporaryFile(dir=path) as file:
        file.write(bytes(SPARE_BYTES))
        file.flush()


def trust_authorities(env: Environment) -> str:
    """Have every library of this process trust the certificates of CA_BUNDLE alone; returns its path."""
    path = env.text("CA_BUNDLE")
    if not path:
        return ""
    try:
        ssl.create_default_context(cafile=path)
    except OSError:
        env.problem("CA_BUNDLE names a file that holds no certificates in PEM, or that cannot be read.")
    # requests, the SDK of Twilio and boto3 read the one, mail the other; lib/http_client reads the setting.
    os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = path
    return path


def check_metrics_token(env: Environment, token: str) -> None:
    """Report one that can be guessed."""
    if token and len(token) < SHORTEST_METRICS_TOKEN:
        env.problem(f"METRICS_TOKEN is short: take {SHORTEST_METRICS_TOKEN} signs or more. `make keys` prints keys.")


def check_tracing(env: Environment, endpoint: str) -> None:
    """Report traces that nothing can send."""
    if endpoint and find_spec("opentelemetry") is None:
        env.problem("OTEL_EXPORTER_OTLP_ENDPOINT needs the packages of requirements-otel.txt.")


def get_or_create_key(folder: Path, name: str) -> str:
    """A key of 32 random bytes that is made once and kept in the folder (mode 600); returns `base64,…`.

    Web, worker and beat may ask at the same moment: whoever links the file first wins, and all read the same one.
    """
    path = private_folder(folder / "keys") / name
    with data_folder_errors(path):
        if not path.exists():
            draft = path.with_name(f".{name}.{os.getpid()}.{secrets.token_hex(4)}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(encode_key(secrets.token_bytes(32)))
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text(encoding="ascii").strip()


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host: `localhost`, 127.0.0.0/8 or ::1."""
    host = host.strip("[]").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def database_settings(url: str, embedded: Path) -> dict[str, Any]:
    """PostgreSQL when there is a URL, each thread with a connection of its own; else SQLite in WAL mode.

    SQLite takes its write lock at BEGIN: without IMMEDIATE two transactions that read before they write end in
    "database is locked", however long they wait.
    """
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(embedded),
            "CONN_MAX_AGE": None,  # to open the file anew for each call takes longer than most of its queries
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=134217728; "
                    "PRAGMA journal_size_limit=27103364; PRAGMA cache_size=2000;"
                ),
            },
        }
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": None,  # statements stay prepared as long as a connection is open
        "OPTIONS": {
            # To compile a statement takes PostgreSQL longer than any page's statement runs (docs/adr/0064).
            "options": "-c jit=off",
            **dict(parse_qsl(parts.query)),
            "prepare_threshold": 0,  # of statements that are prepared at all (lib/prepared.py)
        },
    }


def cache_settings(redis_url: str) -> dict[str, Any]:
    """Redis when there is one, else a table, in a sandbox: every process must see the same."""
    if redis_url:
        return {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": redis_url,
            "KEY_PREFIX": "console",
            "OPTIONS": {
                "serializer": "kaizala_console.lib.cache_serializer.JsonSerializer",
                "socket_timeout": 1,
                "socket_connect_timeout": 1,
            },
        }
    return {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "console_cache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }


def broker_options(redis_url: str, folder: Path) -> dict[str, Any]:
    """Celery's transport options: Redis, or folders in which messages are files that hold ids only."""
    if redis_url:
        # A queue that is down must not hold a person's request: with kombu's own values each message waited 6 seconds,
        # with these 0.4. The row is the queue, and the sweeper finds it.
        at_once = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
        return {"visibility_timeout": 3600, "socket_connect_timeout": 1, **at_once}
    private_folder(folder)
    messages, control = str(private_folder(folder / "messages")), str(private_folder(folder / "control"))
    return {
        "data_folder_in": messages,
        "data_folder_out": messages,
        "control_folder": control,
        "store_processed": False,
        "polling_interval": 0.2,
    }


def has_packages_for_buckets() -> bool:
    """Whether requirements-s3.txt is installed."""
    return find_spec("boto3") is not None and find_spec("storages") is not None


def media_storage_settings(
    folder: Path, *, bucket: str, endpoint: str, region: str, access_key: str, secret_key: str, addressing: str
) -> dict[str, Any]:
    """A folder that only its owner reads, or an S3-compatible bucket when one is named.

    Without the packages for buckets it is the folder too; `check_media` refuses the start then.
    """
    if not bucket or not has_packages_for_buckets():
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {
                "location": private_folder(folder),
                "file_permissions_mode": 0o600,
                "directory_permissions_mode": 0o700,
            },
        }
    from boto3.s3.transfer import TransferConfig  # here, because only those who have a bucket need to wait for it
    from botocore.config import Config

    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": bucket,
            "endpoint_url": endpoint or None,
            "region_name": region or None,
            "access_key": access_key or None,
            "secret_key": secret_key or None,
            "client_config": Config(
                signature_version="s3v4",
                s3={"addressing_style": addressing},
                connect_timeout=5,
                read_timeout=30,
                retries={"total_max_attempts": 2},
                # Else every upload carries a checksum in a trailer, which not all that call themselves S3 understand.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
            "transfer_config": TransferConfig(use_threads=False),  # one part of 8 MB in memory at a time
        },
    }


def check_media(env: Environment, *, max_mb: int, max_request_mb: int) -> None:
    """What cannot be meant: a file larger than all files, half a key, a bucket without its name."""
    if max_mb > max_request_mb:
        env.problem("MEDIA_MAX_REQUEST_MB must be MEDIA_MAX_MB or more: it holds for all files of a request together.")
    if env.is_set("MEDIA_S3_BUCKET") and not has_packages_for_buckets():
        env.problem(
            "MEDIA_S3_BUCKET needs packages that are not installed (boto3, django-storages): "
            "pip install --requirement requirements-s3.txt."
        )
    if env.is_set("MEDIA_S3_ACCESS_KEY") != env.is_set("MEDIA_S3_SECRET_KEY"):
        env.problem("MEDIA_S3_ACCESS_KEY and MEDIA_S3_SECRET_KEY belong together: set both, or neither.")
    others = ("MEDIA_S3_ENDPOINT", "MEDIA_S3_REGION", "MEDIA_S3_ACCESS_KEY")
    if not env.is_set("MEDIA_S3_BUCKET") and any(map(env.is_set, others)):
        env.problem("MEDIA_S3_BUCKET is missing: name the bucket, or unset the other MEDIA_S3_ variables.")


def office365_app(client_id: str, secret: str, tenants: list[str], authority: str) -> dict[str, Any]:
    """allauth's `openid_connect` application for one tenant, or for several with an issuer each.

    Entra's address of several tenants ("organizations") publishes an issuer with a placeholder. Without the override
    every sign-in would fail; with it, a tenant that is not listed fails.
    """
    several = len(tenants) != 1
    app_settings: dict[str, Any] = {
        "server_url": f"{authority}/{'organizations' if several else tenants[0]}/v2.0",
        "uid_field": "sub",
        "fetch_userinfo": False,
        "token_auth_method": "client_secret_post",
        "oauth_pkce_enabled": True,
        "scope": ["openid", "profile", "email", "offline_access"],
    }
    if several:
        issuers = [f"{authority}/{tenant}/v2.0" for tenant in tenants]
        app_settings["openid_configuration_overrides"] = {"issuer": issuers}
    return {
        "provider_id": "office365",
        "name": "Office365",
        "client_id": client_id,
        "secret": secret,
        "settings": app_settings,
    }


def check_sandbox(env: Environment, *, host: str, base_url: str, allowed_hosts: list[str], on_postgresql: bool) -> None:
    """A sandbox signs anyone in as anyone: it must be out of reach, and must hold nothing real."""
    if not is_loopback(host):
        env.problem(
            "CONSOLE_HOST is not a loopback address, and a sandbox signs anyone in as anyone. "
            "Use 127.0.0.1, or configure production (OFFICE365_CLIENT_ID and the rest of .env.example)."
        )
    if base_url and not is_loopback(urlsplit(base_url).hostname or ""):
        env.problem("CONSOLE_BASE_URL is not a loopback address: unset it in a sandbox, or configure production.")
    if any(not is_loopback(name) for name in allowed_hosts):
        env.problem("ALLOWED_HOSTS names a host that is not loopback: unset it in a sandbox, or configure production.")
    for name in ("OFFICE365_CLIENT_ID", "OFFICE365_CLIENT_SECRET", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"):
        if env.is_set(name):
            env.problem(
                f"{name} is set, but this is a sandbox, which never signs in with Office365 and sends no SMS. "
                "Unset it, or set OFFICE365_CLIENT_ID (and not CONSOLE_MODE=sandbox) for production."
            )
    if env.is_set("DATABASE_URL") and not on_postgresql:
        env.problem(
            "DATABASE_URL is set, but this is a sandbox, whose demo identities could enter real data. "
            "Unset it, configure production, or say SANDBOX_ON_POSTGRESQL=1 when the database holds trials only."
        )


REQUIRED_IN_PRODUCTION = {
    "CONSOLE_BASE_URL": "the https:// address under which people reach the console",
    "SECRET_KEY": "50 random characters or more; `python manage.py generate_keys` prints one",
    "CREDENTIAL_PEPPERS": "the keys of the credential digests; `python manage.py generate_keys` prints one",
    "ACCESS_TOKEN_KEYS": "the keys that sign access tokens; `python manage.py generate_keys` prints one",
    "ENCRYPTION_KEYS": "the keys of what is encrypted at rest; `python manage.py generate_keys` prints one",
    "DATABASE_URL": "postgresql://user:password@host:5432/name",
    "REDIS_URL": "redis://host:6379/0, for the queue, the cache and the rate limits",
    "OFFICE365_CLIENT_ID": "the application's id, from its registration in Entra",
    "OFFICE365_CLIENT_SECRET": "a client secret of that registration",
    "OFFICE365_TENANTS": "the ids of the tenants whose people may sign in, comma-separated",
    "TWILIO_ACCOUNT_SID": "the account that sends the PINs",
    "TWILIO_AUTH_TOKEN": "that account's token",
    "EMAIL_HOST": "the mail server that notices leave by",
    "EMAIL_FROM": "the sender of the notices",
}


def check_keys(
    env: Environment,
    *,
    peppers: list[tuple[str, bytes]],
    access_token_keys: list[tuple[str, bytes]],
    encryption_keys: list[bytes],
) -> None:
    """Report keys that can be guessed or that serve two purposes, and signing keys whose ids hide their day."""
    rings = {
        "CREDENTIAL_PEPPERS": [key for _, key in peppers],
        "ACCESS_TOKEN_KEYS": [key for _, key in access_token_keys],
        "ENCRYPTION_KEYS": encryption_keys,
    }
    for name, keys in rings.items():
        if any(len(set(key)) < FEWEST_DIFFERENT_BYTES for key in keys):
            env.problem(f"{name} holds a key that is easy to guess: `python manage.py generate_keys` prints one.")
    every_key = [key for keys in rings.values() for key in keys]
    if len(set(every_key)) < len(every_key):
        env.problem(f"{', '.join(rings)} hold the same key twice: one key for two purposes falls with either of them.")
    ids = [key_id for key_id, _ in access_token_keys]
    try:
        days = [parse_key_day(key_id) for key_id in ids]
    except ValueError:
        env.problem("ACCESS_TOKEN_KEYS must hold keys whose ids begin with their day, like 20270131 or 20270131b.")
        return
    if days != sorted(days, reverse=True):
        env.problem("ACCESS_TOKEN_KEYS must hold the newest key first, by the days in the ids.")


def check_proxies(env: Environment, networks: list[str]) -> None:
    """A proxy that is believed decides what address a caller has: everybody must not be one."""
    for text in networks:
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            env.problem("TRUSTED_PROXIES must hold networks like 10.0.0.0/8 or addresses, comma-separated.")
            return
        if network.prefixlen < SHORTEST_PROXY_PREFIX:
            env.problem("TRUSTED_PROXIES must not trust everybody: name the networks of your own proxies.")


def check_production(
    env: Environment, *, addresses: Mapping[str, str], allowed_hosts: list[str], secret_key: str, debug: bool
) -> None:
    """Everything that is missing or weak, so that an operator mends it in one go."""
    for name, meaning in REQUIRED_IN_PRODUCTION.items():
        if not env.is_set(name):
            env.problem(f"{name} is missing: {meaning}. Set it, or {name}_FILE to the path of a file that holds it.")
    if not env.is_set("TWILIO_VERIFY_SERVICE_SID") and not env.is_set("TWILIO_FROM"):
        env.problem(
            "TWILIO_VERIFY_SERVICE_SID or TWILIO_FROM is missing: set the Verify service, or a sender's number."
        )
    for name, address in addresses.items():
        if address and not address.startswith("https://"):
            env.problem(f"{name} must begin with https://: credentials travel in every request.")
    if "*" in allowed_hosts:
        env.problem("ALLOWED_HOSTS must not be *: a request could claim any host name to be the console's.")
    if secret_key and (len(secret_key) < 50 or len(set(secret_key)) < 10):
        env.problem("SECRET_KEY is too easy to guess: `python manage.py generate_keys` prints a good one.")
    if debug:
        env.problem("CONSOLE_DEBUG is on: its error pages show settings and variables. Unset it in production.")
