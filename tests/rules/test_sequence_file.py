"""Files become programs: defaults, languages, templates, the schema, and the starters that ship."""

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from orchestrator.render import render_wording
from orchestrator.rules.program import CallStep, Program, SendStep, Wording
from orchestrator.rules.sequence_file import TemplateLibrary, json_schema, parse
from orchestrator.rules.timeline import describe, summary, timeline
from orchestrator.template_library import load_library, read_wording

ROOT = Path(__file__).resolve().parents[2]
STARTERS = sorted((ROOT / "templates" / "sequences").glob("*.yaml"))
PERSON = {
    "first_name": "Ola",
    "last_name": "Hansen",
    "title": "CEO",
    "language": "nb",
    "company": {"name": "Acme AS", "domain": "acme.example"},
    "fact": {"pain": "mange bilag", "portfolio": "900 flats"},
    "sender": {"name": "Kari", "address": "kari@sender.example"},
    "organisation": "Regnegutt AS",
    "page_url": "https://avtale.example/p/x",
}
LIBRARY = TemplateLibrary(
    {
        ("nb", "hello"): Wording(subject="Hei", text="Hei"),
        ("sv", "hello"): Wording(subject="Hej", text="Hej"),
        ("en", "offer"): Wording(text="offer {{ page_url }}"),
        ("nb", "offer"): Wording(text="tilbud {{ page_url }}"),
    }
)


def program_of(text: str) -> Program:
    parsed = parse(text, "x.yaml", LIBRARY)
    assert parsed.program is not None, parsed.faults
    return parsed.program


def words(text: str) -> dict[str, Wording]:
    step = program_of(f"sequence: x\nlanguage: nb\nsteps:\n  - send: {text}\n").steps[0]
    assert isinstance(step, SendStep)
    return step.wordings


def test_a_template_by_name_comes_in_every_language() -> None:
    assert {code: one.text for code, one in words("{template: hello}").items()} == {
        "nb": "Hei",
        "sv": "Hej",
    }
    assert set(words("{template: nb/hello}")) == {"nb"}


def test_a_sibling_text_wins_over_the_template_of_its_language() -> None:
    found = words("{template: hello, languages: {sv: {subject: S, text: Egen}}}")
    assert (found["nb"].text, found["sv"].text) == ("Hei", "Egen")


def test_a_subject_beside_a_template_is_of_the_sequences_own_language() -> None:
    found = words("{template: hello, subject: Ny}")
    assert (found["nb"].subject, found["sv"].subject) == ("Ny", "Hej")


def test_a_note_stands_beside_a_text_a_template_and_a_sibling() -> None:
    found = words(
        '{template: hello, note: "Hei {{ first_name }}",'
        " languages: {sv: {template: hello, note: Hej}}}"
    )
    assert {code: one.note for code, one in found.items()} == {
        "nb": "Hei {{ first_name }}",
        "sv": "Hej",
    }
    assert found["sv"].subject == "Hej"
    assert words("{subject: a, text: b, note: Hei}")["nb"].note == "Hei"


def test_what_may_be_left_out_of_a_note_is_not_counted() -> None:
    long = "x" * 290
    guarded = "{% if fact.pain %}" + "y" * 50 + "{% endif %}"
    assert words(f"{{subject: a, text: b, note: '{long}{guarded}'}}")["nb"].note


def test_a_template_may_bring_its_note(tmp_path: Path) -> None:
    folder = tmp_path / "nb"
    folder.mkdir()
    (folder / "hello.md").write_text("Subject: Hei\n\nHei.\n", "utf-8")
    (folder / "hello.note").write_text("\ufeffHei {{ first_name }}.\n", "utf-8")
    found = load_library(tmp_path).wordings[("nb", "hello")]
    assert (found.subject, found.text, found.note) == ("Hei", "Hei.\n", "Hei {{ first_name }}.")


def test_html_alone_is_enough() -> None:
    assert words("{subject: a, html: <p>Hei</p>}")["nb"] == Wording(
        subject="a", text="", html="<p>Hei</p>"
    )


def test_a_call_without_words_takes_the_offer_that_ships() -> None:
    call = program_of(
        "sequence: x\nlanguage: nb\nsteps:\n  - {until: engaged, within: 1 day, then: c,"
        " otherwise: end}\n  - {id: c, call: {host: h, length: 1 hour}}\n"
    ).step("c")
    assert isinstance(call, CallStep)
    assert (call.minutes, set(call.wordings)) == (60, {"nb", "en"})


def test_the_head_and_the_defaults() -> None:
    plain = program_of("sequence: x\nlanguage: nb\nsteps:\n  - wait: 90 minutes\n")
    assert plain.window.model_dump() == {
        "days": "mon, tue, wed, thu, fri",
        "hours": "08:00-16:00",
    }
    assert not plain.stop_company
    assert not plain.tracking.opens
    full = program_of(
        "sequence: x\nabout: y\nlanguage: nb\nsender: kari\non_answer: stop company\n"
        "tracking: {opens: true, except_countries: [DE]}\nsteps:\n  - wait: 90 minutes\n"
    )
    assert (full.sender, full.stop_company, full.about) == ("kari", True, "y")
    assert full.tracking.except_countries == ("DE",)


def test_a_follow_up_stays_on_the_channels_of_its_thread() -> None:
    made = program_of(
        "sequence: x\nlanguage: nb\nchannels: [email, slack]\nsteps:\n"
        "  - {id: a, send: {text: hei, channels: [slack]}}\n"
        "  - {id: b, send: {thread: a, text: hei}}\n"
    ).step("b")
    assert isinstance(made, SendStep)
    assert made.channels == ("slack",)


def test_names_are_given_in_the_order_of_the_file() -> None:
    made = program_of(
        "sequence: x\nlanguage: nb\nsteps:\n"
        "  - wait: 1 day\n  - {id: wait-2, wait: 1 day}\n  - wait: 1 day\n"
    )
    assert [step.id for step in made.steps] == ["wait-1", "wait-2", "wait-3"]


def test_yaml_and_json_make_the_same_program() -> None:
    text = STARTERS[0].read_text("utf-8")
    value = YAML(typ="safe", pure=True).load(text)
    library = load_library()
    as_json = parse(json.dumps(value, indent="\t"), "x.json", library)
    assert as_json.program == parse(text, "x.yaml", library).program


def test_the_published_schema_is_the_readers_own() -> None:
    published = json.loads((ROOT / "docs" / "sequence.schema.json").read_text("utf-8"))
    assert published == json_schema(), "avtale sequence schema > docs/sequence.schema.json"
    jsonschema.Draft202012Validator.check_schema(published)


@pytest.mark.parametrize("path", STARTERS, ids=lambda path: path.stem)
def test_a_starter_is_worth_sending(path: Path) -> None:
    text = path.read_text("utf-8")
    jsonschema.validate(YAML(typ="safe", pure=True).load(text), json_schema())
    parsed = parse(text, path.name, load_library())
    assert parsed.faults == []
    assert parsed.program is not None
    for number, step in enumerate(parsed.program.sends()):
        for wording in step.wordings.values():
            made = render_wording(wording, PERSON, step.needs)
            assert len(made.text.split()) < 90, made.text
            assert made.text.count("?") <= 1, "one question is enough"
            assert number or "fact.pain" in step.needs, "no first message without homework"
    assert any(isinstance(step, CallStep) for step in parsed.program.steps)


def test_every_template_that_ships_says_only_what_it_knows() -> None:
    library = load_library()
    assert {code for code, name in library.wordings if name == "offer"} >= {
        *("nb", "sv", "en", "da", "de")
    }
    for (_, name), wording in library.wordings.items():
        made = render_wording(wording, PERSON)
        assert ("https://avtale.example/p/x" in made.text) == (name == "offer")


def test_a_template_file_may_start_with_its_subject(tmp_path: Path) -> None:
    assert read_wording("Subject: Hei {{ title }}\n\nTekst\n") == Wording(
        subject="Hei {{ title }}", text="Tekst\n"
    )
    assert read_wording("Tekst\n").subject is None
    (tmp_path / "nb").mkdir()
    (tmp_path / "nb" / "offer.md").write_text("Mitt eget tilbud\n", "utf-8")
    (tmp_path / "nb" / "offer.html").write_text("<p>Mitt</p>", "utf-8")
    own = load_library(tmp_path)
    assert own.wordings["nb", "offer"] == Wording(text="Mitt eget tilbud\n", html="<p>Mitt</p>")
    assert ("sv", "offer") in own.wordings


def test_the_plan_reads_from_top_to_bottom() -> None:
    text = (ROOT / "templates" / "sequences" / "accounting-first-touch.yaml").read_text("utf-8")
    parsed = parse(text, "x.yaml", load_library())
    assert parsed.program is not None
    assert [(row.step, row.when) for row in timeline(parsed.program)] == [
        ("hello", "at once"),
        ("wait-1", "at once"),
        ("one-more-thought", "after 3 business days"),
        ("listen", "after 3 business days"),
        ("offer", "after an answer"),
        ("goodbye", "after 13 business days"),
    ]
    assert summary(parsed.program).startswith("en, nb, sv · email · ")
    assert "offer a call of 20 minutes with sales" in "\n".join(describe(parsed.program))


def test_what_nothing_can_store_is_a_fault() -> None:
    text = (
        "sequence: a-b\nlanguage: en\nchannels: [email]\n"
        'window: {days: mon-fri, hours: "08:00-16:00"}\n'
        'steps:\n  - id: hello\n    send:\n      subject: "Hi \\0 there"\n      text: Hello\n'
    )
    (fault,) = parse(text, "x.yaml", LIBRARY).faults
    assert "U+0000" in fault.message
