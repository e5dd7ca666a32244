"""The second table of every_page.py: addresses that show no page of their own, and why."""

from __future__ import annotations

# What takes a form alone need not stand here: it refuses a GET.
A_FILE = "gives a file"
A_PROGRAM = "for programs and monitoring"
LEADS_ON = "leads on at once"
NOT_PAGES: dict[str, str] = {
    **dict.fromkeys(("healthz", "readyz", "readyz_web"), A_PROGRAM),
    **dict.fromkeys(("set_language",), LEADS_ON),
    **dict.fromkeys(("connectors:usage_export", "connectors:organisation_usage_export"), A_FILE),
    **dict.fromkeys(("connectors:logo_file", "connectors:explorer_document"), A_FILE),
    **dict.fromkeys(("groups:bulk_template", "groups:bulk_file", "groups:bulk_log", "groups:bulk_problems"), A_FILE),
    "gallery": "looked at by test_gallery.py, in every direction",
    **dict.fromkeys(("root", "accounts:phones", "accounts:dummy_authenticate", "connectors:authorize"), LEADS_ON),
    **dict.fromkeys(("dummy_login", "dummy_authenticate", "socialaccount_signup"), LEADS_ON),
    **dict.fromkeys(("openid_connect_login", "openid_connect_callback", "accounts:office365_callback"), LEADS_ON),
    **dict.fromkeys(("socialaccount_connections",), LEADS_ON),
}
