"""Every page of the console. The wire has api_urls.py.

Each app writes the full paths of its pages ("console/groups/…"), because one page may stand among another's.
"""

from django.urls import include, path
from django.views.generic import RedirectView

from accounts.admin.site import site as operators
from connectors.views import handoffs
from kaizala_console import gallery, health, help, queues
from kaizala_console.dashboard import activity, home, search
from kaizala_console.dashboard.pending_actions import list_requests

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("readyz/web", health.readyz, {"part": "web"}, name="readyz_web"),
    path("operators/queues/", operators.admin_view(queues.queues_page), name="operators_queues"),
    path("operators/", operators.urls),
    path("language/", include("django.conf.urls.i18n")),
    path("", home.root, name="root"),
    path("console/", home.home, name="home"),
    path("console/first-steps/put-away/", home.dismiss_onboarding, name="onboarding_dismiss"),
    path("console/first-steps/bring-back/", home.restore_onboarding, name="onboarding_restore"),
    path("console/activity/", activity.activity, name="activity"),
    path("console/activity/<int:event_id>/", activity.event, name="activity_event"),
    path("console/activity/export/", activity.export, name="activity_export"),
    path("console/search/", search.search, name="search"),
    path("console/handoffs/", handoffs.inbox, {"asked_of": list_requests}, name="handoffs"),
    path("console/help/", help.index, name="help"),
    path("console/help/<slug:slug>/", help.page, name="help_page"),
    path("gallery/", gallery.gallery, name="gallery"),
    # Where these stood before the page "Organisation".
    *(
        path(old, RedirectView.as_view(pattern_name=name, permanent=True, query_string=True))
        for old, name in {
            "console/usage/": "connectors:organisation_usage",
            "console/archive/": "groups:archive",
            "console/groups/ending/": "groups:ending",
            "console/groups/parents/": "groups:mapping",
            "console/directory/attributes/": "groups:attributes",
            "console/directory/file/": "groups:people_upload",
        }.items()
    ),
    path("", include("accounts.views.urls")),  # before allauth: the sandbox stands in for one of its pages
    path("", include("connectors.views.urls")),
    path("", include("groups.views.urls")),
    # Pages of allauth in whose place the console has its own, which write down what is done there.
    path("accounts/3rdparty/", RedirectView.as_view(pattern_name="accounts:settings")),
    path("accounts/", include("allauth.urls")),
]
