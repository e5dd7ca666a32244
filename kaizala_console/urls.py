"""Every page of the console. The wire has a table of its own: wire_urls.py."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
