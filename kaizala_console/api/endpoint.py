"""Endpoints, declared.

An operation is a function of a Call and the arguments of its path; what it needs is declared around it. The
view that ``resource`` makes does the rest: method, credentials, scope, query, body, call, strict JSON out. It
raises; the middleware turns what is raised into answers.

    @operation(authenticate=authenticate, scope="textmessage.write", body=SendMessage, summary="Post a text message")
    def send_message(call: Call, group_id: str) -> dict[str, str]: ...

    urlpatterns = [path("v1/groups/<group_id>/messages", resource(POST=send_message))]
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Protocol

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from kaizala_console.api import responses
from kaizala_console.api.errors import ApiError, MethodNotAllowed, PermissionMissing, get_status
from kaizala_console.api.fields import Body, Query
from kaizala_console.api.request_body import read_shape
from kaizala_console.api.responses import Answer
from kaizala_console.api.routing import ROUTE, Routes

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


class ScopedCaller(Protocol):
    """Who calls, with what right: made by ``authenticate``, which the connectors app provides."""

    @property
    def scopes(self) -> Collection[str]:
        """The scopes of the access token."""

    def permission_for(self, scope: str) -> str:
        """Return the portal's name of the permission that ``scope`` belongs to ("Text Message")."""


@dataclass(slots=True)
class Call:
    """One call of an operation. ``caller``, ``body`` and ``query`` are None where none was declared.

    ``route`` is the one that led here, in the protocol's spelling; empty when no middleware did (tests).
    """

    request: HttpRequest
    caller: Any = None
    body: Any = None
    query: Any = None

    @property
    def route(self) -> str:
        return str(self.request.META.get(ROUTE, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Declared:
    """What is declared of an operation.

    ``authenticate`` makes the caller from the request, or raises; None is for everybody. ``scope`` is what its
    token must hold. ``body`` and ``query`` are shapes; ``form`` takes a form-encoded body as well. ``admit`` is
    asked with the caller before anything is read, and raises Throttled. ``observe`` gets every call afterwards,
    with the status of its answer; it must be quick and must not raise. The function returns what JSON can say, or an
    HttpResponse.

    The rest describes, for the OpenAPI document: ``response`` the answer (in tests answers are checked against it),
    ``credentials`` the headers that the function itself takes credentials from, ``headers`` others that it reads,
    with what they say, ``uploads`` the media types that it takes as files of a multipart body (then the function reads
    the body itself, whichever comes), ``refuses`` the errors that it raises in addition to those that every operation
    of its kind may raise, ``example`` a body that says more than its shape does.

    ``in_group`` is what the token must be allowed in the group of the path, in addition to reaching it: the token
    inspector explains a call by it. The function itself sees to it.
    """

    summary: str
    authenticate: Callable[[HttpRequest], ScopedCaller] | None = None
    scope: str | None = None
    body: type[Body] | None = None
    form: bool = False
    query: type[Query] | None = None
    response: type[Answer] | None = None
    status: int = 200
    admit: Callable[[Any], None] | None = None
    observe: Callable[[Operation, Call, int], None] | None = None
    credentials: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    uploads: tuple[str, ...] = ()
    refuses: tuple[type[ApiError], ...] = ()
    example: Mapping[str, Any] | None = None
    in_group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(_Declared):
    """A function and everything that is declared about it; enough to describe it in OpenAPI."""

    function: Callable[..., Any]

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def description(self) -> str:
        return self.function.__doc__ or ""

    def __call__(self, call: Call, **arguments: Any) -> Any:
        return self.function(call, **arguments)

    def answer(self, request: HttpRequest, arguments: dict[str, Any]) -> HttpResponseBase:
        """Run the operation for ``request``. Raises what the function, or a step before it, raises.

        Credentials come first: a stranger learns nothing about the shape of a body.
        """
        call = Call(request)
        if self.observe is None:
            return self._answer(call, arguments)
        try:
            response = self._answer(call, arguments)
        except Exception as problem:
            self.observe(self, call, get_status(problem))
            raise
        self.observe(self, call, response.status_code)
        return response

    def _answer(self, call: Call, arguments: dict[str, Any]) -> HttpResponseBase:
        request = call.request
        if self.authenticate is not None:
            call.caller = caller = self.authenticate(request)
            if self.admit is not None:
                self.admit(caller)
            if self.scope is not None and self.scope not in caller.scopes:
                raise PermissionMissing(caller.permission_for(self.scope), self.scope)
        if self.query is not None:
            call.query = self.query.parse(request.GET)
        if self.body is not None and not self.uploads:
            call.body = read_shape(request, self.body, form=self.form)
        result = self.function(call, **arguments)
        if isinstance(result, HttpResponseBase):
            return result
        return HttpResponse(responses.encode(result), status=self.status, content_type=responses.CONTENT_TYPE)


class operation(_Declared):  # noqa: N801 - a decorator
    """Declares the function below as an operation."""

    def __post_init__(self) -> None:
        if self.scope is not None and self.authenticate is None:
            raise TypeError("a scope can only be asked of a caller: say how to authenticate")

    def __call__(self, function: Callable[..., Any]) -> Operation:
        return Operation(function=function, **{each.name: getattr(self, each.name) for each in fields(self)})


class Resource:
    """The view of one path: an operation a method. GET serves HEAD too; OPTIONS says what is there."""

    csrf_exempt = True  # no cookie counts here

    def __init__(self, operations: dict[str, Operation]) -> None:
        self.operations = operations
        self._by_method = dict(operations)
        if "GET" in operations:
            self._by_method["HEAD"] = operations["GET"]
        self.allowed = [*self._by_method, "OPTIONS"]

    def __call__(self, request: HttpRequest, **arguments: Any) -> HttpResponseBase:
        chosen = self._by_method.get(request.method or "")
        if chosen is not None:
            return chosen.answer(request, arguments)
        if request.method == "OPTIONS":
            methods = ", ".join(self.allowed)
            headers = {"Allow": methods, "Access-Control-Allow-Methods": methods}
            return HttpResponse(status=204, content_type=responses.CONTENT_TYPE, headers=headers)
        raise MethodNotAllowed(self.allowed)


def resource(**operations: Operation) -> Resource:
    """Return the view of a path, from its operations by method: ``resource(GET=list_messages, POST=send_message)``."""
    for method, declared in operations.items():
        if method not in _METHODS:
            raise TypeError(f"{method} is not one of {', '.join(_METHODS)}")
        if not isinstance(declared, Operation):
            raise TypeError(f"{method} of a resource is no operation: decorate the function")
    return Resource(operations)


def list_operations(routes: Routes) -> Iterator[tuple[str, str, Operation]]:
    """Yield (method, route, operation) of everything that is declared, for the OpenAPI document."""
    for route, view in routes:
        if isinstance(view, Resource):
            for method, declared in view.operations.items():
                yield method, route, declared
