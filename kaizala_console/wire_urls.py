"""Every endpoint of the wire: the Token Service and the Platform Service. The middleware resolves paths here."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
