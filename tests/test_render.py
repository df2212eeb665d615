"""Rendering: strict, sandboxed, escaped, and never twice."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.render import (
    CannotRender,
    MissingValues,
    letter,
    missing_values,
    render_wording,
)
from orchestrator.rules.program import Wording

CONTEXT: dict[str, Any] = {
    "first_name": "Ola",
    "company": {"name": "Hansen & Sønn"},
    "fact": {"pain": "bilag på papir"},
    "sender": {"name": "Kari"},
}

ATTACKS = [
    "{{ ''.__class__ }}",
    "{{ first_name.__class__.__mro__ }}",
    "{{ fact.pain.__init__.__globals__ }}",
    "{{ self }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__ }}",
    "{{ range(999999999) }}",
    "{{ namespace() }}",
    "{{ joiner() }}",
    "{{ config }}",
    "{{ env }}",
    "{{ request }}",
    "{{ first_name.format(1) }}",
    "{{ first_name.upper() }}",
    "{{ '%s'|format(first_name) }}",
    "{{ first_name|attr('__class__') }}",
    "{{ first_name|map('upper') }}",
    "{{ first_name|xmlattr }}",
    "{{ first_name|default('you') }}",
    "{{ first_name|d('you') }}",
    "{{ first_name|safe }}",
    "{{ first_name|center(1000000) }}",
    "{{ first_name|replace('a','b') }}",
    "{{ first_name|batch(2) }}",
    "{{ 5000000 * 'a' }}",
    "{{ 10 ** 100000 }}",
    "{{ 7 * 7 }}",
    "{{ first_name ~ 'x' }}",
    "{{ first_name + 'x' }}",
    "{{ -1 }}",
    "{{ [1, 2] }}",
    "{{ {'a': 1} }}",
    "{{ ('a',) }}",
    "{{ fact['pain'] }}",
    "{{ fact[first_name] }}",
    "{{ first_name[0] }}",
    "{{ first_name if 1 else 2 }}",
    "{{ fact }}",
    "{{ company }}",
    "{{ company.keys() }}",
    "{{ company.clear() }}",
    "{{ fact.pop('pain') }}",
    "{{ fact.__class__ }}",
    "{{ undefined_name }}",
    "{{ prospect.secret }}",
    "{% for i in first_name %}{{ i }}{% endfor %}",
    "{% for i in range(10**9) %}x{% endfor %}",
    "{% set x = 1 %}",
    "{% set x %}a{% endset %}",
    "{% macro m() %}{% endmacro %}",
    "{% call m() %}{% endcall %}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% from 'os' import path %}",
    "{% extends 'x' %}",
    "{% block x %}{% endblock %}",
    "{% filter upper %}x{% endfilter %}",
    "{% raw %}x{% endraw %}{{ 1/0 }}",
    "{% do first_name %}",
    "{% with x = 1 %}{{ x }}{% endwith %}",
    "{% autoescape false %}x{% endautoescape %}",
    "{% if first_name is defined %}x{% endif %}",
    "{% if first_name.upper() %}x{% endif %}",
    "{{",
    "{% if %}",
    "{{ first_name",
]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("part", ["subject", "text", "html"])
def test_a_template_says_only_what_it_may(attack: str, part: str) -> None:
    values = {"subject": "s", "text": "t", "html": "<p>h</p>"} | {part: attack}
    with pytest.raises(CannotRender):
        render_wording(Wording(**values), CONTEXT)


@pytest.mark.parametrize("attack", ["{{7*7}}", "{% include 'x' %}", "${7*7}", "{{ self }}", "#{7}"])
def test_what_a_person_is_called_is_never_rendered(attack: str) -> None:
    wording = Wording(
        subject="{{ first_name }}", text="Hei {{ first_name }}", html="<p>{{ first_name }}</p>"
    )
    made = render_wording(wording, {"first_name": attack})
    assert made.subject == attack
    assert made.text == f"Hei {attack}"
    assert "49" not in made.html


def test_a_name_is_escaped_in_html_and_only_there() -> None:
    name = "<script>alert('x')</script>"
    wording = Wording(text="Hei {{ first_name }}", html="<p>{{ first_name }}</p>")
    made = render_wording(wording, {"first_name": name})
    assert made.text == f"Hei {name}"
    assert "<script" not in made.html
    assert (
        "<script" not in render_wording(Wording(text="{{ first_name }}"), {"first_name": name}).html
    )


def test_all_that_is_missing_is_named_at_once() -> None:
    wording = Wording(
        subject="{{ fact.pain }}",
        text="{{ first_name }} {{ last_name }}",
        html="{{ company.name }}",
    )
    with pytest.raises(MissingValues) as raised:
        render_wording(wording, {"first_name": "  ", "fact": {"pain": ""}}, ("fact.tool",))
    assert raised.value.names == (
        "company.name", "fact.pain", "fact.tool", "first_name", "last_name",
    )  # fmt: skip


def test_a_fact_that_is_asked_for_is_optional_under_that_roof_only() -> None:
    guarded = "{% if fact.tool %}Dere bruker {{ fact.tool }}.{% else %}Hei.{% endif %}"
    assert render_wording(Wording(text=guarded), CONTEXT).text == "Hei."
    assert missing_values(Wording(text=guarded + "{{ fact.tool }}"), CONTEXT) == ("fact.tool",)
    other = "{% if fact.tool %}{{ fact.tool }}{% else %}{{ fact.tool }}{% endif %}"
    assert missing_values(Wording(text=other), CONTEXT) == ("fact.tool",)
    assert missing_values(Wording(text="{% if fact.tool == 'x' %}x{% endif %}"), CONTEXT) == (
        "fact.tool",
    )
    assert missing_values(Wording(text=guarded), CONTEXT, ("fact.tool",)) == ("fact.tool",)


def test_html_is_made_from_text() -> None:
    text = "Hei {{ first_name }}.\n\nSe https://acme.example/a?b=1&c=2.\nHilsen Kari <3\n"
    made = render_wording(Wording(text=text), CONTEXT)
    assert made.html == (
        "<p>Hei Ola.</p>\n"
        '<p>Se <a href="https://acme.example/a?b=1&amp;c=2">acme.example/a?b=1&amp;c=2</a>.<br>\n'
        "Hilsen Kari &lt;3</p>"
    )


def test_text_is_made_from_html() -> None:
    made = render_wording(
        Wording(text="", html="<p>Hei {{ first_name }} &amp; co.</p><p>To linjer.</p>"), CONTEXT
    )
    assert "Hei Ola & co." in made.text
    assert "<" not in made.text


def test_a_fact_of_two_lines_makes_a_subject_of_one() -> None:
    made = render_wording(
        Wording(subject="{{ fact.pain }}?", text="x"), {"fact": {"pain": "bilag\r\npå papir"}}
    )
    assert made.subject == "bilag på papir?"


def test_a_message_is_never_large() -> None:
    with pytest.raises(CannotRender, match="256"):
        render_wording(Wording(text="{{ fact.pain }}"), {"fact": {"pain": "a" * 300_000}})


@pytest.mark.parametrize("name", ["items", "keys", "get", "pop", "copy", "values"])
def test_a_fact_may_be_called_like_a_method(name: str) -> None:
    wording = Wording(text="{{ fact.%s }}" % name)  # noqa: UP031 - braces are the template's
    assert render_wording(wording, {"fact": {name: "verdien"}}).text == "verdien"
    with pytest.raises(MissingValues):
        render_wording(wording, CONTEXT)


def test_objects_do_not_reach_a_template() -> None:
    class Person:
        secret = "canary"

    with pytest.raises(MissingValues):
        render_wording(Wording(text="{{ first_name }}"), {"first_name": Person()})


@given(st.text(max_size=200))
def test_any_value_arrives_as_it_is(value: str) -> None:
    context = {"first_name": value}
    wording = Wording(text="a{{ first_name }}b", html="a{{ first_name }}b")
    if not value.strip():
        assert missing_values(wording, context) == ("first_name",)
        return
    made = render_wording(wording, context)
    assert made.html.count("<") == 0
    if "\n" not in value and "\r" not in value:
        assert made.text == f"a{value}b"


@given(st.text(alphabet="ab \t\n\r", max_size=40))
def test_a_text_is_tidy_whatever_it_is_made_of(value: str) -> None:
    wording = Wording(text="{{ fact.pain }}" + value)
    made = render_wording(wording, {"fact": {"pain": "a" + value}}).text
    assert made.split() == f"a{value}{value}".split()
    assert "\r" not in made
    assert "\n\n\n" not in made
    assert made == made.strip("\n")
    assert all(line == line.rstrip(" \t") for line in made.split("\n"))


def test_one_letter_serves_everybody() -> None:
    """Compiled once for each content; nothing of one person is left in it for the next."""
    wording = Wording(
        subject="{{ first_name }}", text="{% if fact.tool %}{{ fact.tool }}{% endif %} {{ fact.a }}"
    )
    first = letter(wording, ("fact.b",))
    assert first is letter(wording.model_copy(), ["fact.b"])
    assert first is not letter(wording)
    assert first.facts == {"a", "b", "tool"}
    whole = {"first_name": "Ola", "fact": {"a": "1", "b": "2", "tool": "Excel"}}
    assert first.render(whole).text == "Excel 1"
    bare = {"first_name": "Eva", "fact": {"a": "1", "b": "2"}}
    assert (first.render(bare).subject, first.render(bare).text) == ("Eva", " 1")
    with pytest.raises(MissingValues):
        first.render({"fact": {}})
