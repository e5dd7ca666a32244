"""Every endpoint of the wire: the Token Service and the Platform Service. The wire's middleware resolves paths here.

Each service's own urls.py is its table of contents, with full paths in the protocol's spelling.
"""

from django.urls import include, path

urlpatterns = [
    path("", include("connectors.token_service.urls")),
    path("", include("groups.platform_service.urls")),
]
