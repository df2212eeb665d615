"""Every fault of a sequence file is told at its line and column, with what to do."""

import pytest

from orchestrator.rules.program import Wording
from orchestrator.rules.sequence_file import Parsed, TemplateLibrary, parse

LIBRARY = TemplateLibrary(
    {
        ("nb", "follow-up"): Wording(text="Hei igjen, {{ first_name }}."),
        ("sv", "follow-up"): Wording(text="Hej igen."),
        ("nb", "hello"): Wording(subject="Hei", text="Hei {{ first_name }}."),
        ("nb", "broken"): Wording(subject="x", text="Hei\n{{ firstname }}"),
        ("nb", "long-note"): Wording(subject="x", text="Hei", note="x" * 301),
        ("nb", "broken-note"): Wording(subject="x", text="Hei", note="Hei {{ firstname }}"),
        ("nb", "offer"): Wording(text="{{ page_url }}"),
    }
)
HEAD = "sequence: try\nlanguage: nb\n"
SEND = "  - {id: hello, send: {subject: Hei, text: Hei}}\n"
UNTIL = "  - {id: listen, until: engaged, within: 2 days, then: offer, otherwise: end}\n"
OFFER = "  - {id: offer, call: {host: oslo, length: 20 minutes}}\n"


def read(text: str, name: str = "try.yaml") -> Parsed:
    return parse(text, name, LIBRARY)


def told(text: str, name: str = "try.yaml") -> list[str]:
    return [f"{one.line}:{one.column}: {one.message}" for one in read(text, name).faults]


def test_the_shape_of_the_design_becomes_a_program() -> None:
    parsed = read(HEAD + "steps:\n" + SEND + "  - wait: 3 business days\n" + UNTIL + OFFER)
    assert parsed.faults == []
    assert parsed.program is not None
    assert [step.id for step in parsed.program.steps] == ["hello", "wait-1", "listen", "offer"]
    assert parsed.program.first == "hello"
    assert parsed.program.step("hello").model_dump()["channels"] == ("email",)


HEADS = {
    "the file is empty": ("", "1:1: the file is empty"),
    "a list": ("- a\n", "1:1: a sequence file is a list of fields"),
    "YAML syntax": ("sequence: try\nsteps: [a\n", "3:1: this is not YAML: expected ',' or ']'"),
    "control character": ("sequence: \x07\n", "1:11: this is not YAML: unacceptable character"),
    "unfolding aliases": ("a: &a [*a]\n", "1:1: this is not YAML: aliases unfold"),
    "JSON syntax": ('{"sequence": "try",\n "language" "nb"}', "2:13: this is not JSON"),
    "unknown field": (
        HEAD + "windw: {hours: 08:00-16:00}\nsteps:\n" + SEND,
        "3:1: unknown field `windw`: did you mean `window`?",
    ),
    "missing field": ("sequence: try\nsteps:\n" + SEND, "1:1: a sequence needs `language`"),
    "field twice": (HEAD + "language: sv\nsteps:\n" + SEND, "3:1: `language` is written twice"),
    "wrong type": (
        HEAD + "channels: email\nsteps:\n" + SEND,
        "3:11: `channels` must be a list: write `[email, slack]`",
    ),
    "number as a name": (
        "sequence: 7\nlanguage: nb\nsteps:\n" + SEND,
        "1:11: `sequence` must be text: put it in quotes",
    ),
    "not a bool": (
        HEAD + "tracking: {opens: yes}\nsteps:\n" + SEND,
        "3:19: `opens` must be true or false",
    ),
    "bad name": ("sequence: Før Ste\nlanguage: nb\nsteps:\n" + SEND, "1:11: `Før Ste` is no name"),
    "language": (
        "sequence: try\nlanguage: xx\nsteps:\n" + SEND,
        "2:11: `xx` is no language code",
    ),
    "no is two languages": (
        "sequence: try\nlanguage: no\nsteps:\n" + SEND,
        "2:11: `no` is two written languages: write nb",
    ),
    "channel": (
        HEAD + "channels: [email, slak]\nsteps:\n" + SEND,
        "3:19: there is no channel `slak`: did you mean `slack`?",
    ),
    "channel twice": (
        HEAD + "channels: [email, email]\nsteps:\n" + SEND,
        "3:19: `email` stands here twice",
    ),
    "days": (HEAD + "window: {days: man-fre, hours: 08:00-16:00}\nsteps:\n" + SEND, "3:16: `man"),
    "hours": (HEAD + 'window: {hours: "16:00-08:00"}\nsteps:\n' + SEND, "3:17: `16:00-08:00` ends"),
    "hours missing": (
        HEAD + "window: {days: mon-fri}\nsteps:\n" + SEND,
        "3:9: `window` needs `hours`",
    ),
    "country": (
        HEAD + "tracking: {except_countries: [NO, Norge]}\nsteps:\n" + SEND,
        "3:35: `Norge` is no country code",
    ),
    "on_answer": (
        HEAD + "on_answer: stop everyone\nsteps:\n" + SEND,
        "3:12: `on_answer` is `stop person` or `stop company`, nothing else",
    ),
    "too large": ("# " + "x" * 200_000, "1:1: the file is larger than 128 KiB"),
    "too many steps": (
        HEAD + "steps:\n" + "  - wait: 1 day\n" * 201,
        "4:3: `steps` has more than 200 entries",
    ),
    "no steps": (HEAD + "steps: []\n", "3:8: `steps` is empty: write at least one"),
}

STEPS = {
    "duplicate id": (SEND + SEND, "5:10: `hello` is already the id of the step on line 4"),
    "end as an id": ("  - {id: end, wait: 2 days}\n", "4:10: `end` is the way out"),
    "no kind": ("  - {id: a, next: end}\n", "4:5: a step does one thing, this one has none"),
    "unknown kind": (
        "  - {id: a, sned: {text: x}}\n",
        "4:13: unknown kind of step `sned`: did you mean `send`?",
    ),
    "two kinds": (
        "  - {wait: 2 days, task: Ring}\n",
        "4:20: a step does one thing, this one has `wait` and `task`: make it two steps",
    ),
    "no step": ("  - hello\n", "4:5: a step is a group of fields"),
    "unknown next": (
        SEND + "  - {task: Look, next: helo}\n",
        "5:24: there is no step `helo`: did you mean `hello`?",
    ),
    "unknown then": (
        SEND + UNTIL.replace("then: offer", "then: ofer") + OFFER,
        "5:56: there is no step `ofer`: did you mean `offer`?",
    ),
    "unknown otherwise": (
        SEND + UNTIL.replace("otherwise: end", "otherwise: helllo") + OFFER,
        "5:74: there is no step `helllo`: did you mean `hello`?",
    ),
    "unknown go": (
        SEND + "  - {branch: [{when: fact.a, go: hallo}], otherwise: end}\n",
        "5:34: there is no step `hallo`: did you mean `hello`?",
    ),
    "duration": ("  - wait: 3 bananas\n", "4:11: `3 bananas` is no duration: write `3 business"),
    "duration as a number": ("  - wait: 3\n", "4:11: `wait` must be text: write `3 business days`"),
    "no duration": ("  - wait: 0 days\n", "4:11: a wait of nothing is no wait"),
    "too long a duration": ("  - wait: 900 days\n", "4:11: `900 days` is more than a year"),
    "too short a call": (
        SEND + UNTIL + OFFER.replace("20", "3"),
        "6:44: a call takes 5 to 480 minutes, not 3",
    ),
    "until what": (SEND + UNTIL.replace("engaged", "opened") + OFFER, "5:25: `until` is `engaged`"),
    "until without within": (
        SEND + UNTIL.replace("within: 2 days, ", "") + OFFER,
        "5:5: this step needs `within`: write `10 business days`",
    ),
    "field beside send": (
        "  - send:\n    subject: Hei\n    text: Hei\n",
        "5:5: `subject` belongs inside `send`: indent it below `send:`",
    ),
    "next inside send": (
        "  - send: {subject: Hei, text: Hei, next: end}\n",
        "4:37: `next` belongs beside `send:`, at the step",
    ),
    "branch on the unknown": (
        SEND + "  - {branch: [{when: click, go: end}], otherwise: end}\n",
        "5:22: a branch cannot ask for `click`: did you mean `clicked`?",
    ),
    "branch on what is not tracked": (
        SEND + "  - {branch: [{when: opened, go: end}], otherwise: end}\n",
        "5:22: `opened` never comes: write `tracking: {opens: true}` at the top",
    ),
    "needs": (
        "  - send: {needs: [fact.a, pain], subject: a, text: b}\n",
        "4:28: no prospect has `pain`",
    ),
    "template syntax": (
        "  - send:\n      subject: Hei\n      text: |\n        Hei.\n        {{ first_name }\n",
        "8:9: template syntax: unexpected '}'",
    ),
    "variable in a block": (
        "  - send:\n      subject: Hei\n      text: |\n        Hei first_nam.\n"
        "        Til {{ first_nam }}\n",
        "8:16: no prospect has `first_nam`: did you mean `first_name`?",
    ),
    "variable in one line": (
        '  - send: {subject: "{{ company.nam }}", text: b}\n',
        "4:25: no prospect has `company.nam`: did you mean `company.name`?",
    ),
    "a call in a template": (
        "  - send: {subject: a, text: '{{ foo() }}'}\n",
        "4:30: a call cannot stand in a message",
    ),
    "a loop in a template": (
        "  - send: {subject: a, text: '{% for x in fact %}{{ x }}{% endfor %}'}\n",
        "4:30: a loop cannot stand in a message",
    ),
    "the default filter": (
        "  - send: {subject: a, text: \"{{ fact.a|default('x') }}\"}\n",
        "4:41: the filter `default` would hide missing homework",
    ),
    "unknown template": (
        "  - send: {template: folow-up}\n",
        "4:22: there is no template `folow-up`: did you mean `follow-up`?",
    ),
    "fault in a template": (
        "  - send: {template: broken}\n",
        "4:22: template `nb/broken`, line 2: no prospect has `firstname`",
    ),
    "template and text": (
        "  - send: {subject: a, text: b, template: hello}\n",
        "4:33: write a template or a text here, not both",
    ),
    "no text": ("  - send: {subject: a}\n", "4:5: a message needs `text`, `html` or `template`"),
    "empty text": ("  - send: {subject: a, text: ' '}\n", "4:24: `text` is empty"),
    "two lines of subject": ('  - send: {subject: "a\\nb", text: b}\n', "4:21: a subject is one"),
    "fallback language": (
        "  - send: {languages: {sv: {subject: a, text: b}}}\n",
        "4:5: there is no text in `nb`, the language of the sequence",
    ),
    "template in another language": (
        SEND + "  - send: {thread: hello, template: sv/follow-up}\n",
        "5:5: there is no text in `nb`, the language of the sequence: `sv/follow-up` names another",
    ),
    "sibling template elsewhere": (
        SEND + "  - send: {thread: hello, text: a, languages: {sv: {template: nb/follow-up}}}\n",
        "5:63: `nb/follow-up` is not in `sv`: write `sv/follow-up`",
    ),
    "sibling language": (
        "  - send: {subject: a, text: b, languages: {xx: {text: b}}}\n",
        "4:45: `xx` is no language code",
    ),
    "first message without subject": (
        "  - send: {text: Hei}\n",
        "4:5: a first message on email needs a `subject`",
    ),
    "sibling without subject": (
        "  - send: {subject: a, text: b, languages: {sv: {text: b}}}\n",
        "4:45: a first message on email needs a `subject`",
    ),
    "thread to nothing": (
        SEND + "  - send: {thread: helo, text: Hei}\n",
        "5:20: no step `helo` to answer: did you mean `hello`?",
    ),
    "thread to a wait": (
        SEND + "  - {id: pause, wait: 2 days}\n  - send: {thread: pause, text: Hei}\n",
        "6:20: `pause` is no message to answer",
    ),
    "thread to itself": (
        "  - {id: hello, send: {thread: hello, subject: a, text: Hei}}\n",
        "4:32: a message cannot answer itself",
    ),
    "thread to what comes later": (
        "  - send: {thread: hello, subject: a, text: Hei}\n" + SEND,
        "4:20: `hello` cannot have come before `send-1`: name an earlier one",
    ),
    "thread across channels": (
        SEND + "  - send: {thread: hello, text: Hei, channels: [slack]}\n",
        "5:20: `hello` goes by email and not by slack: a thread stays on its channel",
    ),
    "silence that moves to another channel": (
        SEND + "  - wait: 2 days\n  - send: {text: Hei, channels: [slack]}\n",
        "6:23: `send-1` goes by slack where nothing before it could (hello → wait-1 → send-1): "
        "silence is no reason for another channel. Name the same channels, or write `new_channel: "
        "signed off by NAME` in this `send`",
    ),
    "silence that adds a channel": (
        SEND + "  - send: {subject: Hei, text: Hei, channels: [email, slack]}\n",
        "5:37: `send-1` goes by slack where nothing before it could",
    ),
    "silence that leaves a channel": (
        "  - {id: a, send: {text: Hei, subject: Hei, channels: [slack, email]}}\n"
        "  - send: {subject: Hei, text: Hei}\n",
        "5:5: `send-1` does not go by slack, where `a` may have gone (a → send-1)",
    ),
    "nobody signs off": (
        SEND + "  - send: {text: Hei, channels: [slack], new_channel: ''}\n",
        "5:55: `` signs nothing off: write `signed off by NAME`",
    ),
    "signed off by nobody": (
        SEND + "  - send: {text: Hei, channels: [slack], new_channel: yes we can}\n",
        "5:55: `yes we can` signs nothing off: write `signed off by NAME`",
    ),
    "signed off as true": (
        SEND + "  - send: {text: Hei, channels: [slack], new_channel: true}\n",
        "5:55: `new_channel` must be text: write `signed off by NAME`",
    ),
    "a call with channels": (
        SEND + UNTIL + OFFER.replace("host: oslo", "host: oslo, channels: [slack]"),
        "6:36: a call has no `channels`: its offer goes where the answer came from",
    ),
    "a call with a note": (
        SEND + UNTIL + OFFER.replace("host: oslo", "host: oslo, note: Hei"),
        "6:36: unknown field `note`",
    ),
    "variable in a note": (
        '  - send: {subject: a, text: b, note: "Hei {{ firstname }}"}\n',
        "4:47: no prospect has `firstname`: did you mean `first_name`?",
    ),
    "a loop in a note": (
        '  - send: {subject: a, text: b, note: "{% for x in fact %}{% endfor %}"}\n',
        "4:39: a loop cannot stand in a message",
    ),
    "empty note": ("  - send: {subject: a, text: b, note: ' '}\n", "4:33: `note` is empty"),
    "note too long": (
        "  - send: {subject: a, text: b, note: '" + "x" * 301 + "{{ first_name }}'}\n",
        "4:39: the note has 301 characters before any variable is filled in",
    ),
    "note too long in a sibling": (
        "  - send: {subject: a, text: b, languages: {sv: {subject: a, text: b, note: "
        + "x" * 301
        + "}}}\n",
        "4:77: the note has 301 characters",
    ),
    "note of a template": (
        "  - send: {template: long-note}\n",
        "4:22: template `nb/long-note`: the note has 301 characters",
    ),
    "variable in the note of a template": (
        "  - send: {template: broken-note}\n",
        "4:22: template `nb/broken-note`, line 1 of its note: no prospect has `firstname`",
    ),
    "sign-off in a sibling": (
        "  - send: {subject: a, text: b, languages: {sv: {text: b, new_channel: x}}}\n",
        "4:59: `new_channel` holds for every language: write it in `send`",
    ),
    "thread that may be skipped": (
        "  - {branch: [{when: fact.a, go: hello}], otherwise: later}\n"
        + SEND
        + "  - {id: later, send: {thread: hello, text: Hei}}\n",
        "6:17: `hello` may not have been sent (branch-1 → later): give this message a `subject`",
    ),
    "unreachable": (
        "  - {task: Look, next: end}\n" + SEND,
        "5:5: nothing leads to `hello`: name it in a `next`",
    ),
    "loop without a wait": (
        "  - {id: a, task: Look}\n  - {id: b, task: Again, next: a}\n",
        "4:5: a loop without a wait (a → b → a): put a `wait` into it",
    ),
    "message in a loop": (
        SEND + "  - {wait: 2 days, next: hello}\n",
        "4:5: `hello` is in a loop, but a message reaches a prospect at most once",
    ),
    "message after an answer": (
        "  - {until: engaged, within: 2 days, then: hello, otherwise: end}\n" + SEND,
        "5:5: `hello` comes after the answer that `until-1` waits for, and would never leave",
    ),
    "call without engagement": (
        SEND + OFFER,
        "5:17: the call `offer` can be reached without an engagement (hello → offer): only the",
    ),
    "call after silence": (
        SEND + UNTIL.replace("otherwise: end", "otherwise: offer") + OFFER,
        "6:17: the call `offer` can be reached without an engagement (hello → listen → offer)",
    ),
    "offer that leads nowhere": (
        SEND + UNTIL + OFFER.replace("minutes}", "minutes, text: Call me}"),
        "6:17: the offer in `nb` lacks `{{ page_url }}`: where to pick a time",
    ),
    "call past the engagement": (
        SEND + "  - {branch: [{when: fact.a, go: listen}], otherwise: offer}\n" + UNTIL + OFFER,
        "7:17: the call `offer` can be reached without an engagement (hello → branch-1 → offer)",
    ),
}


@pytest.mark.parametrize(("text", "fault"), HEADS.values(), ids=HEADS)
def test_faults_of_the_file(text: str, fault: str) -> None:
    parsed, lines = read(text), told(text)
    assert parsed.program is None
    assert [line for line in lines if line.startswith(fault)], lines


@pytest.mark.parametrize(("steps", "fault"), STEPS.values(), ids=STEPS)
def test_faults_of_steps(steps: str, fault: str) -> None:
    text = HEAD + "steps:\n" + steps
    parsed, lines = read(text), told(text)
    assert parsed.program is None
    assert [line for line in lines if line.startswith(fault)], lines


def test_every_fault_is_told_at_once_and_in_order() -> None:
    lines = told(
        HEAD + "windw: 1\nsteps:\n  - send: {subject: '{{ a }}', txt: b}\n  - wait: 3\n" + SEND
    )
    assert [line.split(":")[0] for line in lines] == ["3", "5", "6"]


def test_one_fault_makes_one_line() -> None:
    for name, (steps, _) in STEPS.items():
        lines = told(HEAD + "steps:\n" + steps)
        assert len(lines) <= 2 or name == "field beside send", (name, lines)


def test_json_with_tabs_has_positions_and_whole_characters() -> None:
    text = '{"sequence": "try", "language": "nb",\n\t"steps": [\n\t{"send": {"subject": "a", "text"'
    assert told(text + ': "{{ a }}"}}]}', "try.json")[0].startswith("3:40: no prospect has `a`")
    parsed = read(text + ': "\\ud83d\\ude00"}}]}', "try.json")
    assert parsed.program is not None
    assert next(parsed.program.sends()).wordings["nb"].text == "\U0001f600"
