"""Keeps the catalogues of languages in step with the texts of the console.

    python scripts/messages.py update     find every text, write locale/<language>/LC_MESSAGES/django.po and .mo
    python scripts/messages.py check      say what is missing, stale or broken; exit 1 if anything is

Django's makemessages needs the gettext programs; Babel, which the console has anyway, does the same in Python. What is
translated is written into the .po files, with any editor for them; what has no text there is shown in English.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message, TranslationError
from babel.messages.checkers import checkers
from babel.messages.extract import extract
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("accounts", "connectors", "groups", "kaizala_console")
LANGUAGES = ("hi",)
WIDTH = 120
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
PLACEHOLDERS = re.compile(r"%\([a-z_]+\)[sd]|%[sd]|\{[a-z_]*\}")


def texts() -> Catalog:
    """Every text of the console that people of other languages should read in theirs, with the files it stands in."""
    catalog = Catalog(charset="utf-8")
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        for _line, message, comments, context in extract("python", _as_python(path), KEYWORDS, ["Translators:"]):
            text = message if isinstance(message, str) else tuple(part for part in message if part)
            catalog.add(text, locations=[(name, 1)], auto_comments=comments, context=context)
    for text in _texts_of_the_api():
        catalog.add(text, locations=[("connectors/services/api_description.py", 1)])
    return catalog


def _texts_of_the_api() -> list[str]:
    """The words of the OpenAPI document, which stand in declarations and not in calls of gettext."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaizala_console.settings")
    from django.apps import apps

    if not apps.ready:
        import django

        django.setup()
    from connectors.services.api_description import get_description
    from kaizala_console.api import openapi_translation

    return openapi_translation.list_texts(get_description().document)


def sources() -> Iterator[Path]:
    """The files that may hold texts. Tests and migrations speak to developers alone."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not {"tests", "migrations"} & set(path.parts):
                yield path
    yield from sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt"))


def updated(language: str) -> Catalog:
    """The catalogue of a language with the texts as they stand today: new ones empty, gone ones dropped."""
    catalog = _read(language)
    catalog.update(texts(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return catalog


def problems(language: str) -> list[str]:
    """What is wrong with the catalogue of a language, one sentence each."""
    catalog, wanted = _read(language), texts()
    there, asked = ({_key(message): message.id for message in each if message.id} for each in (catalog, wanted))
    found = [f"not in the catalogue: {text!r}" for key, text in asked.items() if key not in there]
    found += [f"no longer in the console: {text!r}" for key, text in there.items() if key not in asked]
    for message in catalog:
        if not message.id:
            continue
        strings = _strings(message)
        if not all(strings):
            found.append(f"not translated: {message.id!r}")
        elif message.fuzzy:
            found.append(f"marked as fuzzy: {message.id!r}")
        else:
            found += [f"{problem}: {message.id!r}" for problem in _broken(catalog, message, strings)]
    with _path(language, "mo").open("rb") as compiled:
        shown = {_key(message): _strings(message) for message in read_mo(compiled)}
    stale = [
        message.id
        for message in catalog
        if message.id and all(_strings(message)) and shown.get(_key(message)) != _strings(message)
    ]
    found += [f"not compiled since it was changed: {text!r}" for text in stale]
    return found


def _key(message: Message) -> tuple[str, ...]:
    """What tells a text from others: its context, and its singular and plural."""
    texts = (message.id,) if isinstance(message.id, str) else tuple(message.id)
    context: Any = message.context or ""  # read_mo leaves it as bytes
    return (context.decode() if isinstance(context, bytes) else context, *texts)


def _strings(message: Message) -> tuple[str, ...]:
    strings = message.string or ""  # none yet
    return (strings,) if isinstance(strings, str) else tuple(strings)


def _broken(catalog: Catalog, message: Message, strings: tuple[str, ...]) -> Iterator[str]:
    originals = (message.id,) if isinstance(message.id, str) else tuple(message.id)
    allowed = set(PLACEHOLDERS.findall(" ".join(originals)))
    for string in strings:
        if not set(PLACEHOLDERS.findall(string)) <= allowed:
            yield "holds a placeholder that the text has not"
    if len(strings) == 1 and set(PLACEHOLDERS.findall(strings[0])) != allowed:
        yield "leaves a placeholder out"
    for checker in checkers:
        try:
            checker(catalog, message)
        except TranslationError as problem:
            yield str(problem)


def _as_python(path: Path) -> io.BytesIO:
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        from django.utils.translation.template import templatize

        # What is no text comes out as rows of X, indented as it was: that means something in Python.
        source = "\n".join(line.strip() for line in templatize(source, origin=path.name).splitlines())
    return io.BytesIO(source.encode())


def _path(language: str, kind: str) -> Path:
    return ROOT / "locale" / language / "LC_MESSAGES" / f"django.{kind}"


def _read(language: str) -> Catalog:
    path = _path(language, "po")
    if not path.exists():
        return Catalog(locale=language, project="Kaizala Console", charset="utf-8", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def _write(language: str) -> None:
    catalog = updated(language)
    _path(language, "po").parent.mkdir(parents=True, exist_ok=True)
    with _path(language, "po").open("wb") as file:
        write_po(file, catalog, width=WIDTH, no_location=False, include_lineno=False, omit_header=False)
    with _path(language, "mo").open("wb") as file:
        write_mo(file, catalog)


def main(arguments: list[str]) -> int:
    if arguments == ["update"]:
        for language in LANGUAGES:
            _write(language)
            print(f"{language}: {len(updated(language))} texts, {len(problems(language))} to mend")
        return 0
    if arguments == ["check"]:
        found = [f"{language}: {problem}" for language in LANGUAGES for problem in problems(language)]
        print("\n".join(found) or "Every text has its translation.")
        return 1 if found else 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
