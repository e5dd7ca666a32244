"""Reads settings from environment variables, and says how to mend what is missing or malformed.

Every variable may come from a file instead: `NAME_FILE=/run/secrets/name` is read when `NAME` is unset. A file `name`
in the folder `CONSOLE_SECRETS_DIR` counts as `NAME_FILE`: Docker, Kubernetes and systemd hand secrets over like that.
All problems are gathered and reported at once by `Environment.refuse`.
A message names the variable, never the value: the value may be a secret.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = frozenset({"1", "true", "yes", "on"})
KEY_ID = re.compile(r"[a-z0-9]{1,16}")
FALSE = frozenset({"0", "false", "no", "off", ""})


class Environment:
    """The variables of one process, read with their types; `names` lists every variable that was asked for."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self.names: list[str] = ["CONSOLE_SECRETS_DIR"]
        self._variables = self._list_secrets(variables.get("CONSOLE_SECRETS_DIR", "").strip()) | dict(variables)

    def _list_secrets(self, folder: str) -> dict[str, str]:
        """NAME_FILE of each file in the folder."""
        try:
            paths = [path for path in Path(folder).iterdir() if path.is_file()] if folder else []
        except OSError as error:
            self.problem(
                f"CONSOLE_SECRETS_DIR names a folder that cannot be read ({type(error).__name__}): "
                "check path and rights."
            )
            return {}
        return {f"{path.name.upper()}_FILE": str(path) for path in paths}

    def problem(self, message: str) -> None:
        """Notes something that must stop the start."""
        self.problems.append(message)

    def refuse(self, heading: str) -> None:
        """Raises ImproperlyConfigured with every problem found so far; does nothing when there is none."""
        if self.problems:
            lines = "\n".join(f"  - {problem}" for problem in self.problems)
            raise ImproperlyConfigured(f"{heading}\n{lines}")

    def is_set(self, name: str) -> bool:
        """Whether NAME or NAME_FILE has a value; does not read the file."""
        return bool(self._variables.get(name, "").strip() or self._variables.get(f"{name}_FILE", "").strip())

    def text(self, name: str, default: str = "", *, may_be_empty: bool = False) -> str:
        """The value of NAME, else the content of the file that NAME_FILE names, else the default. Blank is unset.

        A file must not be empty, unless `may_be_empty`: then it counts as unset.
        """
        if name not in self.names:
            self.names.append(name)
        value = self._variables.get(name, "").strip()
        path = self._variables.get(f"{name}_FILE", "").strip()
        if value and path:
            self.problem(f"{name} and {name}_FILE are both set: unset one of them.")
        if value or not path:
            return value or default
        try:
            content = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.problem(
                f"{name}_FILE names a file that cannot be read ({type(error).__name__}): check path and rights."
            )
            return default
        if not content and not may_be_empty:
            self.problem(f"{name}_FILE names an empty file: write the value into it.")
        return content or default

    secret = text
    """Reads like `text`; the other name tells readers of the settings what must never be shown."""

    def flag(self, name: str, *, default: bool = False) -> bool:
        """1/true/yes/on or 0/false/no/off, in any case."""
        value = self.text(name).lower()
        if value in TRUE:
            return True
        if value in FALSE:
            return default if value == "" else False
        self.problem(f"{name} must be 1 or 0.")
        return default

    def number(self, name: str, default: int, *, minimum: int = 0, maximum: int | None = None) -> int:
        """A whole number between minimum and maximum, both included."""
        value = self.text(name)
        if not value:
            return default
        limits = f"of {minimum} or more" if maximum is None else f"from {minimum} to {maximum}"
        try:
            number = int(value)
        except ValueError:
            number = minimum - 1
        if number < minimum or (maximum is not None and number > maximum):
            self.problem(f"{name} must be a whole number {limits}.")
            return default
        return number

    def fraction(self, name: str, default: float) -> float:
        """A number above 0 and up to 1, like 0.9."""
        value = self.text(name)
        if not value:
            return default
        try:
            number = float(value)
        except ValueError:
            number = 0.0
        if not 0 < number <= 1:
            self.problem(f"{name} must be a number above 0 and up to 1, like {default}.")
            return default
        return number

    def items(self, name: str, default: str = "") -> list[str]:
        return [part.strip() for part in self.text(name, default).split(",") if part.strip()]

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, default).lower()
        if value in choices:
            return value
        self.problem(f"{name} must be one of: {', '.join(choices)}.")
        return default

    def url(self, name: str, default: str = "", *, schemes: tuple[str, ...] = ("https",)) -> str:
        """An absolute address, without a closing slash. One of the web has no user, query and fragment either."""
        value = self.text(name, default).rstrip("/")
        if not value:
            return ""
        parts = split_url(value)
        if parts is None or parts.scheme not in schemes or (not parts.hostname and parts.scheme != "unix"):
            self.problem(f"{name} must be an address that begins with {' or '.join(f'{s}://' for s in schemes)}.")
            return default
        if parts.scheme in {"http", "https"} and (parts.query or parts.fragment or "@" in parts.netloc):
            self.problem(f"{name} must be a plain address, without user, query and fragment.")
            return default
        return value

    def key_list(self, name: str, default: str = "") -> list[bytes]:
        """Keys of 32 bytes, newest first, each written `base64,<44 characters>`, joined by a space or a semicolon."""
        keys = []
        for part in self.text(name, default).replace(";", " ").split():
            key = decode_key(part)
            if key is None:
                self.problem(
                    f"{name} must hold keys like base64,<44 characters>: `python manage.py generate_keys` prints one."
                )
                return []
            keys.append(key)
        return keys

    def key_ring(self, name: str, default: str = "") -> list[tuple[str, bytes]]:
        """Named keys of 32 bytes, newest first, like `2026a:base64,<44 characters>`, joined by space or semicolon."""
        ring: list[tuple[str, bytes]] = []
        for part in self.text(name, default).replace(";", " ").split():
            key_id, separator, encoded = part.partition(":")
            key = decode_key(encoded)
            if not separator or not KEY_ID.fullmatch(key_id) or key is None or key_id in dict(ring):
                self.problem(
                    f"{name} must hold keys like 2026a:base64,<44 characters>, each under its own name: "
                    "`python manage.py generate_keys` prints one."
                )
                return []
            ring.append((key_id, key))
        return ring


def split_url(value: str) -> SplitResult | None:
    """The parts of an address, or None when it is not one (a port that is no number, an open bracket …)."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return None
    return parts


def decode_key(text: str) -> bytes | None:
    """32 bytes from `base64,<44 characters>` (RFC 4648 §4 or §5), or None."""
    kind, _, encoded = text.partition(",")
    if kind != "base64":
        return None
    try:
        key = base64.b64decode(encoded.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == 32 else None


def encode_key(key: bytes) -> str:
    return "base64," + base64.urlsafe_b64encode(key).decode("ascii")
