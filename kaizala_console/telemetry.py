"""What leaves the console for operators: errors to Sentry, traces by OpenTelemetry; each by a setting.

Both are scrubbed: of a request there are method and route. No address, which may name a person or hold a code; no
variables, bodies, headers or parameters of statements; and in traces no message of an exception.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from kaizala_console.api.routing import ROUTE
from kaizala_console.lib.logging import redact

_ADDRESSES = frozenset(
    {"http.url", "http.target", "url.full", "url.path", "url.query", "net.peer.ip", "client.address"}
)


def start() -> None:
    """Once in each process, before Django makes its middlewares."""
    if settings.SENTRY_DSN:
        _report_errors()
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        _trace()


def _report_errors() -> None:
    import sentry_sdk
    from sentry_sdk.integrations.logging import LoggingIntegration

    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        release=f"kaizala-console@{settings.VERSION}",
        include_local_variables=False,
        max_request_body_size="never",
        before_send=_scrub,
        before_breadcrumb=lambda crumb, hint: None,
        integrations=[LoggingIntegration(event_level=None)],  # what is raised is reported by Django's and Celery's
    )


def _scrub(event: Any, hint: Any) -> Any:
    event["request"] = {"method": event.get("request", {}).get("method")}  # the route is the "transaction"
    event.pop("extra", None)  # arguments of commands and tasks
    return redact(event)


def _trace() -> None:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import Status

    class Scrubbed(BatchSpanProcessor):
        """Sends spans without addresses, and without the messages of exceptions."""

        def on_end(self, span: ReadableSpan) -> None:
            scrubbed = ReadableSpan(
                name=span.name,
                context=span.context,
                parent=span.parent,
                resource=span.resource,
                attributes=redact({k: v for k, v in (span.attributes or {}).items() if k not in _ADDRESSES}),
                kind=span.kind,
                status=Status(span.status.status_code),
                start_time=span.start_time,
                end_time=span.end_time,
                instrumentation_scope=span.instrumentation_scope,
            )
            super().on_end(scrubbed)

    resource = Resource.create({"service.name": "kaizala-console", "service.version": settings.VERSION})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(Scrubbed(OTLPSpanExporter(f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces")))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(response_hook=_name_by_route)
    CeleryInstrumentor().instrument()
    PsycopgInstrumentor().instrument()


def _name_by_route(span: Any, request: HttpRequest, response: HttpResponseBase) -> None:
    route = request.META.get(ROUTE) or (request.resolver_match.route if request.resolver_match else "(no route)")
    span.update_name(f"{request.method} {route}")
    span.set_attribute("http.route", str(route))
