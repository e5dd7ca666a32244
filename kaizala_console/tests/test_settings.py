"""What starts, what does not, and what an operator is told."""

import os
import re
import runpy
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
import structlog
from django.core.exceptions import ImproperlyConfigured

from kaizala_console.configuration import office365_app
from kaizala_console.tests.production import PRODUCTION

ROOT = Path(__file__).resolve().parent.parent.parent
KEYS = ("SECRET_KEY", "CREDENTIAL_PEPPERS", "ACCESS_TOKEN_KEYS", "ENCRYPTION_KEYS")
pytestmark = pytest.mark.once
Load = Callable[..., dict[str, Any]]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Load]:
    """Runs settings.py with exactly the given variables, and returns its names."""

    def run(**variables: str) -> dict[str, Any]:
        for name in list(os.environ):
            monkeypatch.delenv(name)
        monkeypatch.setenv("CONSOLE_DATA_DIR", str(tmp_path / "data"))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(ROOT / "kaizala_console" / "settings.py"))

    before = structlog.get_config()
    yield run
    # Loading configured structlog for the mode under test. Loggers that are in use hold the list of processors of
    # before, so that very list must come back, not one like it.
    structlog.configure(**before)


def refused(load: Load, **variables: str) -> str:
    with pytest.raises(ImproperlyConfigured) as refusal:
        load(**variables)
    return str(refusal.value)


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in PRODUCTION.items() if name not in names}


def test_nothing_configured_is_a_sandbox_on_this_machine_without_any_server(load: Load) -> None:
    settings = load()
    assert settings["SANDBOX"] is True
    assert settings["CONSOLE_BASE_URL"] == "http://127.0.0.1:8000"
    assert settings["DATABASES"]["default"]["ENGINE"].endswith("sqlite3")
    assert settings["CELERY_BROKER_URL"] == "filesystem://localhost"
    assert settings["CACHES"]["default"]["BACKEND"].endswith("DatabaseCache")
    assert "allauth.socialaccount.providers.dummy" in settings["INSTALLED_APPS"]
    assert settings["SOCIALACCOUNT_PROVIDERS"]["openid_connect"]["APPS"] == []


def test_a_sandbox_keeps_its_keys_for_its_owner_alone(load: Load, tmp_path: Path) -> None:
    first, second = load(), load()
    for name in KEYS:
        assert first[name] == second[name]
        assert first[name]
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    for path in (tmp_path / "data").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_data_folder_open_to_others_is_closed(load: Load, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    load()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_processes_that_start_together_keep_one_key(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "from kaizala_console.configuration import get_or_create_key\n"
        "sys.stdin.readline()\n"  # all have started when the first goes on
        "print(get_or_create_key(pathlib.Path(sys.argv[1]), 'key'))\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    keys = {process.communicate(timeout=60)[0] for process in started}
    assert len(keys) == 1
    assert keys != {""}
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["key"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONSOLE_HOST", "0.0.0.0"),  # noqa: S104 - the refusal is what is tested
        ("CONSOLE_HOST", "::"),
        ("CONSOLE_HOST", "192.168.1.20"),
        ("CONSOLE_HOST", "console.example.com"),
        ("CONSOLE_BASE_URL", "https://console.example.com"),
        ("CONSOLE_BASE_URL", "http://10.0.0.1:8000"),
        ("ALLOWED_HOSTS", "localhost,console.example.com"),
        ("ALLOWED_HOSTS", "*"),
        ("TWILIO_ACCOUNT_SID", "AC0"),
        ("TWILIO_AUTH_TOKEN", "token"),
        ("OFFICE365_CLIENT_SECRET", "secret"),
        ("DATABASE_URL", "postgresql://user@127.0.0.1/name"),
    ],
)
def test_a_sandbox_refuses_what_would_let_others_in_or_touch_something_real(load: Load, name: str, value: str) -> None:
    message = refused(load, **{name: value})
    assert name in message
    assert "sandbox" in message


def test_a_sandbox_by_name_refuses_an_office365_client(load: Load) -> None:
    assert "OFFICE365_CLIENT_ID is set" in refused(load, CONSOLE_MODE="sandbox", OFFICE365_CLIENT_ID="client")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_a_sandbox_runs_on_every_loopback_address(load: Load, host: str) -> None:
    assert load(CONSOLE_HOST=host)["SANDBOX"] is True


def test_a_sandbox_runs_on_postgresql_only_when_told_so(load: Load) -> None:
    settings = load(DATABASE_URL="postgresql://u:p%40ss@127.0.0.1:5433/n?sslmode=disable", SANDBOX_ON_POSTGRESQL="1")
    database = settings["DATABASES"]["default"]
    assert database["ENGINE"].endswith("postgresql")
    assert (database["USER"], database["PASSWORD"], database["PORT"]) == ("u", "p@ss", "5433")
    assert database["OPTIONS"]["sslmode"] == "disable"


def test_a_complete_configuration_is_production(load: Load) -> None:
    settings = load(**PRODUCTION)
    assert settings["SANDBOX"] is False
    assert "allauth.socialaccount.providers.dummy" not in settings["INSTALLED_APPS"]
    for cookie in ("SESSION", "CSRF", "LANGUAGE"):
        assert settings[f"{cookie}_COOKIE_SECURE"] is settings[f"{cookie}_COOKIE_HTTPONLY"] is True
        assert settings[f"{cookie}_COOKIE_SAMESITE"] == "Lax"
    assert settings["SECURE_HSTS_SECONDS"] > 0
    assert settings["SECURE_HSTS_PRELOAD"] is False
    assert load(**PRODUCTION, HSTS_PRELOAD="1")["SECURE_HSTS_PRELOAD"] is True
    assert "console.example.com" in settings["ALLOWED_HOSTS"]
    assert "*" not in settings["ALLOWED_HOSTS"]
    assert settings["EMAIL_BACKEND"].endswith("smtp.EmailBackend")
    assert settings["CACHES"]["default"]["OPTIONS"]["socket_timeout"] <= 1  # a Redis that hangs holds no thread


@pytest.mark.parametrize("name", sorted(set(PRODUCTION) - {"OFFICE365_CLIENT_ID", "TWILIO_FROM"}))
def test_production_names_what_is_missing(load: Load, name: str) -> None:
    assert f"{name} is missing" in refused(load, **without(name))


def test_production_needs_a_verify_service_or_a_sender(load: Load) -> None:
    assert "TWILIO_VERIFY_SERVICE_SID or TWILIO_FROM is missing" in refused(load, **without("TWILIO_FROM"))
    assert load(**without("TWILIO_FROM"), TWILIO_VERIFY_SERVICE_SID="VA0")["SANDBOX"] is False


def test_production_by_name_tells_everything_that_is_missing_at_once(load: Load) -> None:
    message = refused(load, CONSOLE_MODE="production")
    for name in set(PRODUCTION) - {"TWILIO_FROM"}:
        assert f"{name} is missing" in message


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("CONSOLE_BASE_URL", "http://console.example.com", "must begin with https://"),
        ("SECRET_KEY", "changeme", "SECRET_KEY is too easy to guess"),
        ("SECRET_KEY", "a" * 60, "SECRET_KEY is too easy to guess"),
        ("CREDENTIAL_PEPPERS", "2026a:short", "CREDENTIAL_PEPPERS must hold keys like"),
        ("ENCRYPTION_KEYS", "short", "ENCRYPTION_KEYS must hold keys like"),
        ("CREDENTIAL_PEPPERS", f"2026a:base64,{'A' * 43}=", "CREDENTIAL_PEPPERS holds a key that is easy to guess"),
        ("ENCRYPTION_KEYS", PRODUCTION["CREDENTIAL_PEPPERS"].split(":")[1], "hold the same key twice"),
        ("ACCESS_TOKEN_KEYS", f"20261202:{PRODUCTION['ENCRYPTION_KEYS']}", "hold the same key twice"),
        ("ACCESS_TOKEN_KEYS", PRODUCTION["CREDENTIAL_PEPPERS"], "ids begin with their day"),
        (
            "ACCESS_TOKEN_KEYS",
            f"{PRODUCTION['ACCESS_TOKEN_KEYS']} 20261202:base64,{'ABCDEFGHIJKLMNOP' * 2}QRSTUVWXYZa=",
            "must hold the newest key first",
        ),
        ("CONSOLE_DEBUG", "1", "CONSOLE_DEBUG is on"),
        ("DATABASE_URL", "mysql://host/name", "DATABASE_URL must be an address"),
        ("OFFICE365_AUTHORITY", "http://login.example.com", "OFFICE365_AUTHORITY must be an address"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, everywhere", "TRUSTED_PROXIES must hold networks"),
        ("TRUSTED_PROXIES", "0.0.0.0/0", "TRUSTED_PROXIES must not trust everybody"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::/0", "TRUSTED_PROXIES must not trust everybody"),
        ("TRUSTED_PROXIES", "0.0.0.0/1, 128.0.0.0/1", "TRUSTED_PROXIES must not trust everybody"),
        ("ALLOWED_HOSTS", "*", "ALLOWED_HOSTS must not be *"),
        ("TOKEN_SERVICE_URL", "http://web:8000", "TOKEN_SERVICE_URL must begin with https://"),
    ],
)
def test_production_refuses_what_is_unsafe(load: Load, name: str, value: str, says: str) -> None:
    assert says in refused(load, **(PRODUCTION | {name: value}))


def test_secrets_come_from_files(load: Load, tmp_path: Path) -> None:
    variables = dict(PRODUCTION)
    for name in ("SECRET_KEY", "TWILIO_AUTH_TOKEN", "OFFICE365_CLIENT_SECRET", "DATABASE_URL"):
        (tmp_path / name).write_text(variables.pop(name) + "\n")
        variables[f"{name}_FILE"] = str(tmp_path / name)
    settings = load(**variables)
    assert settings["TWILIO_AUTH_TOKEN"] == PRODUCTION["TWILIO_AUTH_TOKEN"]
    assert settings["SECRET_KEY"] == PRODUCTION["SECRET_KEY"]


def test_an_empty_file_is_no_password_for_the_mail_relay_and_no_other_secret(load: Load, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    assert load(**PRODUCTION, EMAIL_HOST_PASSWORD_FILE=str(tmp_path / "empty"))["EMAIL_HOST_PASSWORD"] == ""
    other = without("TWILIO_AUTH_TOKEN") | {"TWILIO_AUTH_TOKEN_FILE": str(tmp_path / "empty")}
    assert "TWILIO_AUTH_TOKEN_FILE names an empty file" in refused(load, **other)


def test_the_authorities_of_a_bundle_are_trusted_by_every_library(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "ca.pem")
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "before")
    assert "CA_BUNDLE names a file that holds no certificates" in refused(load, CA_BUNDLE=path)
    shutil.copyfile(certifi.where(), path)
    assert load(CA_BUNDLE=path)["CA_BUNDLE"] == path
    assert os.environ["REQUESTS_CA_BUNDLE"] == os.environ["SSL_CERT_FILE"] == path


def test_a_refusal_shows_no_secret(load: Load) -> None:
    message = refused(load, **without("EMAIL_HOST"), CONSOLE_DEBUG="s3cret")
    for name in (*KEYS, "TWILIO_AUTH_TOKEN", "OFFICE365_CLIENT_SECRET"):
        assert PRODUCTION[name] not in message
    assert "s3cret" not in message


def test_one_tenant_is_asked_by_its_own_address() -> None:
    settings = office365_app("client", "secret", ["tenant-1"], "https://login.example")["settings"]
    assert settings["server_url"] == "https://login.example/tenant-1/v2.0"
    assert settings["oauth_pkce_enabled"] is True
    assert "openid_configuration_overrides" not in settings


def test_several_tenants_are_listed_as_issuers_and_no_other_is() -> None:
    settings = office365_app("client", "secret", ["t1", "t2"], "https://login.example")["settings"]
    assert settings["server_url"] == "https://login.example/organizations/v2.0"
    issuers = settings["openid_configuration_overrides"]["issuer"]
    assert issuers == ["https://login.example/t1/v2.0", "https://login.example/t2/v2.0"]


def test_the_content_security_policy_allows_nothing_unsafe(load: Load) -> None:
    directives = load(**PRODUCTION)["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
    assert not [source for sources in directives.values() for source in sources if "unsafe" in source or source == "*"]
    assert "https://login.microsoftonline.com" in directives["form-action"]


def test_the_example_explains_every_variable_and_no_other(load: Load) -> None:
    read = {name for variables in ({}, PRODUCTION) for name in load(**variables)["env"].names}
    lines = (ROOT / ".env.example").read_text().splitlines()
    explained = [match[1] for line in lines if (match := re.fullmatch(r"#?([A-Z][A-Z0-9_]+)=.*", line))]
    assert sorted(explained) == sorted(read)
    for number, line in enumerate(lines):
        # One explanation may stand before several variables that belong together.
        if re.fullmatch(r"#?[A-Z][A-Z0-9_]+=.*", line):
            assert lines[number - 1].strip(), f"{line} stands alone: say above it what it is for"


def test_what_the_example_marks_as_required_is_what_production_refuses_to_miss(load: Load) -> None:
    text = (ROOT / ".env.example").read_text()
    required = set(re.findall(r"\[required\][^\n]*\n(?:# [^\n]*\n)*([A-Z0-9_]+)=", text))
    assert required == set(PRODUCTION) - {"TWILIO_FROM"}
