"""What a person decides about something late: send it, skip it as left, or stop."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows import ending, going_on
from orchestrator.rules import progress
from orchestrator.rules.program import Duration, Program
from orchestrator.rules.window import add_duration
from orchestrator.rules.zones import plausible_zones
from orchestrator.store import enrollments, late, messages, people, restored, standing, tasks

OUTCOMES = frozenset({"send", "skip", "stop"})


async def decide_late(
    conn: AsyncConnection,
    task: RowMapping,
    row: RowMapping,
    person: RowMapping,
    outcome: str,
    now: datetime,
) -> None:
    """Do what was decided about the locked enrollment `row`, which waits for the closed `task`.

    `send`: it had not left; it may, inside its window. `skip`: the next message is not sent; after
    a restore it counts as sent when it was due, so that what followed it is asked about as well.
    """
    if row["state"] != "held":
        return
    message: UUID | None = task["message_id"]
    if outcome == "skip" and message is not None:
        gone = await late.drop(conn, message)
        await ending.note_cancelled(conn, gone, reason="late", now=now)
    own, unread = await tasks.blocking(conn, person["id"])
    if unread or row["id"] in own:
        return  # whoever closes the other task lets it go on
    if outcome == "send":
        await late.let_go(conn, row["id"], message, now=now)
        await going_on.tell_resumed(conn, row, now=now)
    elif task["detail"].get("reason") == "restored":
        await _past_what_left(conn, task, row, person, now)
    else:
        await going_on.next_step(conn, row, person, now=now)


async def _past_what_left(
    conn: AsyncConnection, task: RowMapping, row: RowMapping, person: RowMapping, now: datetime
) -> None:
    """Where the enrollment stands if its next message left when it was due."""
    program = Program.model_validate(row["definition"])
    said = task["detail"].get("due")
    due = datetime.fromisoformat(said) if said else now
    zones = plausible_zones(
        zone=person["zone"],
        country=person["country"],
        phone=person["phone"],
        language=person["language"],
    )

    def add(duration: Duration, start: datetime) -> datetime:
        return add_duration(duration, start, zones, person["country"])

    seen = await _seen(conn, row["id"], person["id"])
    found = progress.walk(program, row["step"], just_arrived=False, seen=seen, now=due, add=add)
    match found:
        case progress.SendMessage(step=step):
            to, until = progress.after(program, step.id, due, add)
        case progress.Wait(step=to, until=until):
            pass
        case progress.OfferCall():  # the offer left: there is nothing behind it
            await standing.finish_enrollment(conn, row["id"], now=now)
            await going_on.tell(conn, row, "enrollment.finished", row["step"], now)
            return
        case progress.Finish(step=to):
            until = now
        case progress.OpenTask(step=at):
            to, until = at.id, now
    asked_until = await restored.restored_at(conn) or now
    await going_on.stand_at(conn, row, to, until, ask_until=asked_until, now=now)


async def _seen(conn: AsyncConnection, enrollment_id: UUID, prospect_id: UUID) -> progress.Seen:
    row = (await enrollments.seen(conn, [enrollment_id]))[enrollment_id]
    facts = (await people.people_for_context(conn, [prospect_id]))[prospect_id].facts
    written = await messages.of_steps(conn, [enrollment_id])
    return progress.Seen(
        opened=row["opened"],
        clicked=row["clicked"],
        delivered=row["delivered"],
        had=frozenset(written[enrollment_id]),
        facts={name: fact.value for name, fact in facts.items()},
    )
