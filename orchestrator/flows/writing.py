"""Writing the message of a step: by which way, with which homework, at which hour; or the task that
says why it cannot be written."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from orchestrator.flows.planning import House, Plan, Standing, hold, move
from orchestrator.ids import uuid7
from orchestrator.render import CannotRender, missing_values, render_wording
from orchestrator.rules import ways
from orchestrator.rules.context import template_context
from orchestrator.rules.outgoing import request_step
from orchestrator.rules.program import CallStep, SendStep, Wording
from orchestrator.rules.wording import choose


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message that could be written now."""

    step: SendStep | CallStep
    way: ways.Way
    wording: Wording


def write(house: House, work: Plan, at: Standing, step: SendStep | CallStep, now: datetime) -> None:
    """Add the message of `step` to `work`, or what has to come before it."""
    if step.id in at.written:  # an offer whose enrollment came back here: the first one stands
        move(work, at, "sending", step.id, now)
        return
    way = _way(at, step)
    if way is None:
        wanted = list(step.channels) if isinstance(step, SendStep) else ["the thread"]
        title = f"No usable address on {' or '.join(wanted)}"
        hold(work, at, step.id, "undeliverable", title, {"channels": wanted}, now)
        return
    letter = _letter(house, work, at, step, way, now)
    if letter is None:
        return
    manual, inviting = house.habits(way.seat.channel)
    account = house.account(at.senders[way.seat.id])
    if manual is not None and manual.by_hand(account):
        profile = manual.profile_url(account, way.identity.address)
        _by_hand(house, work, at, letter, profile, now)
    elif inviting is None or not inviting.needs_request(account):
        _queue(house, work, at, letter, now)
    else:
        pace = inviting.request_pace(account)
        _let_in(
            *(house, work, at, letter, now),
            withdraw_after=timedelta(days=pace.withdraw_after_days),
            ban=timedelta(days=pace.ban_days),
        )


def _way(at: Standing, step: SendStep | CallStep) -> ways.Way | None:
    """The offer goes where they engaged (L4); another message by the order of the step."""
    own = at.seat(at.row["sender_id"])
    written = list(at.written.values())
    if isinstance(step, CallStep):
        thread = at.unlock["message_id"] if at.unlock else None
        newest = next((one for one in written if one["id"] == thread), None)
        newest = newest or (written[-1] if written else None)
        channels: tuple[str, ...] = (newest["channel"] if newest else own.channel,)
    else:
        newest = written[-1] if written else None
        channels = step.channels
    return ways.choose_way(
        channels,
        at.person,
        own=own,
        seats=[at.seat(one) for one in at.senders],
        used={one["channel"]: one["sender_id"] for one in written},
        last=newest["channel"] if newest else None,
    )


def _letter(
    house: House,
    work: Plan,
    at: Standing,
    step: SendStep | CallStep,
    way: ways.Way,
    now: datetime,
) -> _Letter | None:
    """The wording with its homework done (L6), or a task that names what is missing."""
    _, wording = choose(step.wordings, at.person.language, at.program.language)
    context = _context(house, at, way, "(the prospect's page)")  # known of everybody
    needs = step.needs if isinstance(step, SendStep) else ()
    try:
        missing = missing_values(wording, context, needs)
    except CannotRender as error:  # the publisher refuses such a template; older versions may live
        hold(work, at, step.id, "undeliverable", f"The template says: {error}", {}, now)
        return None
    if missing:
        title = f"Missing: {', '.join(missing)}"
        hold(work, at, step.id, "missing_fact", title, {"missing": list(missing)}, now)
        return None
    return _Letter(step, way, wording)


def _context(house: House, at: Standing, way: ways.Way, page_url: str) -> dict[str, Any]:
    return template_context(
        *(at.person, at.person.company, at.person.facts),
        *(house.account(at.senders[way.seat.id]), house.organisation, page_url),
    )


def _by_hand(
    house: House, work: Plan, at: Standing, letter: _Letter, profile: str | None, now: datetime
) -> None:
    """A person of ours sends it: the text ready to copy, and where to."""
    page_url = f"{house.base_url}/p/{house.keys.token('page', at.row['id'])}"
    made = render_wording(letter.wording, _context(house, at, letter.way, page_url))
    seat = letter.way.seat
    detail = {"text": made.text, "subject": made.subject, "profile": profile} | {
        "channel": seat.channel,
        "sender": str(seat.id),
    }
    hold(work, at, letter.step.id, "manual", f"Write by hand on {seat.channel}", detail, now)


def _let_in(
    house: House,
    work: Plan,
    at: Standing,
    letter: _Letter,
    now: datetime,
    *,
    withdraw_after: timedelta,
    ban: timedelta,
) -> None:
    """A channel on which a person lets us in first."""
    step, way = letter.step, letter.way
    known = at.connections.get((way.identity.id, way.seat.id))
    connection = ways.Connection()
    if known is not None:
        connection = ways.Connection(known["state"], known["invited_at"], known["ended_at"])
    asked = request_step(step.id) in at.written
    verdict = ways.admission(
        connection, asked_here=asked, now=now, withdraw_after=withdraw_after, ban=ban
    )
    match verdict:
        case ways.Enter():
            _queue(house, work, at, letter, now)
        case ways.Ask():
            _queue(house, work, at, letter, now, request=True)
        case ways.Await(until=until):
            move(work, at, "active", step.id, now, due=until)
            work.tell("enrollment.waits", at, step=step.id, until=until.isoformat(), on="request")
        case ways.Barred(until=until, reason=reason):
            title = "Not let in on " + way.seat.channel
            detail = {"reason": reason, "not_before": until.isoformat() if until else None}
            hold(work, at, step.id, "undeliverable", title, detail, now)


def _queue(
    house: House, work: Plan, at: Standing, letter: _Letter, now: datetime, *, request: bool = False
) -> None:
    """A pending message inside the window, or a task when no hour fits."""
    step, seat = letter.step, letter.way.seat
    sender = at.senders[seat.id]
    opening = house.opening(at, sender, max(now, at.person.not_before or now))
    if opening is None:
        title = "No hour fits both the prospect's possible zones and the sender: add their zone"
        hold(work, at, step.id, "missing_zone", title, {"zones": len(at.zones)}, now)
        return
    made = uuid7()
    domain = sender["address"].rpartition("@")[2] or "avtale.invalid"
    offer = isinstance(step, CallStep) and at.unlock is not None
    kind = "request" if request else "call_offer" if isinstance(step, CallStep) else "outreach"
    name = request_step(step.id) if request else step.id
    work.messages.append(
        {
            "id": made,
            "enrollment_id": at.row["id"],
            "prospect_id": at.person.id,
            "step": name,
            "kind": kind,
            "channel": seat.channel,
            "sender_id": seat.id,
            "identity_id": letter.way.identity.id,
            "unlock_id": at.unlock["id"] if offer and at.unlock and not request else None,
            "thread_of": None if request else _thread(at, step),
            "due_at": opening,
            "rfc_message_id": house.keys.rfc_message_id(made, domain),
        }
    )
    move(work, at, "sending", step.id, now, due=None)
    work.tell("message.planned", at, made, step=name, due=opening.isoformat(), channel=seat.channel)


def _thread(at: Standing, step: SendStep | CallStep) -> UUID | None:
    """The message that this one answers: the offer goes where they engaged (L4), a step says it."""
    if isinstance(step, CallStep):
        return at.unlock["message_id"] if at.unlock else None
    root = at.written.get(step.thread) if step.thread else None
    return root["id"] if root is not None else None
