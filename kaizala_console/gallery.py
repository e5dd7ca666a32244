"""The gallery of components: forms and rows that put each into every state. Nothing here is real."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from connectors.queries import usage as usage_queries
from connectors.views import usage
from kaizala_console.lib import bounded

LONG = (
    "Regional depot north-east, second gate, night shift and weekend replacements, including the drivers who report "
    "through the old form Donaudampfschifffahrtsgesellschaftskapitänsanwärterverzeichnis"
)
ARABIC = "مجموعة المستودع الشمالي"
REGIONS = [
    ("IN", "India (+91)"),
    ("DE", "Germany (+49)"),
    ("FR", "France (+33)"),
    ("GB", "United Kingdom (+44)"),
    ("ID", "Indonesia (+62)"),
    ("KE", "Kenya (+254)"),
    ("NG", "Nigeria (+234)"),
    ("PH", "Philippines (+63)"),
    ("US", "United States (+1)"),
    ("ZA", "South Africa (+27)"),
]


class SampleForm(forms.Form):
    name = forms.CharField(max_length=60, help_text="What admins of groups will see.")
    page = forms.URLField(label="Home page", required=False, assume_scheme="https")
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    region = forms.ChoiceField(label="Country", choices=REGIONS)
    role = forms.ChoiceField(
        widget=forms.RadioSelect, choices=[("member", "Member"), ("admin", "Admin")], help_text="Can be changed later."
    )
    permissions = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        choices=[("post", "Post messages"), ("read", "Read members"), ("edit", "Change members")],
    )
    terms = forms.BooleanField(label="Notify me by mail", required=False, help_text="At most once a day.")
    file = forms.FileField(label="CSV file", required=False)


class SamplePhoneForm(forms.Form):
    country = forms.ChoiceField(choices=REGIONS)
    number = forms.CharField(help_text="We send a PIN by SMS to make sure that it is yours.")


class SamplePinForm(forms.Form):
    pin = forms.CharField(label="PIN", help_text="Six digits from the SMS to +91 •••••• 03. It is good for 10 minutes.")


@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    """Every component in every state; ``?dir=rtl`` lays the page out from right to left. Never in production."""
    if not (settings.DEBUG or settings.SANDBOX):
        raise Http404
    return render(request, "gallery.html", {**gallery_context(), "rtl": request.GET.get("dir") == "rtl"})


def sample_forms() -> dict[str, forms.Form]:
    """The same forms untouched and refused; prefixes keep their ids apart."""
    bad = SampleForm({"bad-name": "", "bad-page": LONG, "bad-region": "XX"}, prefix="bad")
    bad.add_error(None, "The two of you changed this connector at the same time. Look at it again before you save.")
    bad_phone = SamplePhoneForm({"badphone-country": "IN", "badphone-number": "12"}, prefix="badphone")
    bad_phone.add_error("number", "This number is too short for India. Leave out the country code and the leading 0.")
    bad_pin = SamplePinForm({"badpin-pin": "12345"}, prefix="badpin")
    bad_pin.add_error("pin", "This PIN is not right. You have 3 more tries.")
    return {
        "sample": SampleForm(prefix="good", initial={"region": "IN", "role": "member"}),
        "bad": bad,
        "phone": SamplePhoneForm(prefix="phone", initial={"country": "IN"}),
        "bad_phone": bad_phone,
        "pin": SamplePinForm(prefix="pin"),
        "bad_pin": bad_pin,
    }


def handoff_lines() -> dict[str, list[dict[str, Any]]]:
    """The handoff line at three points of its life, and between long and Arabic names."""
    now = timezone.now()
    names = ("Created", "Sealed", "Notified", "Claimed", "Works")
    done: list[dict[str, Any]] = [
        {"label": name, "state": "done", "at": now - timedelta(hours=60 - 12 * i), "by": by}
        for i, (name, by) in enumerate(
            zip(names, ("Ana Ruiz", "for Depot Bot", "by mail and on Home", "Ravi Kumar", "203.0.113.9"), strict=True)
        )
    ]
    waiting = [
        *done[:3],
        {"label": "Claimed", "state": "now", "note": "until 24 Dec"},
        {"label": "Works", "state": "todo"},
    ]
    stopped = [
        *done[:2],
        {"label": "Notified", "state": "failed", "at": now, "note": "expired unclaimed"},
        {"label": "Claimed", "state": "todo"},
        {"label": "Works", "state": "todo"},
    ]
    between = {
        name: [{"label": words, "state": "done", "at": now, "by": words}, *waiting[1:]]
        for name, words in (("long", LONG), ("arabic", ARABIC))
    }
    return {"done": done, "waiting": waiting, "stopped": stopped, **between}


def people() -> list[dict[str, Any]]:
    """Rows of the sample table, a long and a right-to-left name among them."""
    now = timezone.now()
    return [
        {
            "name": "Depot Bot",
            "owner": "Ravi Kumar",
            "phone": "+919876543203",
            "status": "live",
            "groups": 12,
            "used": now - timedelta(minutes=4),
            "ends": now + timedelta(days=203),
        },
        {
            "name": LONG,
            "owner": "Ana Ruiz",
            "phone": "+4915112345678",
            "status": "ends-soon",
            "groups": 1204,
            "used": now - timedelta(days=2),
            "ends": now + timedelta(days=21),
        },
        {
            "name": ARABIC,
            "owner": "ليلى حداد",
            "phone": "+971501234567",
            "status": "leaked",
            "groups": 1,
            "used": now - timedelta(days=40),
            "ends": now + timedelta(days=3),
        },
        {
            "name": "Old importer",
            "owner": "Wei Chen",
            "phone": "+8613800138000",
            "status": "ended",
            "groups": 0,
            "used": None,
            "ends": now - timedelta(days=9),
        },
    ]


def events() -> list[dict[str, Any]]:
    now = timezone.now()
    return [
        {
            "at": now - timedelta(minutes=3),
            "who": "Ravi Kumar",
            "sentence": "rotated a secret of Depot Bot.",
            "icon": "key",
            "address": "203.0.113.9",
        },
        {
            "at": now - timedelta(hours=7),
            "who": "Ana Ruiz",
            "sentence": f"renamed the group to “{LONG}”.",
            "icon": "pencil",
            "address": "2001:db8:85a3::8a2e:370:7334",
        },
        {
            "at": now - timedelta(days=3),
            "who": "ليلى حداد",
            "sentence": f"approved the request of Depot Bot for “{ARABIC}”.",
            "icon": "check",
        },
    ]


def in_words(name: str, words: str) -> dict[str, Any]:
    """What several components take, in long or in Arabic words."""
    return {
        f"{name}_words": [words, words],
        f"{name}_tabs": [
            {"label": words, "url": "#tabs", "count": 3, "current": True},
            {"label": words, "url": "#tabs"},
        ],
        f"{name}_chips": [{"label": words, "remove_url": "#filters"}],
        f"{name}_facts": [{"label": words, "count": 3, "note": words}, {"label": words, "count": 0}],
    }


def gallery_context() -> dict[str, Any]:
    now = timezone.now()
    return {
        **in_words("long", LONG),
        **in_words("arabic", ARABIC),
        **sample_forms(),
        "lines": handoff_lines(),
        "rows": people(),
        "events": events(),
        "long": LONG,
        "arabic": ARABIC,
        "now": now,
        "ends": {
            "far": now + timedelta(days=203),
            "soon": now + timedelta(days=21, hours=1),
            "near": now + timedelta(days=3, hours=1),
            "past": now - timedelta(days=9),
        },
        "tabs": [
            {"label": "Users", "url": "#tabs", "count": 1204},
            {"label": "Sub-Groups", "url": "#tabs", "count": 0},
            {"label": "Connectors", "url": "#tabs", "count": 3, "current": True},
            {"label": "Webhooks", "url": "#tabs", "count": bounded.Bounded(bounded.MOST + 1)},
            {"label": "Messages & Actions", "url": "#tabs"},
            {"label": "Policies", "url": "#tabs"},
            {"label": "Activity", "url": "#tabs"},
        ],
        "crumbs": [
            {"label": "Groups", "url": "#crumbs"},
            {"label": LONG, "url": "#crumbs"},
            {"label": ARABIC, "url": "#crumbs"},
            {"label": "Connectors"},
        ],
        "chips": [
            {"label": "State: live", "remove_url": "#filters"},
            {"label": f"Owner: {ARABIC}", "remove_url": "#filters"},
        ],
        "can": ["post messages and actions", "read who is in the group", "see answers to its own actions"],
        "cannot": ["add or remove people", "make or delete groups", "read messages of others"],
        "facts": [
            {"label": "live tokens", "count": 3},
            {"label": "calls in the last 24 hours", "count": "1,204"},
            {"label": "calls in the last 7 days", "count": "8,730"},
            {"label": "webhooks", "count": 2, "note": "one answered today"},
            {"label": "groups", "count": 0},
        ],
        "secrets": [
            {"name": "KAIZALA_CONNECTOR_ID", "label": "Connector ID", "value": "5f0e7c1a-1b7a-4f0c-9a63-2f3a54d1b9aa"},
            {
                "name": "KAIZALA_CONNECTOR_SECRET",
                "label": "Connector secret",
                "value": "SAMPLE-not-a-secret-0000000000",
            },
        ],
        "snippet": 'curl -H "applicationId: 5f0e7c1a-1b7a-4f0c-9a63-2f3a54d1b9aa" \\\n     https://console.example/v1/accessToken',
        "steps": ["Name and details", "Permissions"],
        "bars": [
            {"label": "Rice and dal", "count": "1,204", "percent": 71, "share": "71 %", "is_most": True},
            {"label": ARABIC, "count": "320", "percent": 19, "share": "19 %", "is_own": True},
            {"label": LONG, "count": "170", "percent": 10, "share": "10 %"},
            {"label": "Nothing", "count": "0", "percent": 0, "share": "0 %"},
        ],
        "usage_chart": usage.chart(
            [
                (
                    timezone.now() + timedelta(days=n),
                    usage_queries.UsageSums(90 + n * n, n % 4 * 3, n % 7 * 4, n // 25),
                )
                for n in range(30)
            ],
            usage_queries.Period.MONTH,
        ),
        "spark": usage.spark([0, 3, 8, 2, 0, 0, 12, 31, 24, 18, 6, 0, 9, 14]),
        "no_bars": [{"label": label, "count": "0", "percent": 0, "share": "0 %"} for label in ("Yes", "No")],
    }
