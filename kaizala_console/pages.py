"""The frame's own pages: the gallery of components, never served in production, and what waits for the worker."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from kaizala_console import queues as state
from kaizala_console.gallery import gallery_context


def gallery_is_open() -> bool:
    """Whether the gallery may be shown: in the sandbox and in debug mode only."""
    return bool(settings.DEBUG or getattr(settings, "SANDBOX", False))


@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    """Every component in every state; ``?dir=rtl`` lays the whole page out from right to left."""
    if not gallery_is_open():
        raise Http404
    return render(request, "gallery.html", {**gallery_context(), "rtl": request.GET.get("dir") == "rtl"})


@require_safe
def queues(request: HttpRequest) -> HttpResponse:
    """For operators: each queue with what is late, and when the timetable last sent each task."""
    words = {
        "queues": state.queues(),
        "workers": state.workers_seen(),
        "schedule": state.beat_schedule(),
        "messages": state.messages_in_the_broker(),
    }
    return render(request, "operators_queues.html", words)
