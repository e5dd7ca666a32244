"""The components: what they draw, and what they must never draw."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.template import Context, Template
from django_cotton.compiler_regex import CottonCompiler

from kaizala_console.dashboard import navigation
from kaizala_console.gallery import SampleForm

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def render(source: str, **values: Any) -> str:
    """A template's text as HTML, components included."""
    return Template(CottonCompiler().process("{% load i18n %}" + source)).render(Context(values))


# ---------------------------------------------------------------- Escaping


@pytest.mark.parametrize("before", ["", "a@b"])
def test_an_address_may_be_broken_behind_its_sign_and_cannot_break_out(before: str) -> None:
    assert render("{{ text|mail_address }}", text=f"{before}<b>@c>") == f"{before}&lt;b&gt;@<wbr>c&gt;"
    assert render("{{ text|mail_address }}", text="<b>") == "&lt;b&gt;"


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("ravi@contoso.example", '<a class="small" href="mailto:ravi@contoso.example">ravi@contoso.example</a>'),
        ("d&r?bcc=a@b", '<a class="small" href="mailto:d%26r%3Fbcc%3Da@b">d&amp;r?bcc=a@b</a>'),
        ('"><b>@b', '<a class="small" href="mailto:%22%3E%3Cb%3E@b">&quot;&gt;&lt;b&gt;@b</a>'),
        ("", ""),
    ],
)
def test_a_link_to_mail_writes_to_this_address_alone_or_to_nobody(address: str, link: str) -> None:
    assert render('<c-mail-link :address="address" />', address=address) == link


@pytest.mark.parametrize("evil", ['"x" onmouseover="go()"', "' onclick='go()", '"><script>go()</script>', "a\" b' c"])
def test_a_bound_attribute_cannot_break_out_of_its_quotes(evil: str) -> None:
    html = render('<c-button :data-note="evil">Go</c-button>', evil=evil)
    assert "onmouseover=" not in html.replace("&quot;", "").replace("onmouseover=go", "")
    assert "<script" not in html
    assert html.count('data-note="') == 1
    inside = html.split('data-note="')[1].split('"')[0]
    assert "&quot;" in inside or "&#x27;" in inside


def test_words_from_people_are_escaped_everywhere() -> None:
    evil = "<b>Bot</b>"
    html = render(
        '<c-panel title="{{ evil }}">{% person_chip evil href=evil %}{% avatar evil %}{% pill "live" word=evil %}'
        '{% picture evil %}{% icon "check" label=evil %}{% with_logo connector %}{{ evil }}{% endwith_logo %}'
        '<c-copy-field :value="evil" label="L" id="i" />'
        '<c-can-cannot :can="list" :name="evil" /><c-timeline :events="events" /></c-panel>',
        evil=evil,
        connector=None,
        list=[evil],
        events=[{"at": NOW, "sentence": evil, "who": evil, "told": [{"rows": [{"label": evil, "value": evil}]}]}],
    )
    assert "<b>" not in html
    assert html.count("&lt;b&gt;") >= 13


# ---------------------------------------------------------------- Buttons, forms, fields


def test_a_form_that_is_posted_carries_the_token_and_the_guard_and_a_search_does_not() -> None:
    posted = render('<c-form action="/x" :form="form" csrf_token="tok"></c-form>', form=SampleForm())
    assert "csrfmiddlewaretoken" in posted
    assert "data-submit-once" in posted
    assert "novalidate" in posted
    assert 'enctype="multipart/form-data"' in posted
    searched = render('<c-form action="/x" method="get" csrf_token="tok"></c-form>')
    assert "csrfmiddlewaretoken" not in searched


def test_a_field_ties_its_label_help_and_error_to_its_input_and_keeps_what_was_typed() -> None:
    form = SampleForm({"name": "x" * 61})
    html = render('<c-field :field="form.name" />', form=form)
    assert '<label class="field-label" for="id_name">' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'id="id_name_helptext"' in html
    assert 'id="id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert f'value="{"x" * 61}"' in html


def test_the_error_summary_leads_to_each_field_that_is_wrong() -> None:
    form = SampleForm({"role": "nobody"})
    form.add_error(None, "Both of you were here.")
    html = render(
        '<c-form :form="form"><c-field :field="form.name" /><c-field :field="form.role" /></c-form>', form=form
    )
    assert 'href="#id_name"' in html
    assert 'id="id_name"' in html
    assert "Both of you were here." in html
    assert 'role="alert"' in html


# ---------------------------------------------------------------- Signs


def test_a_person_is_shown_with_a_number_that_nobody_else_can_dial() -> None:
    html = render('{% person_chip "Ravi Kumar" phone="+919876543203" %}')
    assert "9876543203" not in html.replace(" ", "")
    assert "203" in html


def test_a_secret_stands_in_its_field_and_in_no_address_or_other_attribute() -> None:
    rows = [{"name": "KEY", "label": "Secret", "value": "s3cr3t-value"}]
    html = render('<c-secret-once :values="rows" done_url="/done" />', rows=rows)
    assert html.count("s3cr3t-value") == 1
    assert 'value="s3cr3t-value" readonly' in html
    assert "You will not see this again." in html


# ---------------------------------------------------------------- The frame


@pytest.mark.parametrize(
    ("view", "key"),
    [
        ("home", "home"),
        ("connectors:list", "connectors"),
        ("connectors:details", "connectors"),
        ("connectors:handoff", "handoffs"),
        ("handoffs", "handoffs"),
        ("groups:details", "groups"),
        ("groups:ending", "organisation"),
        ("groups:attribute", "organisation"),
        ("groups:person_attributes", "directory"),
        ("connectors:organisation_usage", "organisation"),
        ("accounts:phone_pin", "settings"),
        ("account_login", ""),
        ("", ""),
    ],
)
def test_the_menu_lights_the_entry_that_a_page_belongs_to(view: str, key: str) -> None:
    assert navigation.active_menu_key(view) == key
