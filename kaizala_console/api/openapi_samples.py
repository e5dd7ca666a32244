"""Sample values for the OpenAPI document: what a body looks like, without a secret in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_ID: Final = "df91cb37-97bf-4ccd-a8c2-b2a3ba5eac62"
_NUMBER: Final = "+919876543210"
_DEEPEST: Final = 6
_MOMENT: Final = 1798761600000  # 1 January 2027
_ONE: Final = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None, "object": {}}

# By the name of the property, lower-cased: a name means the same in all of the protocol.
_NAMED: Final[dict[str, Any]] = {
    "accesstoken": "ACCESS_TOKEN",
    "access_token": "ACCESS_TOKEN",
    "agenda": "Plan the week",
    "answers": ["Yes"],
    "applicationid": _ID,
    "applicationsecret": "CONNECTOR_SECRET",
    "callbackcontext": "night-shift",
    "callbacktoken": "CALLBACK_TOKEN",
    "callbackurl": "https://program.example/kaizala",
    "caption": "The new gate",
    "client_id": _ID,
    "client_secret": "CONNECTOR_SECRET",
    "code": "CODE",
    "code_verifier": "CODE_VERIFIER",
    "comment": "Thank you",
    "credential": "CREDENTIAL",
    "error_code": "InvalidParameters",
    "expires_in": 86400,
    "grant_type": "authorization_code",
    "grantedscope": "groupinfo.read,textmessage.write",
    "groupimageurl": "https://program.example/night-shift.png",
    "groupname": "Night Shift",
    "isduplicate": False,
    "latitude": 18.5204,
    "longdescriptionstring": "Everybody who works between 22:00 and 6:00.",
    "longitude": 73.8567,
    "mediaresource": _ID,
    "mediaurl": "https://program.example/gate.jpg",
    "members": [_NUMBER],
    "message": "The night shift starts at 22:00.",
    "mobilenumber": _NUMBER,
    "name": "Night Shift",
    "pin": "123456",
    "profilepic": "https://program.example/picture.png",
    "question": "Who can take the night shift?",
    "redirect_uri": "https://program.example/signed-in",
    "refreshtoken": "REFRESH_TOKEN",
    "refresh_token": "REFRESH_TOKEN",
    "responsename": "Meera Nair",
    "scope": "groupinfo.read,textmessage.write",
    "sealedrefreshtoken": "",
    "shortdescriptionstring": "22:00 to 6:00",
    "startingtime": "2030-01-01T09:00:00Z",
    "subgroups": [_ID],
    "subscribers": [_NUMBER],
    "title": "Night shift",
    "token_type": "Bearer",
    "welcomemessage": "Welcome to the night shift.",
    "where": "https://program.example/config.json",
}
_LEFT_OUT: Final = frozenset({"subscribers", "sendtoallsubscribers", "cursor"})  # of requests: they are for few


def sample(
    schema: Schema, components: Mapping[str, Schema], *, name: str = "", whole: bool = True, depth: int = 0
) -> Any:
    """A value that fits ``schema``. ``whole`` fills in what is optional too; else only what has a telling sample."""
    if "$ref" in schema:
        return sample(
            components[schema["$ref"].rpartition("/")[2]], components, name=name, whole=whole, depth=depth + 1
        )
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if "const" in schema:
        return schema["const"]
    if "example" in schema:
        return schema["example"]
    if depth > _DEEPEST:
        return {} if schema.get("type") == "object" else None
    known = _NAMED.get(name.lower())
    if known is not None and _fits(known, schema):
        return known
    if "properties" in schema and schema.get("anyOf"):  # what goes with one alternative, and what goes with all
        own = {key: value for key, value in schema.items() if key != "anyOf"}
        alternative = {"type": "object", **schema["anyOf"][0]}
        return {
            **sample(alternative, components, name=name, whole=False, depth=depth),
            **sample(own, components, name=name, whole=whole, depth=depth),
        }
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            first = {**_default_of(schema), **schema[key][0]}
            return sample(first, components, name=name, whole=whole, depth=depth + 1)
    return _by_type(schema, components, name, whole, depth)


def _by_type(schema: Schema, components: Mapping[str, Schema], name: str, whole: bool, depth: int) -> Any:
    kind = next(iter(_kinds(schema)), None)
    if kind == "array":
        item = sample(schema.get("items", {}), components, name=name.removesuffix("s"), whole=whole, depth=depth + 1)
        return [] if item is None else [item]
    if kind == "object" and "properties" in schema:
        required = schema.get("required", ())
        return {
            inner: sample(inner_schema, components, name=inner, whole=whole, depth=depth + 1)
            for inner, inner_schema in schema["properties"].items()
            if whole or inner in required or (inner.lower() in _NAMED and inner.lower() not in _LEFT_OUT)
        }
    if kind == "object":
        inner = schema.get("additionalProperties")
        return {_NUMBER: sample(inner, components, whole=whole, depth=depth + 1)} if isinstance(inner, dict) else {}
    if schema.get("format") == "uuid" or (kind == "string" and name.lower().endswith("id")):
        return _ID
    if schema.get("format") == "int64":
        return _MOMENT
    if kind == "string":
        return schema.get("default", "")
    if kind in ("integer", "number") and ("minimum" in schema or "default" in schema):
        return schema.get("default", schema.get("minimum"))
    return _ONE.get(str(kind))


def _kinds(schema: Schema) -> list[str]:
    kind = schema.get("type", ())
    return [kind] if isinstance(kind, str) else list(kind)


def _default_of(schema: Schema) -> Schema:
    return {"default": schema["default"]} if "default" in schema and "$ref" not in schema else {}


def _fits(value: Any, schema: Schema) -> bool:
    kinds = [kind for each in (schema, *schema.get("anyOf", ())) for kind in _kinds(each)]
    kind = {str: "string", list: "array", float: "number", int: "integer", bool: "boolean"}[type(value)]
    return kind in kinds and schema.get("format") in (None, "uri", "date-time", "double")
