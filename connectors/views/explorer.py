"""The API explorer: a program to begin with, and Swagger UI over the OpenAPI document, to read and to try.

An access token that is tried goes from the browser to the API alone: no page and no form has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET

from accounts.views.decorators import signed_in, user_of
from connectors import policies
from connectors.description import get_translated_description
from connectors.models import Connector
from connectors.views import links
from connectors.views.one_time_secrets import ID, REFRESH_TOKEN, SECRET
from kaizala_console.lib import ids

LANGUAGE, CONNECTOR = "in", "connector"


@require_GET
@signed_in
def index(request: HttpRequest) -> HttpResponse:
    """The quick start in six languages, and the viewer."""
    connector_id = _own_connector(request)
    program = get_program(request.GET.get(LANGUAGE), connector_id)
    tabs = [
        {
            "label": each.label,
            "url": f"{links.url_with(request, **{LANGUAGE: each.key})}#sample",
            "current": each.key == program.key,
        }
        for each in list_programs()
    ]
    context = {
        "program": program,
        "languages": tabs,
        "variables": list_variables(connector_id),
        "crumbs": links.crumbs((_("Connectors"), reverse("connectors:list")), (_("API explorer"), "")),
    }
    return render(request, "connectors/explorer.html", context)


@gzip_page  # nothing in it is secret
@require_GET
@signed_in
def document(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document for the viewer: in the reader's language, about the host that they are on.

    Consent to a program's OAuth is given on a page of its own, so the viewer does not offer it.
    """
    found = get_translated_description(get_language() or "en")
    components = found["components"]
    schemes = {name: scheme for name, scheme in components["securitySchemes"].items() if name != "oauth"}
    shown = {**found, "components": {**components, "securitySchemes": schemes}}
    del shown["servers"]
    return JsonResponse(shown)


def _own_connector(request: HttpRequest) -> str:
    """The ID of the connector that the page was opened for, when it is one that this person sees."""
    wanted = ids.parse_guid(request.GET.get(CONNECTOR, ""))
    connector = Connector.objects.filter(pk=wanted, deleted_at__isnull=True).first() if wanted else None
    return str(connector.pk) if connector is not None and policies.can_see(user_of(request), connector) else ""


GROUP: Final = "GROUP_ID"
TEXT: Final = "Hello from my program"


@dataclass(frozen=True, slots=True)
class Program:
    """A file, and the line that runs it. ``key`` names its language in addresses."""

    key: str
    label: str
    file: str
    run: str
    needs: str
    text: str


def list_programs(connector_id: str = "") -> list[Program]:
    """The programs, for this console; and for one connector when its ID is given. Else that is read, too."""
    return [_filled(program, connector_id) for program in _PROGRAMS]


def get_program(key: str | None, connector_id: str = "") -> Program:
    """The program in one language; the first one when there is no such language."""
    chosen = next((program for program in _PROGRAMS if program.key == key), _PROGRAMS[0])
    return _filled(chosen, connector_id)


def list_variables(connector_id: str = "") -> list[str]:
    """What must be in the environment."""
    return [*([] if connector_id else [ID]), SECRET, REFRESH_TOKEN, GROUP]


def _filled(program: Program, connector_id: str) -> Program:
    text = program.text.replace("CONSOLE_URL", settings.CONSOLE_BASE_URL).replace("MESSAGE", TEXT)
    for expression in _ID_EXPRESSIONS if connector_id else ():
        text = text.replace(expression, connector_id if expression.startswith("$") else f'"{connector_id}"')
    return Program(program.key, program.label, program.file, program.run, program.needs, text.strip())


_ID_EXPRESSIONS: Final = (
    "$CONNECTOR_ID",
    'os.environ["CONNECTOR_ID"]',
    "process.env.CONNECTOR_ID",
    'Environment.GetEnvironmentVariable("CONNECTOR_ID")',
    'System.getenv("CONNECTOR_ID")',
    'getenv("CONNECTOR_ID")',  # after those that end with it
)

_CURL: Final = r"""
ACCESS_TOKEN=$(curl -fsS CONSOLE_URL/v1/accessToken \
  -H "applicationId: $CONNECTOR_ID" \
  -H "applicationSecret: $CONNECTOR_SECRET" \
  -H "refreshToken: $REFRESH_TOKEN" | sed 's/.*"accessToken":"\([^"]*\)".*/\1/')

curl -fsS "CONSOLE_URL/v1/groups/$GROUP_ID/messages" \
  -H "accessToken: $ACCESS_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{"message": "MESSAGE"}'
"""

_PYTHON: Final = """
import os

import requests

token = requests.get(
    "CONSOLE_URL/v1/accessToken",
    headers={
        "applicationId": os.environ["CONNECTOR_ID"],
        "applicationSecret": os.environ["CONNECTOR_SECRET"],
        "refreshToken": os.environ["REFRESH_TOKEN"],
    },
    timeout=30,
)
token.raise_for_status()
access = token.json()

message = requests.post(
    f"{access['endpointUrl']}/v1/groups/{os.environ['GROUP_ID']}/messages",
    headers={"accessToken": access["accessToken"]},
    json={"message": "MESSAGE"},
    timeout=30,
)
message.raise_for_status()
print(message.json())
"""

_JAVASCRIPT: Final = """
async function call(url, options) {
  const answer = await fetch(url, options);
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.json();
}

const access = await call("CONSOLE_URL/v1/accessToken", {
  headers: {
    applicationId: process.env.CONNECTOR_ID,
    applicationSecret: process.env.CONNECTOR_SECRET,
    refreshToken: process.env.REFRESH_TOKEN,
  },
});

const message = await call(`${access.endpointUrl}/v1/groups/${process.env.GROUP_ID}/messages`, {
  method: "POST",
  headers: { accessToken: access.accessToken, "Content-Type": "application/json" },
  body: JSON.stringify({ message: "MESSAGE" }),
});
console.log(message);
"""

_PHP: Final = """
<?php
function call(string $method, string $url, array $headers, ?array $body = null): array
{
    $answer = file_get_contents($url, false, stream_context_create(["http" => [
        "method" => $method,
        "header" => [...$headers, "Content-Type: application/json"],
        "content" => $body === null ? "" : json_encode($body),
    ]]));
    if ($answer === false) {
        exit(1);
    }
    return json_decode($answer, true);
}

$access = call("GET", "CONSOLE_URL/v1/accessToken", [
    "applicationId: " . getenv("CONNECTOR_ID"),
    "applicationSecret: " . getenv("CONNECTOR_SECRET"),
    "refreshToken: " . getenv("REFRESH_TOKEN"),
]);

$message = call(
    "POST",
    $access["endpointUrl"] . "/v1/groups/" . getenv("GROUP_ID") . "/messages",
    ["accessToken: " . $access["accessToken"]],
    ["message" => "MESSAGE"],
);
print_r($message);
"""

# Every C# since 2012 takes this. Top-level statements and `async Main` older compilers refuse, and there is no
# System.Text.Json in .NET Framework and in Mono.
_CSHARP: Final = """
using System;
using System.Net.Http;
using System.Runtime.Serialization.Json;
using System.Text;
using System.Threading.Tasks;

public class Access
{
    public string accessToken = "";
    public string endpointUrl = "";
}

public static class Hello
{
    public static void Main()
    {
        Run().GetAwaiter().GetResult();
    }

    static async Task Run()
    {
        using (var client = new HttpClient())
        {
            var exchange = new HttpRequestMessage(HttpMethod.Get, "CONSOLE_URL/v1/accessToken");
            exchange.Headers.Add("applicationId", Environment.GetEnvironmentVariable("CONNECTOR_ID"));
            exchange.Headers.Add("applicationSecret", Environment.GetEnvironmentVariable("CONNECTOR_SECRET"));
            exchange.Headers.Add("refreshToken", Environment.GetEnvironmentVariable("REFRESH_TOKEN"));
            var exchanged = await client.SendAsync(exchange);
            exchanged.EnsureSuccessStatusCode();
            var json = new DataContractJsonSerializer(typeof(Access));
            var access = (Access)json.ReadObject(await exchanged.Content.ReadAsStreamAsync());

            var group = Environment.GetEnvironmentVariable("GROUP_ID");
            var url = access.endpointUrl + "/v1/groups/" + group + "/messages";
            var post = new HttpRequestMessage(HttpMethod.Post, url);
            post.Headers.Add("accessToken", access.accessToken);
            post.Content = new StringContent(@"{""message"": ""MESSAGE""}", Encoding.UTF8, "application/json");
            var posted = await client.SendAsync(post);
            posted.EnsureSuccessStatusCode();
            Console.WriteLine(await posted.Content.ReadAsStringAsync());
        }
    }
}
"""

_JAVA: Final = r"""
import java.net.URI;
import java.net.http.*;
import java.util.regex.*;

public class Hello {
    static final HttpClient CLIENT = HttpClient.newHttpClient();

    public static void main(String[] arguments) throws Exception {
        var access = send(HttpRequest.newBuilder(URI.create("CONSOLE_URL/v1/accessToken"))
            .header("applicationId", System.getenv("CONNECTOR_ID"))
            .header("applicationSecret", System.getenv("CONNECTOR_SECRET"))
            .header("refreshToken", System.getenv("REFRESH_TOKEN")));

        var group = System.getenv("GROUP_ID");
        var message = send(HttpRequest.newBuilder(
                URI.create(field(access, "endpointUrl") + "/v1/groups/" + group + "/messages"))
            .header("accessToken", field(access, "accessToken"))
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString("{\"message\": \"MESSAGE\"}")));
        System.out.println(message);
    }

    static String send(HttpRequest.Builder request) throws Exception {
        var answer = CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new RuntimeException(answer.statusCode() + " " + answer.body());
        }
        return answer.body();
    }

    static String field(String json, String name) {
        var found = Pattern.compile("\"" + name + "\":\"([^\"]*)\"").matcher(json);
        found.find();
        return found.group(1);
    }
}
"""

_PROGRAMS: Final = (
    Program("curl", "curl", "hello.sh", "sh hello.sh", "curl", _CURL),
    Program("python", "Python", "hello.py", "python3 hello.py", "pip install requests", _PYTHON),
    Program("javascript", "JavaScript", "hello.mjs", "node hello.mjs", "node 18+", _JAVASCRIPT),
    Program("php", "PHP", "hello.php", "php hello.php", "PHP 8", _PHP),
    Program("csharp", "C#", "Program.cs", "dotnet run", "any .NET, or Mono", _CSHARP),
    Program("java", "Java", "Hello.java", "java Hello.java", "Java 17+", _JAVA),
)
