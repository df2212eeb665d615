"""The story of a prospect, line by line."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from orchestrator.rules.program import Program
from orchestrator.rules.why import Happened, Line, because, tell, when
from orchestrator.rules.why_next import (
    Pace,
    Person,
    Standing,
    Waiting,
    about_call,
    about_person,
    next_of,
)
from tests.make import NOW, PROGRAM

OSLO = "Europe/Oslo"
LATER = NOW + timedelta(days=3)


def happened(kind: str, detail: dict[str, Any] | None = None, **more: Any) -> Happened:
    return Happened(NOW, kind, detail or {}, sequence="first-touch", version=2, **more)


@pytest.mark.parametrize(
    ("what", "text", "reason"),
    [
        (
            happened("message.sent", {"attempt": 1}, step="hello", sender="kari", subject="Hi {x}"),
            "The message of `hello` was sent (“Hi {x}”) by kari.",
            "",
        ),
        (
            happened("message.sent", {"attempt": 3}, step="offer", message_kind="call_offer"),
            "The offer of a call was sent.",
            "attempt 3",
        ),
        (
            happened("message.held", {"reason": "window_closed"}, step="hello"),
            "The message of `hello` was held back.",
            "it is outside the hours in which a message may reach them",
        ),
        (
            happened("message.cancelled", {"reason": "opt_out"}, step="more"),
            "The message of `more` was not sent, and will not be.",
            "they opted out",
        ),
        (
            happened("message.planned", {"due": "2026-11-25T07:00:00+00:00", "step": "more"}),
            "The message of `more` was written, due Wed 25 Nov 2026 08:00 Europe/Oslo.",
            "the step had come",
        ),
        (
            happened("enrollment.held", {"step": "hello", "missing": ["fact.pain"]}),
            "first-touch (version 2) was held at `hello`.",
            "there is no homework for it yet: fact.pain",
        ),
        (
            happened("enrollment.held", {"reason": "paused"}),
            "first-touch (version 2) was held.",
            "they are paused",
        ),
        (
            happened("message.sending", {"attempt": 1, "fence": 1}, step="hello"),
            "The message of `hello` was being handed over.",
            "",
        ),
        (
            happened("enrollment.stopped", {"reason": "company: declined"}),
            "first-touch (version 2) was stopped.",
            "of a colleague: they said no",
        ),
        (
            happened("engagement.recorded", {"engaged_by": "open", "grade": "ambiguous"}),
            "A message of ours was opened.",
            "a machine could have done it, so that it opens nothing",
        ),
        (
            happened(
                "engagement.recorded",
                {
                    "engaged_by": "reply",
                    "grade": "human",
                    "meaning": "not_now",
                    "reason": "said so",
                },
            ),
            "An answer came, read as: not now.",
            "it counts as a person's; said so",
        ),
        (
            happened("something.new", {"b": {"{": 1}, "a": "{until}"}),
            "Something new.",
            "a: {until}, b: {'{': 1}",
        ),
    ],
)
def test_what_happened_is_told(what: Happened, text: str, reason: str) -> None:
    assert tell(what, OSLO) == Line(NOW, text, reason)


def test_every_kind_is_told_also_without_its_detail() -> None:
    from orchestrator.rules import why

    for kind in why._SENTENCES:
        line = tell(Happened(NOW, kind), None)
        assert line.text, kind
        assert "{" not in line.text + line.reason, kind


def test_instants_are_told_on_the_prospects_clock() -> None:
    assert when(NOW, OSLO) == "Tue 24 Nov 2026 10:00 Europe/Oslo"
    assert when(NOW, None) == "Tue 24 Nov 2026 09:00 UTC"
    assert when("2026-12-01", OSLO) == "Tue 01 Dec 2026"
    assert because("never_heard_of") == "never heard of"


def standing(**values: Any) -> Standing:
    made = Standing(
        sequence="test",
        version=1,
        sequence_state="active",
        program=Program.model_validate(PROGRAM),
        state="active",
        step="wait-1",
        pace=Pace("kari"),
        due_at=LATER,
        earliest=LATER,
    )
    return replace(made, **values)


def sending(state: str = "pending", **values: Any) -> Standing:
    waiting = Waiting(state, NOW, 2, "451 later")
    return standing(**{"state": "sending", "step": "hello", "message": waiting} | values)


ANNA = Person(OSLO)


@pytest.mark.parametrize(
    ("at", "person", "instant", "part", "reason"),
    [
        (standing(), ANNA, LATER, "then the message of `more` is written", "sequence says so"),
        (standing(step="listen"), ANNA, LATER, "waits for an answer", "sequence says so"),
        (standing(step="end"), ANNA, LATER, "ends", ""),
        (standing(step="offer", due_at=NOW), ANNA, NOW, "the call is offered", "its turn"),
        (standing(due_at=NOW - timedelta(1)), ANNA, NOW, "waits until then", ""),
        (standing(state="held", tasks=("Missing: fact.pain",)), ANNA, None, "for a person",
         "Missing: fact.pain"),
        (standing(state="stopped", stop_reason="declined", ended_at=NOW), ANNA, NOW,
         "nothing more comes", "they said no"),
        (standing(state="finished", stop_reason="completed", ended_at=NOW), ANNA, NOW, "has ended",
         "last step"),
        (standing(sequence_state="paused"), ANNA, None, "waits at", "the sequence is paused"),
        (standing(), replace(ANNA, paused_at=NOW), None, "waits at", "they are paused"),
        (standing(), replace(ANNA, opted_out_at=NOW), None, "nothing more is sent", "opted out"),
        (sending(), ANNA, LATER, "leaves then, at the earliest", "both open then"),
        (sending(earliest=NOW), ANNA, NOW, "leaves then", "hours are open"),
        (sending("retry_wait"), ANNA, LATER, "leaves then", "attempt 2 failed: 451 later"),
        (sending("sending"), ANNA, NOW, "handed over", "due"),
        (sending("in_doubt"), ANNA, None, "waits for a person", "not known whether it left"),
        (sending("failed"), ANNA, None, "waits for a person", "451 later"),
        (sending("cancelled"), ANNA, NOW, "moves on", ""),
        (sending(earliest=None), ANNA, None, "waits", "no hour fits"),
        (sending(pace=Pace("kari", paused="bad password")), ANNA, None, "waits",
         "kari is paused: bad password"),
        (sending(pace=Pace("kari", parked_until=LATER, park_reason="rate_limited")), ANNA, LATER,
         "leaves then", "kari rests: the provider asked us to slow down"),
        (sending(pace=Pace("kari", capped=True, daily_cap=50)), ANNA, LATER, "leaves then",
         "cap of 50"),
        (sending(pace=Pace("kari", free_at=LATER)), ANNA, LATER, "leaves then",
         "kari leaves a gap"),
        (sending(), replace(ANNA, not_before=LATER), LATER, "leaves then",
         "nothing leaves before Fri 27 Nov 2026"),
    ],
)  # fmt: skip
def test_what_comes_next(
    at: Standing, person: Person, instant: datetime | None, part: str, reason: str
) -> None:
    line = next_of(at, person, NOW)
    assert line.at == instant
    assert part in line.text
    assert reason in line.reason


def test_the_call_is_locked_open_or_booked() -> None:
    assert "locked" in about_call(standing())[0].text
    assert "never enough" in about_call(standing())[0].reason
    opened = about_call(standing(unlocked_at=NOW, unlocked_by="reply"))[0]
    assert "open to be booked" in opened.text
    assert "reply" in opened.reason
    assert about_call(standing(unlocked_at=NOW, call_at=LATER))[0].at == LATER
    without = PROGRAM | {"steps": PROGRAM["steps"][:1], "first": "hello"}
    program = Program.model_validate(without)
    assert about_call(standing(program=program)) == []


def test_what_holds_for_a_person_everywhere() -> None:
    everything = Person(None, opted_out_at=NOW, paused_at=NOW, not_before=LATER)
    assert len(about_person(everything, NOW)) == 4
    assert about_person(ANNA, NOW) == []
    assert about_person(replace(ANNA, not_before=NOW - timedelta(1)), NOW) == []
