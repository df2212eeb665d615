"""What the planner decides for one due enrollment: a message, a task, a wait or the end.

Values in, values out: `flows/plan.py` reads and writes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from channels.base import Account
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.render import CannotRender, missing_values
from orchestrator.rules import progress
from orchestrator.rules.context import PersonFacts, template_context
from orchestrator.rules.program import CallStep, Duration, Program, SendStep
from orchestrator.rules.window import Window, add_duration, next_common_opening
from orchestrator.rules.wording import choose
from orchestrator.rules.zones import plausible_zones


@dataclass(frozen=True, slots=True)
class House:
    """What a decision needs of the installation."""

    keys: Keys
    base_url: str
    organisation: str


@dataclass(frozen=True, slots=True)
class Standing:
    """One due enrollment with all that its decision needs."""

    row: RowMapping
    program: Program
    person: PersonFacts
    account: Account
    sender: RowMapping
    unlock: RowMapping | None
    seen: progress.Seen
    written: Mapping[str, UUID]  # step -> message, of what was planned before

    @property
    def zones(self) -> frozenset[str]:
        return zones_of(self.person)


@dataclass(slots=True)
class Plan:
    """What one batch writes."""

    moves: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, kind: str, at: "Standing", message: UUID | None = None, **detail: Any) -> None:
        """One line of history."""
        self.lines.append(
            {
                "kind": kind,
                "prospect_id": at.person.id,
                "enrollment_id": at.row["id"],
                "message_id": message,
                "detail": detail,
            }
        )


def zones_of(person: PersonFacts) -> frozenset[str]:
    """The zones that this person may be in: more when less is known, which narrows the window."""
    address = person.identity("email")
    return plausible_zones(
        zone=person.zone,
        country=person.country,
        phone=person.phone,
        address=address.address if address else None,
        language=person.language,
    )


def decide(house: House, at: Standing, now: datetime, work: Plan) -> None:
    """Add to `work` what happens to `at`. A fault in one enrollment is a task about that one."""
    try:
        _decide(house, at, now, work)
    except Exception as error:  # noqa: BLE001 - one person's odd data must not stop all the others
        title = f"The planner could not decide: {type(error).__name__}: {error}"[:200]
        _hold(work, at, at.row["step"], "manual", title, {"error": type(error).__name__}, now)


def _decide(house: House, at: Standing, now: datetime, work: Plan) -> None:

    def add(duration: Duration, start: datetime) -> datetime:
        return add_duration(duration, start, at.zones, at.person.country)

    move = progress.walk(
        at.program,
        at.row["step"],
        just_arrived=at.row["due_at"] <= at.row["entered_step_at"],
        seen=at.seen,
        now=now,
        add=add,
    )
    match move:
        case progress.Wait(step=step, until=until):
            _move(work, at, "active", step, now, due=until)
            work.tell("enrollment.waits", at, step=step, until=until.isoformat())
        case progress.Finish(step=step):
            _move(work, at, "finished", step, now, reason="completed")
            work.tell("enrollment.finished", at, step=step, reason="completed")
        case progress.OpenTask(step=step):
            _hold(work, at, step.id, "manual", step.title, {"text": step.text}, now)
        case progress.SendMessage(step=step):
            _write(house, work, at, step, now)
        case progress.OfferCall(step=step):
            _offer(house, work, at, step, now)


def _offer(house: House, work: Plan, at: Standing, step: CallStep, now: datetime) -> None:
    if at.unlock is None:
        # The publisher proves that nobody gets here without an answer; a database edited by hand
        # could bring it about, and then a person has to look (L1).
        title = "This person reached the call step without an unlock"
        _hold(work, at, step.id, "manual", title, {"reason": "no_unlock"}, now)
    elif at.unlock["booked"]:
        _move(work, at, "finished", step.id, now, reason="booked")
        work.tell("enrollment.finished", at, step=step.id, reason="booked")
    else:
        _write(house, work, at, step, now)


def _write(
    house: House, work: Plan, at: Standing, step: SendStep | CallStep, now: datetime
) -> None:
    """Write the message of a step, or the task that says why it cannot be written."""
    if step.id in at.written:  # an offer whose enrollment came back here: the first one stands
        _move(work, at, "sending", step.id, now)
        return
    ways = step.channels if isinstance(step, SendStep) else (at.sender["channel"],)
    identity = at.person.identity(at.sender["channel"])
    if at.sender["channel"] not in ways or identity is None:
        title = f"No usable address on {' or '.join(ways)}"
        _hold(work, at, step.id, "undeliverable", title, {"channels": list(ways)}, now)
        return
    _, wording = choose(step.wordings, at.person.language, at.program.language)
    needs = step.needs if isinstance(step, SendStep) else ()
    page_url = f"{house.base_url}/p/{house.keys.token('page', at.row['id'])}"
    context = template_context(
        *(at.person, at.person.company, at.person.facts),
        *(at.account, house.organisation, page_url),
    )
    try:
        missing = missing_values(wording, context, needs)
    except CannotRender as error:  # the publisher refuses such a template; older versions may live
        _hold(work, at, step.id, "undeliverable", f"The template says: {error}", {}, now)
        return
    if missing:
        title = f"Missing: {', '.join(missing)}"
        _hold(work, at, step.id, "missing_fact", title, {"missing": list(missing)}, now)
        return
    earliest = max(now, at.person.not_before or now)
    hours = Window.model_validate(at.sender["hours"])
    opening = next_common_opening(
        [
            (at.program.window, at.zones, at.person.country),
            (hours, frozenset({at.sender["zone"]}), None),
        ],
        earliest,
    )
    if opening is None:
        title = "No hour fits both the prospect's possible zones and the sender: add their zone"
        _hold(work, at, step.id, "missing_zone", title, {"zones": len(at.zones)}, now)
        return
    _queue(house, work, at, step, identity.id, opening, now)


def _queue(
    house: House,
    work: Plan,
    at: Standing,
    step: SendStep | CallStep,
    identity_id: UUID,
    opening: datetime,
    now: datetime,
) -> None:
    made = uuid7()
    domain = at.account.address.rpartition("@")[2] or "avtale.invalid"
    offer = isinstance(step, CallStep)
    work.messages.append(
        {
            "id": made,
            "enrollment_id": at.row["id"],
            "prospect_id": at.person.id,
            "step": step.id,
            "kind": "call_offer" if offer else "outreach",
            "channel": at.sender["channel"],
            "sender_id": at.row["sender_id"],
            "identity_id": identity_id,
            "unlock_id": at.unlock["id"] if offer and at.unlock else None,
            "thread_of": _thread(at, step),
            "due_at": opening,
            "rfc_message_id": house.keys.rfc_message_id(made, domain),
        }
    )
    _move(work, at, "sending", step.id, now, due=None)
    work.tell("message.planned", at, made, step=step.id, due=opening.isoformat())


def _thread(at: Standing, step: SendStep | CallStep) -> UUID | None:
    """The message that this one answers: the offer goes where they engaged (L4), a step says it."""
    if isinstance(step, CallStep):
        return at.unlock["message_id"] if at.unlock else None
    return at.written.get(step.thread) if step.thread else None


def _move(
    work: Plan,
    at: Standing,
    state: str,
    step: str,
    now: datetime,
    *,
    due: datetime | None = None,
    reason: str | None = None,
) -> None:
    work.moves.append(
        {
            "at": at.row["id"],
            "to_state": state,
            "to_step": step,
            "to_due": due,
            "entered": now,
            "reason": reason,
            "ended": now if state == "finished" else None,
        }
    )


def _hold(
    work: Plan,
    at: Standing,
    step: str,
    kind: str,
    title: str,
    detail: dict[str, Any],
    now: datetime,
) -> None:
    _move(work, at, "held", step, now)
    work.tasks.append(
        {
            "kind": kind,
            "title": title,
            "prospect_id": at.person.id,
            "enrollment_id": at.row["id"],
            "step": step,
            "detail": detail,
            "now": now,
        }
    )
    work.tell("enrollment.held", at, step=step, task=kind, **detail)
