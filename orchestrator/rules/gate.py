"""The gate: what an engagement does to the sequences of the person who made it (L1, L4).

Pure: facts in, a decision out. Nothing but a human engagement that means interest ever unlocks a
call; opens, clicks, automatic replies and bounces do not, whatever their number.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orchestrator.rules.page_state import LONGEST_REST
from orchestrator.rules.program import (
    END,
    CallStep,
    Program,
    UntilStep,
    answer_edge,
    call_behind,
    edges,
)

Grade = Literal["machine", "ambiguous", "human"]
Meaning = Literal["interested", "stop", "no", "not_now", "wrong_person", "question", "unclear"]
MEANINGS: tuple[Meaning, ...] = get_args(Meaning)

# What a person of ours reads before anything else happens, and what the task says.
TO_READ: dict[Meaning, str] = {
    "unclear": "unclear answer",
    "wrong_person": "they name somebody else",
    "question": "they ask something",
}

RUNNING = frozenset({"active", "sending", "held"})

# Words that `enrollments.stop_reason` gets from here.
DECLINED = "declined"
ANSWERED = "answered"
ELSEWHERE = "answered elsewhere"
UNDELIVERABLE = "undeliverable"
GONE = "no longer there"  # says an automatic reply of theirs
COMPANY = "company: "  # followed by what happened to the colleague

# What somebody wrote, so that leaving it unread would be rude. A tap or a form says what it means.
_WRITTEN = frozenset({"reply", "direct_message"})

# Events come in any order, and what was said last counts. Interest that is followed by "not now" is
# interest all the same, and so is interest before a no, which moves nothing any more. What is
# unclear and newer waits for its reader.
_OUTWEIGHED_BY: dict[Meaning, frozenset[Meaning]] = {
    "stop": frozenset(),
    "no": frozenset({"interested"}),
    "interested": frozenset(TO_READ),
    "not_now": frozenset({"interested", "no", "not_now"}),
    **dict.fromkeys(TO_READ, frozenset({"interested", "no", "not_now"})),
}

# note: nothing moves. unlock: the call opens. proceed: the `then` edge, without a call behind it.
# end: stopped. hold: nothing moves until a person has read it. ask: a task, nothing else.
# postpone: nothing before a date. stop: the person has opted out. resume: held before, goes on.
Action = Literal["note", "unlock", "proceed", "end", "hold", "ask", "postpone", "stop", "resume"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The facts of one engagement. `by_person`: one of us has read it and said its meaning.
    `doubt`: why one of us has to read a mail that is ambiguous."""

    kind: str
    grade: Grade
    meaning: Meaning | None = None
    until: date | None = None
    by_person: bool = False
    doubt: str = "perhaps an automatic answer"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the person stands. `state` None: in no sequence at all. `since`: what they said after
    the answer that is decided on, where that one comes late."""

    state: str | None = None
    step: str | None = None
    stop_reason: str | None = None
    unlocked: bool = False
    opted_out: bool = False
    since: frozenset[Meaning] = frozenset()

    @property
    def running(self) -> bool:
        """Whether the sequence can still do something by itself."""
        return self.state in RUNNING


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to the enrollment that was answered, and to the `others` that run beside it."""

    action: Action
    reason: str
    go: str | None = None
    call: CallStep | None = None
    others: Literal["stay", "stop", "hold", "postpone"] = "stay"


def decide(answer: Answer, program: Program | None, standing: Standing, now: datetime) -> Decision:
    """The law L1 and the second half of L4, for one engagement."""
    if answer.grade != "human":
        return _not_human(answer, standing)
    written = answer.kind in _WRITTEN
    meaning = answer.meaning or ("unclear" if written else None)
    if meaning == "stop":
        return Decision("stop", "opt_out")
    if standing.opted_out:
        unread = written and not answer.by_person and meaning != "no"
        return Decision("ask" if unread else "note", "wrote after opting out")
    if meaning is not None and (newer := standing.since & _OUTWEIGHED_BY[meaning]):
        return Decision("note", f"late news: they said {', '.join(sorted(newer))} since")
    match meaning:
        case "no":
            action: Action = "end" if standing.running else "note"
            return Decision(action, DECLINED, others="stop")
        case "not_now" if answer.until is not None and answer.until > now.date():
            if answer.by_person or answer.until - now.date() <= LONGEST_REST:
                return Decision("postpone", "not now", others="postpone")
            return _unclear(standing, "not now, until a day years ahead")
        case "not_now":
            return _unclear(standing, "not now, without a date")
        case "interested":
            return _interested(answer, program, standing)
        case "unclear" | "wrong_person" | "question":
            return _unclear(standing, TO_READ[meaning])
    return Decision("note", "says nothing by itself")


def _not_human(answer: Answer, standing: Standing) -> Decision:
    """Machines decide nothing. Mail that could be either waits for a reader (section 6)."""
    if answer.grade == "ambiguous" and answer.kind == "mail" and not standing.opted_out:
        return _unclear(standing, answer.doubt)
    return Decision("note", f"{answer.grade} engagement")


def _unclear(standing: Standing, reason: str) -> Decision:
    return Decision("hold" if standing.running else "ask", reason, others="hold")


def _interested(answer: Answer, program: Program | None, standing: Standing) -> Decision:
    if program is None or standing.step is None:
        return _read(answer, "interested, in no sequence")
    if standing.unlocked:
        if standing.state == "held":
            return Decision("resume", "unlocked before", others="stop")
        if standing.running:
            return Decision("note", "unlocked before", others="stop")
        return _read(answer, "unlocked before")
    if not standing.running and not _reopens(standing):
        return _read(answer, "interested after the sequence was stopped")
    edge = answer_edge(program, standing.step) if standing.running else None
    edge = edge or late_edge(program, standing.step)
    if edge is None or edge == END:
        if standing.running:
            return Decision("end", ANSWERED, others="stop")
        return _read(answer, "interested, and no call to offer")
    call = call_behind(program, edge)
    return Decision(
        "unlock" if call else "proceed", "interested", go=edge, call=call, others="stop"
    )


def _read(answer: Answer, reason: str) -> Decision:
    """Interest that opens nothing by itself. It is an answer all the same: what runs beside it
    stops (L4), whichever sequence it was about."""
    unread = answer.kind in _WRITTEN and not answer.by_person
    return Decision("ask" if unread else "note", reason, others="stop")


def _reopens(standing: Standing) -> bool:
    """Late interest is interest: after silence, after a no that they take back, after a colleague's
    answer. Not after somebody of ours stopped it by hand: then a person decides."""
    reason = standing.stop_reason
    return (
        standing.state == "finished"
        or reason in (DECLINED, ANSWERED, UNDELIVERABLE, GONE)
        or bool(reason and reason.startswith(COMPANY))
    )


def late_edge(program: Program, step_id: str) -> str | None:
    """The `then` edge that somebody at `step_id`, past every `until` step, had before them: of the
    last one in the file from which `step_id` is reached, else of any, if it leads to a call."""
    listening = [step for step in program.steps if isinstance(step, UntilStep)]
    listening = [step for step in listening if call_behind(program, step.then) is not None]
    passed = [step for step in listening if step_id in _reachable(program, step.id)]
    best = (passed or listening)[-1:]
    return best[0].then if best else None


def _reachable(program: Program, start: str) -> set[str]:
    queue, seen = [start], {END}
    while queue:
        current = queue.pop()
        if current not in seen:
            seen.add(current)
            queue.extend(edges(program.step(current)))
    return seen


def start_of_day(day: date, zone: str | None) -> datetime:
    """The instant (UTC) from which something may happen on `day`: midnight in `zone`; not knowing
    it, the moment when that day has begun everywhere."""
    place: tzinfo = UTC
    if zone is not None:
        try:
            place = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            zone = None
    begins = datetime.combine(day, time(), tzinfo=place).astimezone(UTC)
    return begins if zone is not None else begins + timedelta(hours=12)
