"""The console behind the sample wire."""

from django.http import HttpRequest, HttpResponse
from django.urls import path


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"<p>console page {request.path} {request.GET.get('state', '')}</p>")


urlpatterns = [path("console/", page), path("api/oauth/authorize", page)]
