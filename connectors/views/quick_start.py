"""Whole programs that trade a refresh token and post a message, in six languages: they run as they are printed.

A test runs them. What only the developer has is read from the environment, as the downloaded `.env` names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.conf import settings

from connectors.views.snippets import ID, REFRESH_TOKEN, SECRET

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


def programs(connector_id: str = "") -> list[Program]:
    """The programs, for this console; and for one connector when its ID is given. Else that is read, too."""
    return [_filled(program, connector_id) for program in _PROGRAMS]


def program_of(key: str | None, connector_id: str = "") -> Program:
    """The program in one language; the first one when there is no such language."""
    chosen = next((program for program in _PROGRAMS if program.key == key), _PROGRAMS[0])
    return _filled(chosen, connector_id)


def variables(connector_id: str = "") -> list[str]:
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
