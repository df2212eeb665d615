"""What holds now and what comes next for one prospect, and why not sooner. Pure, like `why`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.rules.gate import RUNNING
from orchestrator.rules.program import (
    END,
    BranchStep,
    CallStep,
    Program,
    SendStep,
    Step,
    TaskStep,
    UntilStep,
    WaitStep,
)
from orchestrator.rules.why import Line, because, when


@dataclass(frozen=True, slots=True)
class Person:
    """What holds for a prospect in every sequence."""

    zone: str | None
    opted_out_at: datetime | None = None
    paused_at: datetime | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The message of the step where an enrollment stands."""

    state: str
    due_at: datetime
    attempt: int = 0
    trouble: str | None = None  # of the last attempt


@dataclass(frozen=True, slots=True)
class Pace:
    """The sender: why its lane does not move, if it does not."""

    name: str
    paused: str | None = None  # the reason
    parked_until: datetime | None = None
    park_reason: str | None = None
    free_at: datetime | None = None
    capped: bool = False
    daily_cap: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """One enrollment as it stands. `earliest`: the first instant at which both windows are open
    and the lane is free; None when no hour fits."""

    sequence: str
    version: int
    sequence_state: str
    program: Program
    state: str
    step: str
    pace: Pace
    due_at: datetime | None = None
    stop_reason: str | None = None
    ended_at: datetime | None = None
    message: Waiting | None = None
    tasks: tuple[str, ...] = ()  # titles of the open ones
    earliest: datetime | None = None
    unlocked_at: datetime | None = None
    unlocked_by: str | None = None  # kind of the engagement
    call_at: datetime | None = None  # of a live booking


def about_person(person: Person, now: datetime) -> list[Line]:
    """What holds in every sequence."""
    lines = []
    if person.opted_out_at:
        lines.append(Line(person.opted_out_at, "Nothing automated leaves to them any more.",
                          "they opted out, and that is for good"))  # fmt: skip
    if person.paused_at:
        lines.append(Line(person.paused_at, "Nothing leaves until they are resumed.",
                          "sales ops paused them"))  # fmt: skip
    if person.not_before and person.not_before > now:
        lines.append(Line(person.not_before, "Nothing leaves before then.",
                          "that is the date that was chosen"))  # fmt: skip
    if not person.zone:
        lines.append(Line(None, "Messages leave only while every zone they may live in is open.",
                          "their own zone is not known"))  # fmt: skip
    return lines


def about_call(at: Standing) -> list[Line]:
    """Whether the call of a sequence is open, and what opened it or would."""
    if not any(isinstance(step, CallStep) for step in at.program.steps):
        return []
    if at.call_at is not None:
        return [Line(at.call_at, f"{at.sequence}: the call takes place then.", "they booked it")]
    if at.unlocked_at is not None:
        opened = f"a person engaged ({(at.unlocked_by or 'answer').replace('_', ' ')})"
        return [Line(at.unlocked_at, f"{at.sequence}: the call is open to be booked.", opened)]
    return [
        Line(
            None,
            f"{at.sequence}: the call is locked.",
            "no human engagement has opened it; an open or a click is never enough",
        )
    ]


def next_of(at: Standing, person: Person, now: datetime) -> Line:
    """What happens next in one sequence, and when."""
    name = f"{at.sequence} (version {at.version})"
    if at.state not in RUNNING:
        over = "was stopped" if at.state == "stopped" else "has ended"
        return Line(
            at.ended_at, f"{name} {over}; nothing more comes of it.", because(at.stop_reason)
        )
    if person.opted_out_at:
        return Line(None, f"{name}: nothing more is sent.", "they opted out")
    if at.state == "held":
        todo = "; ".join(at.tasks) or "an open task"
        return Line(None, f"{name} waits at `{at.step}` for a person.", todo)
    if person.paused_at:
        return Line(None, f"{name} waits at `{at.step}`.", "they are paused")
    if at.sequence_state != "active":
        return Line(None, f"{name} waits at `{at.step}`.", f"the sequence is {at.sequence_state}")
    if at.state == "sending":
        return _leaving(at, name, person, now)
    return _standing(at, name, person, now)


def _leaving(at: Standing, name: str, person: Person, now: datetime) -> Line:
    message, text = at.message, f"{name}: the message of `{at.step}`"
    match message.state if message else None:
        case "leased" | "sending":
            return Line(now, f"{text} is being handed over.", "it is due and its hours are open")
        case "in_doubt":
            return Line(None, f"{text} waits for a person.", "it is not known whether it left")
        case "failed":
            return Line(None, f"{text} waits for a person.", (message and message.trouble) or "")
        case "pending" | "retry_wait":
            assert message is not None
            reason = _why_not_now(at, message, person, now)
            if at.pace.paused is not None or at.earliest is None:
                return Line(None, f"{text} waits.", reason)
            return Line(at.earliest, f"{text} leaves then, at the earliest.", reason)
        case _:
            return Line(now, f"{name} moves on from `{at.step}`.", "")


def _why_not_now(at: Standing, message: Waiting, person: Person, now: datetime) -> str:
    pace = at.pace
    if pace.paused is not None:
        return f"the sender {pace.name} is paused: {pace.paused or 'by hand'}"
    if message.state == "retry_wait":
        return f"attempt {message.attempt} failed: {message.trouble or 'no reason was given'}"
    if person.not_before and person.not_before > now:
        return f"nothing leaves before {when(person.not_before, person.zone)}"
    if pace.parked_until and pace.parked_until > now:
        return f"the sender {pace.name} rests: {because(pace.park_reason)}"
    if pace.capped:
        return f"the sender {pace.name} reached its cap of {pace.daily_cap} messages for today"
    if at.earliest is None:
        return "no hour fits both every zone that they may live in and the sender"
    if pace.free_at and pace.free_at > max(now, message.due_at) and at.earliest == pace.free_at:
        return f"the sender {pace.name} leaves a gap after its last message"
    if message.due_at > now or at.earliest > now:
        return "the windows of the prospect and of the sender are both open then"
    return "it is due and its hours are open"


def _standing(at: Standing, name: str, person: Person, now: datetime) -> Line:
    step = None if at.step == END else at.program.step(at.step)
    due = max(at.due_at, now) if at.due_at else None
    match step:
        case WaitStep():
            text = f"{name} waits until then; then {_what(at.program, step.next)}."
            return Line(due, text, "the sequence says so")
        case UntilStep():
            text = f"{name} waits for an answer; without one by then, "
            return Line(due, text + f"{_what(at.program, step.otherwise)}.", "the sequence says so")
        case None:
            return Line(due, f"{name} ends.", "")
        case _:
            return Line(due, f"{name}: {_what(at.program, at.step)}.", "it is its turn")


def _what(program: Program, step_id: str) -> str:
    step: Step | None = None if step_id == END else program.step(step_id)
    match step:
        case SendStep():
            return f"the message of `{step.id}` is written"
        case WaitStep():
            return f"it waits at `{step.id}`"
        case UntilStep():
            return f"it waits for an answer at `{step.id}`"
        case BranchStep():
            return f"the branch `{step.id}` chooses the way"
        case TaskStep():
            return f"a person gets the task `{step.title}`"
        case CallStep():
            return "the call is offered"
        case _:
            return "the sequence ends"


def everything_next(
    standings: Sequence[Standing], person: Person, now: datetime
) -> tuple[list[Line], list[Line]]:
    """The lines of now and the lines of next, of all sequences."""
    current = about_person(person, now)
    for at in standings:
        current += about_call(at)
    return current, [next_of(at, person, now) for at in standings]
