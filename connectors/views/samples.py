"""One call to the wire, written in six languages. What is secret comes from the environment of the program."""

from __future__ import annotations

import json
import pprint
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.views.snippets import quoted_url


@dataclass(frozen=True, slots=True)
class Variable:
    """A header's value that stands in an environment variable."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call. ``body`` is what JSON can say; None for none."""

    method: str
    url: str
    headers: Mapping[str, str | Variable] = field(default_factory=dict)
    body: Any = None

    @property
    def all_headers(self) -> dict[str, str | Variable]:
        return {**self.headers, **({} if self.body is None else {"Content-Type": "application/json"})}


@dataclass(frozen=True, slots=True)
class Language:
    """How a language is called, in the address of a page (``key``) and on screen, and what writes a call in it."""

    key: str
    label: str
    needs: str
    write: Callable[[Request], str]


def curl(request: Request) -> str:
    """A line for a POSIX shell."""
    lines = [f"curl {'' if request.method in ('GET', 'POST') else f'-X {request.method} '}{quoted_url(request.url)}"]
    if request.method == "POST" and request.body is None:
        lines[0] = f"curl -X POST {quoted_url(request.url)}"
    for name, value in request.all_headers.items():
        lines.append(f'  -H "{name}: {f"${value.name}" if isinstance(value, Variable) else value}"')
    if request.body is not None:
        quoted = _json(request.body).replace("'", "'\\''")
        lines.append(f"  -d '{quoted}'")
    return " \\\n".join(lines)


def python(request: Request) -> str:
    """With requests."""
    lines = []
    if request.headers:
        headers = ", ".join(f"{_text(name)}: {_python_value(value)}" for name, value in request.headers.items())
        lines.append(f"    headers={{{headers}}},")
    if request.body is not None:
        body = pprint.pformat(request.body, sort_dicts=False, width=84).replace("\n", "\n    ")
        lines.append(f"    json={_double_quoted(body)},")
    imports = "import os\n\nimport requests" if "os.environ" in "".join(lines) else "import requests"
    arguments = "\n".join([f"    {_text(request.url)},", *lines, "    timeout=30,"])
    return (
        f"{imports}\n\nanswer = requests.{request.method.lower()}(\n{arguments}\n)\n"
        "answer.raise_for_status()\nprint(answer.json())"
    )


def javascript(request: Request) -> str:
    """For node; in a browser the token would have to come from somewhere else."""
    options = [] if request.method == "GET" else [f"  method: {_text(request.method)},"]
    if request.all_headers:
        headers = ", ".join(f"{_key(name)}: {_node_value(value)}" for name, value in request.all_headers.items())
        options.append(f"  headers: {{ {headers} }},")
    if request.body is not None:
        options.append(f"  body: JSON.stringify({_indented(request.body, 2)}),")
    call = ", {\n" + "\n".join(options) + "\n}" if options else ""
    return (
        f"const answer = await fetch({_text(request.url)}{call});\n"
        "if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);\n"
        "console.log(await answer.json());"
    )


def php(request: Request) -> str:
    """With nothing that is not part of every PHP."""
    options = [f'    "method" => {_text(request.method)},']
    if request.all_headers:
        headers = ", ".join(
            f'"{name}: " . getenv("{value.name}")' if isinstance(value, Variable) else f'"{name}: {value}"'
            for name, value in request.all_headers.items()
        )
        options.append(f'    "header" => [{headers}],')
    if request.body is not None:
        options.append(f'    "content" => json_encode({_php(request.body, 4)}),')
    inner = "\n".join(options)
    return (
        f'<?php\n$context = stream_context_create(["http" => [\n{inner}\n]]);\n'
        f"$answer = file_get_contents({_text(request.url)}, false, $context);\n"
        "print_r(json_decode($answer, true));"
    )


def csharp(request: Request) -> str:
    """A class, which every C# since 2012 takes: .NET, .NET Framework and Mono."""
    method = request.method.capitalize()
    steps = [f"var request = new HttpRequestMessage(HttpMethod.{method}, {_text(request.url)});"]
    for name, value in request.headers.items():
        given = (
            f"Environment.GetEnvironmentVariable({_text(value.name)})" if isinstance(value, Variable) else _text(value)
        )
        steps.append(f"request.Headers.Add({_text(name)}, {given});")
    if request.body is not None:
        text = _indented(request.body, 16).replace('"', '""')
        steps.append(
            "request.Content = new StringContent(\n"
            f'                @"{text}",\n'
            '                Encoding.UTF8, "application/json");'
        )
    steps += [
        "var answer = await client.SendAsync(request);",
        "answer.EnsureSuccessStatusCode();",
        "Console.WriteLine(await answer.Content.ReadAsStringAsync());",
    ]
    lines = "\n            ".join(steps)
    return (
        "using System;\n"
        "using System.Net.Http;\n"
        "using System.Text;\n"
        "using System.Threading.Tasks;\n\n"
        "public static class Call\n"
        "{\n"
        "    public static void Main()\n"
        "    {\n"
        "        Run().GetAwaiter().GetResult();\n"
        "    }\n\n"
        "    static async Task Run()\n"
        "    {\n"
        "        using (var client = new HttpClient())\n"
        "        {\n"
        f"            {lines}\n"
        "        }\n"
        "    }\n"
        "}"
    )


def java(request: Request) -> str:
    """One file, Java 17: `java Call.java`."""
    steps = []
    for name, value in request.all_headers.items():
        given = f"System.getenv({_text(value.name)})" if isinstance(value, Variable) else _text(value)
        steps.append(f".header({_text(name)}, {given})")
    if request.body is None:
        publisher = "HttpRequest.BodyPublishers.noBody()"
    else:
        # In ASCII: before Java 18 the file would be read in whatever the machine's own encoding is.
        text = _indented(request.body, 16, first=True, ascii=True).replace("\\", "\\\\")
        publisher = f'HttpRequest.BodyPublishers.ofString("""\n{text}\n                """)'
    steps.append(f".method({_text(request.method)}, {publisher})")
    chain = "\n            ".join(steps)
    return (
        "import java.net.URI;\n"
        "import java.net.http.*;\n\n"
        "public class Call {\n"
        "    public static void main(String[] arguments) throws Exception {\n"
        f"        var request = HttpRequest.newBuilder(URI.create({_text(request.url)}))\n"
        f"            {chain}\n"
        "            .build();\n"
        "        var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());\n"
        "        System.out.println(answer.body());\n"
        "    }\n"
        "}"
    )


LANGUAGES: Final = (
    Language("curl", "curl", "", curl),
    Language("python", "Python", "pip install requests", python),
    Language("javascript", "JavaScript", "node 18+, as call.mjs", javascript),
    Language("php", "PHP", "PHP 8", php),
    Language("csharp", "C#", "any .NET, or Mono", csharp),
    Language("java", "Java", "Java 17+, as Call.java", java),
)


def language_of(key: str | None) -> Language:
    """The language of an address; the first one when there is no such language."""
    return next((language for language in LANGUAGES if language.key == key), LANGUAGES[0])


# How values are written ----------------------------------------------------------------------------------------


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _text(value: str) -> str:
    """As text in double quotes, in any of these languages: nothing that is written here holds a `$`."""
    return json.dumps(value, ensure_ascii=False)


def _indented(value: Any, by: int, *, first: bool = False, ascii: bool = False) -> str:
    text = json.dumps(value, ensure_ascii=ascii, indent=2).replace("\n", "\n" + " " * by)
    return " " * by + text if first else text


def _double_quoted(printed: str) -> str:
    """What Python prints, in the quotes that people write."""
    return re.sub(r"'([^'\"\\\n]*)'", r'"\1"', printed) if '"' not in printed else printed


def _python_value(value: str | Variable) -> str:
    return f"os.environ[{_text(value.name)}]" if isinstance(value, Variable) else _text(value)


def _node_value(value: str | Variable) -> str:
    return f"process.env.{value.name}" if isinstance(value, Variable) else _text(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"\w+", name) else _text(name)


def _php(value: Any, by: int) -> str:
    pad = " " * (by + 4)
    if isinstance(value, dict):
        if not value:
            return "new stdClass"
        rows = [f"{pad}{_text(str(name))} => {_php(inner, by + 4)}," for name, inner in value.items()]
        return "[\n" + "\n".join(rows) + f"\n{' ' * by}]"
    if isinstance(value, list):
        return "[" + ", ".join(_php(each, by) for each in value) + "]"
    return "null" if value is None else _text(value).replace("$", "\\$") if isinstance(value, str) else _json(value)
