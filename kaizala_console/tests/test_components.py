"""The components and what they say of moments: what they draw, and what they must never draw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.template import Context, Template
from django_cotton.compiler_regex import CottonCompiler

from kaizala_console.dashboard import navigation
from kaizala_console.gallery import SampleForm
from kaizala_console.templatetags import console

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def render(source: str, **values: Any) -> str:
    """A template's text as HTML, components included."""
    return Template(CottonCompiler().process("{% load i18n %}" + source)).render(Context(values))


# ---------------------------------------------------------------- Escaping


@pytest.mark.parametrize("before", ["", "a@b"])
def test_an_address_may_be_broken_behind_its_sign_and_cannot_break_out(before: str) -> None:
    assert render("{{ text|mail_address }}", text=f"{before}<b>@c>") == f"{before}&lt;b&gt;@<wbr>c&gt;"
    assert render("{{ text|mail_address }}", text="<b>") == "&lt;b&gt;"


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


def test_a_field_ties_its_label_help_and_error_to_its_input_and_keeps_what_was_typed() -> None:
    form = SampleForm({"name": "x" * 61})
    html = render('<c-field :field="form.name" />', form=form)
    assert '<label class="field-label" for="id_name">' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'id="id_name_helptext"' in html
    assert 'id="id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert f'value="{"x" * 61}"' in html


# ---------------------------------------------------------------- Signs


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


NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        (timedelta(seconds=20), "now"),
        (timedelta(seconds=-61), "1 minute ago"),
        (timedelta(minutes=5), "in 5 minutes"),
        (timedelta(hours=-7), "7 hours ago"),
        (timedelta(days=7, seconds=-1), "in 7 days"),
        (timedelta(hours=23, minutes=30), "in 1 day"),
        (timedelta(days=-7, seconds=1), "6 days ago"),
        (timedelta(days=-400), "400 days ago"),
        (timedelta(days=730), "in 730 days"),
        (timedelta(days=731), "in 2 years"),
        (timedelta(days=-1200), "3 years ago"),
    ],
)
def test_a_moment_is_told_from_now(time_machine: Any, delta: timedelta, words: str) -> None:
    time_machine.move_to(NOW, tick=False)
    assert console.relative(NOW + delta) == words


def test_a_moment_has_its_exact_time_with_the_zone_beside_it(time_machine: Any, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"
    time_machine.move_to(NOW, tick=False)
    html = render('{{ at|moment:"both" }}', at=NOW + timedelta(days=23, minutes=-205))
    assert 'title="17 Dec 2026, 14:05 IST"' in html
    assert 'datetime="2026-12-17T14:05:00+05:30"' in html
    assert "in 23 days" in html


@pytest.mark.parametrize(
    ("left", "tone", "percent"),
    [
        (timedelta(days=365), "live", 100),
        (timedelta(days=30, seconds=1), "live", 9),
        (timedelta(days=30), "soon", 9),
        (timedelta(days=7, seconds=1), "soon", 2),
        (timedelta(days=7), "refused", 2),
        (timedelta(seconds=1), "refused", 1),
        (timedelta(0), "ended", 0),
        (timedelta(days=-3), "ended", 0),
    ],
)
def test_days_left_turn_amber_at_thirty_and_red_at_seven(
    time_machine: Any, left: timedelta, tone: str, percent: int
) -> None:
    time_machine.move_to(NOW, tick=False)
    facts = console.days_left_facts(NOW + left)
    assert (facts["tone"], facts["percent"]) == (tone, percent)
