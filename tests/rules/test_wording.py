"""The language that a prospect reads, and what a template may say."""

from copy import deepcopy

import pytest

from orchestrator.rules.program import Program, Wording
from orchestrator.rules.wording import choose, problems, unknown_variable, uses, variables
from tests import make

WORDINGS = {code: Wording(text=code) for code in ("nb", "sv", "pt-BR")}


@pytest.mark.parametrize(
    ("language", "chosen"),
    [
        ("nb", "nb"), ("sv", "sv"), ("nb-NO", "nb"), ("nn", "nb"), ("no", "nb"), ("NB", "nb"),
        ("pt-BR", "pt-BR"), ("pt_BR", "pt-BR"), ("da", "sv"), (None, "sv"), ("", "sv"),
    ],
)  # fmt: skip
def test_a_prospect_reads_their_language_or_the_fallback(language: str | None, chosen: str) -> None:
    assert choose(WORDINGS, language, "sv") == (chosen, WORDINGS[chosen])


def test_no_fallback_is_an_error_and_no_guess() -> None:
    with pytest.raises(KeyError):
        choose(WORDINGS, "da", "en")


def test_variables_are_dotted_names() -> None:
    source = "{% if fact.a and company.domain %}{{ fact.b|upper }}{% endif %}{{ first_name }}"
    assert variables(source) == {"fact.a", "fact.b", "company.domain", "first_name"}


@pytest.mark.parametrize(
    "source",
    [
        "Plain {{ first_name }}, {{ fact.pain_2|capitalize }}, {{ company.name }}, {{ page_url }}",
        "{% if not fact.a or fact.b == 'x' %}a{% elif title %}b{% else %}c{% endif %}",
        "{# a note #}100 % {{ sender.name }} {{ sender.address }} {{ organisation }}",
    ],
)
def test_what_a_template_may_say(source: str) -> None:
    assert problems(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "{{ a() }}", "{{ first_name.upper() }}", "{{ first_name['x'] }}", "{{ first_name ~ 'x' }}",
        "{% for a in b %}{% endfor %}", "{% set a = 1 %}", "{% include 'x' %}", "{{ [1] }}",
        "{% macro a() %}{% endmacro %}", "{{ 1 if title else 2 }}", "{{ title is defined }}",
        "{{ title|default('x') }}", "{{ title|d }}", "{{ title|safe }}", "{{ title|trim('x') }}",
        "{{ fact }}", "{{ company }}", "{{ fact.a.b }}", "{{ fact.__class__ }}", "{{ self }}",
        "{{ first_name", "{% if %}", "{{ loop.index }}", "{% block a %}{% endblock %}",
        "{% filter upper %}a{% endfilter %}", "{% extends 'a' %}", "{% import 'a' as b %}",
        "{% with %}{% endwith %}", "{% autoescape true %}{% endautoescape %}", "{{ " + "(" * 5000,
    ],
)  # fmt: skip
def test_what_a_template_may_not_say(source: str) -> None:
    assert problems(source)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("firstname", "`first_name`"), ("company_name", "`company.name`"), ("name", "`last_name`"),
        ("facts.pain", "`fact.pain`"), ("company", "`company.name`"),
        ("sender.nam", "`sender.name`"),
    ],
)  # fmt: skip
def test_an_unknown_variable_comes_with_the_likely_one(name: str, meant: str) -> None:
    assert meant in (unknown_variable(name) or "")


def test_what_any_message_says_is_found_in_every_language() -> None:
    plan = deepcopy(make.PROGRAM)
    assert not uses(Program.model_validate(plan), "organisation")
    plan["steps"][0]["wordings"]["sv"] = {"text": "Hej från {{ organisation }}"}
    assert uses(Program.model_validate(plan), "organisation")
