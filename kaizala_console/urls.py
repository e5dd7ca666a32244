"""Every page of the console, and the only module that knows all three apps. The wire has wire_urls.py.

Each app writes the full paths of its pages ("console/groups/…"), because one page may stand among another's.
"""

from django.urls import include, path

from accounts.operators import site as operators
from kaizala_console import health, pages

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("operators/", operators.urls),
    path("language/", include("django.conf.urls.i18n")),
    path("gallery/", pages.gallery, name="gallery"),
    path("", include("accounts.pages.urls")),  # before allauth: the sandbox stands in for one of its pages
    path("", include("connectors.pages.urls")),
    path("", include("groups.pages.urls")),
    path("accounts/", include("allauth.urls")),
]
