"""The gate as a table: facts in, a decision out (L1)."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.gate import MEANINGS, Answer, Decision, Standing, decide, start_of_day
from orchestrator.rules.program import Program
from tests.make import NOW, PROGRAM

SEQUENCE = Program.model_validate(PROGRAM)
WITHOUT_CALL = Program.model_validate(
    PROGRAM | {"steps": [s | {"next": "end"} for s in PROGRAM["steps"][:1]]}
)
MATERIAL_FIRST = Program.model_validate(
    PROGRAM
    | {
        "steps": [
            *[s | {"then": "check"} if s["id"] == "listen" else s for s in PROGRAM["steps"]],
            {"kind": "task", "id": "check", "next": "end", "title": "Look at the answer"},
        ]
    }
)
RUNNING = Standing("active", "hello")
FINISHED = Standing("finished", "listen")


def human(meaning: Any, **values: Any) -> Answer:
    """A human reply."""
    return Answer("reply", "human", meaning, **values)


TABLE: list[tuple[str, Answer, Program | None, Standing, str, str | None, str]] = [
    ("interest", human("interested"), SEQUENCE, RUNNING, "unlock", "offer", "stop"),
    ("a tap", Answer("tap", "human", "interested"), SEQUENCE, RUNNING, "unlock", "offer", "stop"),
    ("held", human("interested"), SEQUENCE, Standing("held", "more"), "unlock", "offer", "stop"),
    (
        "again",
        human("interested"),
        SEQUENCE,
        Standing("active", "offer", unlocked=True),
        "note",
        None,
        "stop",
    ),
    (
        "again, held meanwhile",
        human("interested"),
        SEQUENCE,
        Standing("held", "offer", unlocked=True),
        "resume",
        None,
        "stop",
    ),
    (
        "again, over",
        human("interested"),
        SEQUENCE,
        Standing("finished", "offer", unlocked=True),
        "ask",
        None,
        "stop",
    ),
    ("late, after silence", human("interested"), SEQUENCE, FINISHED, "unlock", "offer", "stop"),
    (
        "after a no",
        human("interested"),
        SEQUENCE,
        Standing("stopped", "more", "declined"),
        "unlock",
        "offer",
        "stop",
    ),
    (
        "after a colleague's answer",
        human("interested"),
        SEQUENCE,
        Standing("stopped", "more", "company: a colleague answered"),
        "unlock",
        "offer",
        "stop",
    ),
    (
        "stopped by hand",
        human("interested"),
        SEQUENCE,
        Standing("stopped", "more", "manual"),
        "ask",
        None,
        "stop",
    ),
    (
        "opted out",
        human("interested"),
        SEQUENCE,
        Standing("stopped", "more", "opt_out", opted_out=True),
        "ask",
        None,
        "stay",
    ),
    ("nothing to offer", human("interested"), WITHOUT_CALL, RUNNING, "end", None, "stop"),
    ("no call behind", human("interested"), MATERIAL_FIRST, RUNNING, "proceed", "check", "stop"),
    ("a stranger", human("interested"), None, Standing(), "ask", None, "stop"),
    ("no", human("no"), SEQUENCE, RUNNING, "end", None, "stop"),
    ("no, over", human("no"), SEQUENCE, FINISHED, "note", None, "stop"),
    ("stop", human("stop"), SEQUENCE, RUNNING, "stop", None, "stay"),
    ("stop, over", human("stop"), None, Standing(), "stop", None, "stay"),
    (
        "not now",
        human("not_now", until=date(2027, 1, 4)),
        SEQUENCE,
        RUNNING,
        "postpone",
        None,
        "postpone",
    ),
    ("not now, no date", human("not_now"), SEQUENCE, RUNNING, "hold", None, "hold"),
    (
        "not now, past",
        human("not_now", until=NOW.date()),
        SEQUENCE,
        RUNNING,
        "hold",
        None,
        "hold",
    ),
    (
        "not now, in decades",
        human("not_now", until=date(2049, 3, 1)),
        SEQUENCE,
        RUNNING,
        "hold",
        None,
        "hold",
    ),
    ("unclear", human("unclear"), SEQUENCE, RUNNING, "hold", None, "hold"),
    ("unread", human(None), SEQUENCE, RUNNING, "hold", None, "hold"),
    ("unclear, over", human("unclear"), SEQUENCE, FINISHED, "ask", None, "hold"),
    (
        "accepted",
        Answer("acceptance", "human"),
        SEQUENCE,
        RUNNING,
        "note",
        None,
        "stay",
    ),
    ("perhaps", Answer("mail", "ambiguous"), SEQUENCE, RUNNING, "hold", None, "hold"),
    ("a click", Answer("click", "ambiguous"), SEQUENCE, RUNNING, "note", None, "stay"),
    ("away", Answer("auto_reply", "machine", "not_now"), SEQUENCE, RUNNING, "note", None, "stay"),
]


@pytest.mark.parametrize(
    ("answer", "program", "standing", "action", "go", "others"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_table(
    answer: Answer,
    program: Program | None,
    standing: Standing,
    action: str,
    go: str | None,
    others: str,
) -> None:
    decision = decide(answer, program, standing, NOW)
    assert (decision.action, decision.go, decision.others) == (action, go, others)
    if action == "unlock":
        assert decision.call is not None
        assert decision.call.minutes == 20


@given(
    grade=st.sampled_from(["machine", "ambiguous", "human"]),
    kind=st.sampled_from(["reply", "tap", "mail", "open", "click", "bounce", "auto_reply"]),
    meaning=st.sampled_from([None, *MEANINGS]),
    state=st.sampled_from([None, "active", "sending", "held", "stopped", "finished"]),
    step=st.sampled_from([step.id for step in SEQUENCE.steps]),
    reason=st.sampled_from([None, "declined", "opt_out", "manual"]),
    unlocked=st.booleans(),
    opted_out=st.booleans(),
)
def test_only_a_human_who_means_it_opens_the_call_and_only_once(
    grade: Any,
    kind: str,
    meaning: Any,
    state: str | None,
    step: str,
    reason: str | None,
    unlocked: bool,
    opted_out: bool,
) -> None:
    standing = Standing(state, step, reason, unlocked, opted_out)
    decision: Decision = decide(Answer(kind, grade, meaning), SEQUENCE, standing, NOW)
    if decision.action in ("unlock", "proceed", "resume"):
        assert (grade, meaning, opted_out) == ("human", "interested", False)
        assert unlocked == (decision.action == "resume")
    if grade != "human":
        assert decision.action in ("note", "hold", "ask")


def test_a_day_begins_at_the_prospects_midnight_or_when_it_has_begun_everywhere() -> None:
    day = date(2027, 6, 1)
    assert start_of_day(day, "Europe/Oslo").isoformat() == "2027-05-31T22:00:00+00:00"
    assert start_of_day(day, None).isoformat() == "2027-06-01T12:00:00+00:00"
    assert start_of_day(day, "Nowhere/Land").isoformat() == "2027-06-01T12:00:00+00:00"
