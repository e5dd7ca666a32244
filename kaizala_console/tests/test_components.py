"""The components: what they draw, and what they must never draw."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django import forms
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation
from django_cotton.compiler_regex import CottonCompiler

from kaizala_console import context
from kaizala_console.gallery import PhoneForm, PinForm, SampleForm
from kaizala_console.statuses import STATUSES, TONES, status_for
from kaizala_console.templatetags import console

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def render(source: str, **values: Any) -> str:
    """A template's text as HTML, components included."""
    return Template(CottonCompiler().process("{% load i18n console %}" + source)).render(Context(values))


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
        '<c-panel title="{{ evil }}"><c-person-chip :name="evil" /><c-copy-field :value="evil" label="L" id="i" />'
        '<c-can-cannot :can="list" :name="evil" /><c-timeline :events="events" /></c-panel>',
        evil=evil,
        list=[evil],
        events=[{"at": NOW, "sentence": evil, "who": evil, "told": [{"rows": [{"label": evil, "value": evil}]}]}],
    )
    assert "<b>" not in html
    assert html.count("&lt;b&gt;") >= 7


def test_attributes_that_are_false_or_none_are_not_written() -> None:
    assert console.html_attrs({"hidden": True, "data-a": None, "data-b": False, "data-c": ""}) == ' hidden data-c=""'


# ---------------------------------------------------------------- Buttons, forms, fields


def test_a_button_with_an_address_is_a_link_and_a_disabled_one_is_not() -> None:
    assert render('<c-button href="/there">Go</c-button>').startswith('<a class="btn btn-primary" href="/there"')
    disabled = render('<c-button href="/there" disabled>Go</c-button>')
    assert "href" not in disabled
    assert "<button" in disabled
    assert " disabled" in disabled


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


def test_only_an_optional_field_says_so() -> None:
    form = SampleForm()
    assert "optional" not in render('<c-field :field="form.name" />', form=form)
    assert "optional" in render('<c-field :field="form.page" />', form=form)


def test_a_table_has_one_list_of_classes() -> None:
    html = render('<c-table caption="Rows" class="narrow" keeps="5" id="rows"></c-table>')
    assert '<table class="table table-cards table-folds keeps-5 narrow" id="rows">' in html


def test_a_field_of_several_that_are_optional_together_does_not_say_so_again() -> None:
    assert "optional" not in render('<c-field :field="form.page" :mark="False" />', form=SampleForm())


@pytest.mark.parametrize("name", ["name", "role"])
def test_the_label_of_a_bare_field_is_for_screen_readers_alone(name: str) -> None:
    html = render(f'<c-field :field="form.{name}" :bare="True" />', form=SampleForm())
    assert 'class="field-label visually-hidden"' in html


def test_a_group_of_choices_is_a_fieldset_with_a_legend_and_a_label_for_each() -> None:
    html = render('<c-field :field="form.role" />', form=SampleForm({}))
    assert "<fieldset" in html
    assert "<legend" in html
    assert html.count('type="radio"') == 2
    assert 'for="id_role_0"' in html
    assert 'aria-describedby="id_role_helptext id_role_error"' in html
    assert html.count("form-check-input") == 2


def test_a_hidden_field_has_neither_label_nor_help() -> None:
    class WithHidden(forms.Form):
        key = forms.CharField(widget=forms.HiddenInput, help_text="secret help")

    html = render('<c-field :field="form.key" />', form=WithHidden(initial={"key": "k1"}))
    assert 'type="hidden"' in html
    assert "label" not in html
    assert "secret help" not in html


def test_the_six_boxes_are_one_input_that_a_phone_can_fill() -> None:
    html = render('<c-pin-field :field="form.pin" />', form=PinForm())
    assert html.count("<input") == 1
    assert 'autocomplete="one-time-code"' in html
    assert 'inputmode="numeric"' in html
    assert 'maxlength="6"' not in html, "a PIN pasted with a space in it would be cut"


def test_a_phone_number_is_a_country_and_a_national_number_in_one_group() -> None:
    html = render('<c-phone-field :country="form.country" :number="form.number" />', form=PhoneForm())
    assert "<fieldset" in html
    assert 'autocomplete="tel-country-code"' in html
    assert 'autocomplete="tel-national"' in html
    assert 'dir="ltr"' in html, "a number reads from left to right in every language"


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


def test_a_form_without_errors_has_no_summary() -> None:
    assert "error-summary" not in render('<c-form :form="form"></c-form>', form=SampleForm())


# ---------------------------------------------------------------- Signs


@pytest.mark.parametrize("name", sorted(STATUSES))
def test_a_pill_always_has_an_icon_and_a_word(name: str) -> None:
    html = render(f'<c-pill status="{name}" />')
    assert f"#{STATUSES[name].icon}" in html
    assert str(STATUSES[name].word) in html
    assert STATUSES[name].tone in TONES
    assert f"pill-{STATUSES[name].tone}" in html


def test_a_status_nobody_knows_is_a_mistake_that_is_told() -> None:
    with pytest.raises(ValueError, match=r"unknown status 'alive'.*live"):
        status_for("alive")


def test_a_person_is_shown_with_a_number_that_nobody_else_can_dial() -> None:
    html = render('<c-person-chip name="Ravi Kumar" phone="+919876543203" />')
    assert "9876543203" not in html.replace(" ", "")
    assert "203" in html


@pytest.mark.parametrize(
    ("name", "letters"), [("Ravi Kumar", "RK"), ("Bo", "B"), ("", "?"), ("ليلى حداد", "لح"), ("(x) Ana Ruiz", "AR")]
)
def test_an_avatar_has_the_first_letters_of_a_name(name: str, letters: str) -> None:
    assert console.initials(name) == letters


def test_the_handoff_line_says_in_words_what_its_dots_show() -> None:
    steps = [
        {"label": "Made", "state": "done", "at": NOW, "by": "Ana"},
        {"label": "Sealed", "state": "now"},
        {"label": "Told", "state": "failed"},
        {"label": "Opened", "state": "todo"},
    ]
    html = render('<c-handoff-line :steps="steps" />', steps=steps)
    for words in ("done", "this comes next", "stopped here", "not yet"):
        assert f": {words}. " in html
    assert html.count('aria-current="step"') == 1


def test_a_step_line_marks_where_the_person_is() -> None:
    html = render('<c-step-line :steps="steps" current="2" />', steps=["Name", "Permissions"])
    assert html.count('aria-current="step"') == 1
    assert html.index("is-done") < html.index("is-now")


def test_pages_are_offered_only_when_there_are_any() -> None:
    assert "<nav" not in render("<c-pagination />")
    assert 'rel="next"' in render('<c-pagination older="?before=7" />')
    assert 'rel="prev"' not in render('<c-pagination older="?before=7" />')


def test_a_secret_stands_in_its_field_and_in_no_address_or_other_attribute() -> None:
    rows = [{"name": "KEY", "label": "Secret", "value": "s3cr3t-value"}]
    html = render('<c-secret-once :values="rows" done_url="/done" />', rows=rows)
    assert html.count("s3cr3t-value") == 1
    assert 'value="s3cr3t-value" readonly' in html
    assert "You will not see this again." in html


def test_a_job_says_how_far_it_is_without_looking_at_the_bar() -> None:
    html = render('<c-job-bar title="Upload" done="41200" total="100000" bad="1" />')
    assert "41,200 of 100,000 done" in html
    assert "1 bad line" in html
    assert 'value="41"' in html


# ---------------------------------------------------------------- The frame


@pytest.mark.parametrize(
    ("view", "key"),
    [
        ("accounts:home", "home"),
        ("connectors:list", "connectors"),
        ("connectors:details", "connectors"),
        ("connectors:handoff", "handoffs"),
        ("connectors:handoffs", "handoffs"),
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
    assert context.active_key(view) == key


def test_every_page_knows_the_product_and_that_it_is_a_sandbox(rf: RequestFactory, settings: Any) -> None:
    settings.CONSOLE_BASE_URL = "https://console.example"
    facts = context.page(rf.get("/"))
    assert facts["product_name"] == "Kaizala Console"
    assert facts["sandbox"] is True
    assert facts["base_url"] == "https://console.example"


def test_status_words_follow_the_language() -> None:
    with translation.override("en"):
        assert str(status_for("ends-soon").word) == "Ends soon"


def test_a_panel_that_is_a_title_and_an_act_has_no_empty_body() -> None:
    head = '<c-panel title="Sessions"><c-slot name="acts">See them</c-slot>'
    assert "panel-body" not in render(f"{head}\n  </c-panel>")
    assert "panel-body" in render(f"{head}Words</c-panel>")
